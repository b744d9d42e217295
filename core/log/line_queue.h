// Lines that wait for a sink: whole ones, in a buffer of bounded size. A line that finds no room is dropped and counted;
// when there is room again the count comes first, as a line in the place of what was lost.
//
// A line always lies together in memory: one that does not fit before the buffer's end goes to its beginning, and what is
// left before the end stays empty.
//
//   [...........|first line ... more lines|  gap ]      [last lines|......|first line ... |gap]
//               ^ first_          last_ = end_           last_ ^          ^ first_   end_ ^
//
// The line that a sink has taken a part of is kept until all of it is taken, so that it can be written anew elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/log/format.h"

namespace hcrc::log {

class LineQueue {
 public:
  // `sink` names it in the line that tells of losses, "the console took no more", which `notices` formats; both outlive it.
  LineQueue(std::size_t capacity, std::string_view sink, Formatter& notices);

  // `line` ends with its newline.
  void push(std::string_view line);
  // What has been dropped and not been told yet is told now, if there is room for it and some lines more.
  void tell_dropped();

  // The bytes at the front that lie together in memory: they end with a newline. take() removes what was written of them.
  std::string_view front() const;
  void take(std::size_t bytes);
  // The line of which a part is taken begins at the front again.
  void rewind();

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }         // bytes not taken
  std::uint64_t dropped() const { return dropped_; }  // not told yet

 private:
  bool room_for(std::size_t bytes) const;
  void append(std::string_view bytes);
  bool wrapped() const { return last_ < end_; }

  std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;  // not initialised: memory that is never needed is never touched
  std::string_view sink_;
  Formatter& notices_;
  std::size_t first_ = 0;  // where the first line begins
  std::size_t sent_ = 0;   // bytes of it that are taken
  std::size_t last_ = 0;   // behind the last line
  std::size_t end_ = 0;    // behind the lines that begin with first_
  std::size_t count_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace hcrc::log

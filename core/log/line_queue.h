// Lines that wait for a sink: whole ones, in a buffer of bounded size. A line that finds no room is dropped and counted;
// when there is room again the count comes first, as a line in the place of what was lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace hcrc::log {

class LineQueue {
 public:
  // `sink` names it in the line that tells of losses: "the console took no more".
  LineQueue(std::size_t capacity, std::string_view sink) : buffer_(capacity), sink_(sink) {}

  // `line` ends with its newline.
  void push(std::string_view line);
  // What has been dropped and not been told yet is told now, if it fits. For the end, too.
  void tell_dropped();

  // The bytes at the front that lie together in memory; take() removes what was written of them.
  std::string_view front() const;
  void take(std::size_t bytes);
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  bool room_for(std::size_t bytes) const { return buffer_.size() - count_ >= bytes; }
  void append(std::string_view bytes);

  std::vector<char> buffer_;
  std::string_view sink_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace hcrc::log

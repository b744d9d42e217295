// The runtime's own lines on stderr. They never block the loop: stderr may be a pipe nobody reads, and O_NONBLOCK cannot be
// set on it, since it belongs to others too. So a line is written only when poll(2) says that there is room: a pipe that
// polls writable takes PIPE_BUF bytes at once (pipe(7)), and no line is longer. What cannot be written waits in a bounded
// buffer; what finds no room there is dropped, counted, and the count is written when there is room again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/runtime/event_loop.h"

namespace hcrc {

enum class Verbosity : std::uint8_t { quiet, normal, verbose };

class Console {
 public:
  // Until attach() what cannot be written at once waits for the next line.
  void attach(EventLoop& loop) { loop_ = &loop; }

  void set_verbosity(Verbosity verbosity) { verbosity_ = verbosity; }
  Verbosity verbosity() const { return verbosity_; }

  // Writes "hcrc: LINE\n".
  void line(std::string_view text);
  // Gives what still waits a last chance, for at most `milliseconds`.
  void finish(int milliseconds);

 private:
  static constexpr std::size_t capacity = 64u << 10;
  void add(std::string_view text);
  bool room_for(std::size_t bytes) const { return capacity - count_ >= bytes; }
  void flush();
  bool write_some();

  EventLoop* loop_ = nullptr;
  FdWatcher watcher_;
  Verbosity verbosity_ = Verbosity::normal;
  std::array<char, capacity> buffer_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace hcrc

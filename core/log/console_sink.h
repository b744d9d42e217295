// The console: stdout, which belongs to others too. O_NONBLOCK is never set on it, since that would change the description
// that everybody shares, and yet a write must never block, or the file would wait for a console that nobody reads:
//   - a pipe or terminal is opened anew through /proc/self/fd/1: a description of its own, which may have O_NONBLOCK;
//   - where that is refused (the pipe of a container engine belongs to root), pwritev2 with RWF_NOWAIT asks for the same in
//     each call;
//   - where the kernel does not know that for pipes, a write follows a poll(2) that says "writable" and is no longer than
//     PIPE_BUF, which a pipe then takes at once (pipe(7)); another writer may come in between and make it wait for the
//     reader;
//   - a socket takes MSG_DONTWAIT, a regular file never blocks.
#pragma once

#include <cstddef>

#include "core/log/line_queue.h"

namespace hcrc::log {

class ConsoleSink {
 public:
  ConsoleSink();
  ~ConsoleSink();
  ConsoleSink(const ConsoleSink&) = delete;
  ConsoleSink& operator=(const ConsoleSink&) = delete;

  // Writes what it takes without blocking. The number of bytes taken from the queue.
  std::size_t write_some(LineQueue& queue);
  // To be polled for POLLOUT while the queue is not empty; -1 once the console is gone for good (its reader has closed it).
  int fd() const { return gone_ ? -1 : fd_; }
  // The last write failed for want of space or memory: polling says nothing about that, try again after a while.
  bool full() const { return full_; }
  bool gone() const { return gone_; }

 private:
  enum class Way : unsigned char { own_description, no_wait_call, after_poll, socket, plain };
  long write_once(const char* bytes, std::size_t length);

  int fd_;
  Way way_;
  bool gone_ = false;
  bool full_ = false;
};

}  // namespace hcrc::log

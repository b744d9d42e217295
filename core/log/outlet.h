// A descriptor that others share (stdout, stderr), written without ever waiting for its reader. O_NONBLOCK is never set on
// it, since that would change the description that everybody shares:
//   - a pipe or terminal is opened anew through /proc/self/fd/N: a description of its own, which may have O_NONBLOCK;
//   - where that is refused (the pipe of a container engine belongs to root), pwritev2 with RWF_NOWAIT asks for the same in
//     each call;
//   - where the kernel does not know that for pipes, a write follows a poll(2) that says "writable" and is no longer than
//     PIPE_BUF, which a pipe then takes at once (pipe(7)); another writer may come in between and make it wait for the
//     reader;
//   - a socket takes MSG_DONTWAIT, a regular file never waits for a reader.
#pragma once

#include <chrono>
#include <string_view>

namespace hcrc::log {

using Clock = std::chrono::steady_clock;

class Outlet {
 public:
  // `shared` stays the caller's.
  explicit Outlet(int shared);
  ~Outlet();
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;

  // As write(2), and EAGAIN where it would wait. Where others write between our lines, no more than PIPE_BUF bytes are taken
  // at once, cut at a line's end, so that the kernel keeps them together.
  long write_once(std::string_view bytes);
  // To be polled for POLLOUT.
  int fd() const { return fd_; }

 private:
  enum class Way : unsigned char { own_description, no_wait_call, after_poll, socket, plain };

  int shared_;
  int fd_;
  Way way_ = Way::plain;
};

}  // namespace hcrc::log

// A file descriptor with an owner, for every program that has one. Each is close-on-exec from birth (O_CLOEXEC,
// SOCK_CLOEXEC, F_DUPFD_CLOEXEC); a child clears the flag on the few that it hands on.
#pragma once

#include <unistd.h>

#include <utility>

namespace hcrc {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}  // takes ownership; -1 is none
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  // close(2) is never repeated: on Linux the descriptor is gone whatever it answers.
  void reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace hcrc

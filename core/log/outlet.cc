#include "core/log/outlet.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/text.h"

namespace hcrc::log {

namespace {

// Whole lines that a pipe takes in one piece; the beginning of a line that is too long for that.
std::string_view piece(std::string_view bytes) {
  if (bytes.size() <= PIPE_BUF) return bytes;
  const std::string_view most = bytes.substr(0, PIPE_BUF);
  const std::size_t end = most.rfind('\n');
  return end == std::string_view::npos ? most : most.substr(0, end + 1);
}

}  // namespace

Outlet::Outlet(int shared) : shared_(shared), fd_(shared) {
  struct stat facts{};
  if (fstat(shared, &facts) != 0) return;
  if (S_ISSOCK(facts.st_mode)) {
    way_ = Way::socket;
    return;
  }
  if (!S_ISFIFO(facts.st_mode) && !isatty(shared)) return;
  std::array<char, 32> bytes{};
  TextWriter path(std::span<char>(bytes).first(bytes.size() - 1));
  path.put("/proc/self/fd/").number(shared);
  const int own = open(bytes.data(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  way_ = own >= 0 ? Way::own_description : Way::no_wait_call;
  if (own >= 0) fd_ = own;
}

Outlet::~Outlet() {
  if (fd_ != shared_) close(fd_);
}

long Outlet::write_once(std::string_view bytes) {
  if (way_ == Way::plain) return write(fd_, bytes.data(), bytes.size());
  bytes = piece(bytes);
  switch (way_) {
    case Way::plain:
    case Way::own_description: return write(fd_, bytes.data(), bytes.size());
    case Way::socket: return send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Way::no_wait_call: {
      const iovec vector{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
      const long written = pwritev2(fd_, &vector, 1, -1, RWF_NOWAIT);
      if (written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)) return written;
      way_ = Way::after_poll;
      break;
    }
    case Way::after_poll: break;
  }
  pollfd polled{.fd = fd_, .events = POLLOUT, .revents = 0};
  if (poll(&polled, 1, 0) != 1 || (polled.revents & (POLLOUT | POLLERR)) == 0) {
    errno = EAGAIN;
    return -1;
  }
  return write(fd_, bytes.data(), bytes.size());
}

}  // namespace hcrc::log

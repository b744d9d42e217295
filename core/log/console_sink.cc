#include "core/log/console_sink.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace hcrc::log {

ConsoleSink::ConsoleSink() : fd_(STDOUT_FILENO), way_(Way::plain) {
  struct stat facts{};
  if (fstat(STDOUT_FILENO, &facts) != 0) {
    gone_ = true;
    return;
  }
  if (S_ISSOCK(facts.st_mode)) {
    way_ = Way::socket;
    return;
  }
  if (!S_ISFIFO(facts.st_mode) && !isatty(STDOUT_FILENO)) return;
  const int own = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  way_ = own >= 0 ? Way::own_description : Way::no_wait_call;
  if (own >= 0) fd_ = own;
}

ConsoleSink::~ConsoleSink() {
  if (fd_ != STDOUT_FILENO) close(fd_);
}

long ConsoleSink::write_once(const char* bytes, std::size_t length) {
  switch (way_) {
    case Way::own_description:
    case Way::plain: return write(fd_, bytes, length);
    case Way::socket: return send(fd_, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case Way::no_wait_call: {
      const iovec vector{.iov_base = const_cast<char*>(bytes), .iov_len = length};
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
  return write(fd_, bytes, std::min(length, std::size_t{PIPE_BUF}));
}

std::size_t ConsoleSink::write_some(LineQueue& queue) {
  std::size_t taken = 0;
  full_ = false;
  while (!gone_ && !queue.empty()) {
    const auto front = queue.front();
    const long written = write_once(front.data(), front.size());
    if (written > 0) {
      queue.take(static_cast<std::size_t>(written));
      taken += static_cast<std::size_t>(written);
      queue.tell_dropped();
      continue;
    }
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) break;
    if (written < 0 && (errno == ENOSPC || errno == ENOMEM)) {
      full_ = true;
      break;
    }
    gone_ = true;
  }
  // Nobody will ever read it: the lines are in the file, if there is one.
  if (gone_) queue.take(queue.size());
  return taken;
}

}  // namespace hcrc::log

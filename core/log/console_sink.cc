#include "core/log/console_sink.h"

#include <algorithm>
#include <cerrno>

namespace hcrc::log {

namespace {

constexpr std::chrono::milliseconds first_retry(500);
constexpr std::chrono::milliseconds longest_retry(30'000);

bool closed_for_good(int error) { return error == EPIPE || error == EBADF || error == ECONNRESET || error == ENOTCONN; }

}  // namespace

std::size_t ConsoleSink::write_some(LineQueue& queue, Clock::time_point now) {
  std::size_t taken = 0;
  if (retry_at_ && now < *retry_at_) return 0;
  while (!gone_ && !queue.empty()) {
    const long written = outlet_.write_once(queue.front());
    if (written > 0) {
      retry_at_.reset();
      retry_delay_ = {};
      queue.take(static_cast<std::size_t>(written));
      taken += static_cast<std::size_t>(written);
      queue.tell_dropped();
      continue;
    }
    const int error = written < 0 ? errno : ENOSPC;
    if (error == EINTR) continue;
    if (error == EAGAIN) {
      retry_at_.reset();
      break;
    }
    if (!closed_for_good(error)) {
      retry_delay_ = retry_delay_.count() == 0 ? first_retry : std::min(longest_retry, retry_delay_ * 2);
      retry_at_ = now + retry_delay_;
      break;
    }
    gone_ = true;
  }
  // Nobody will ever read it: the lines are in the file, if there is one.
  if (gone_) queue.take(queue.size());
  return taken;
}

}  // namespace hcrc::log

// The console: stdout, which belongs to others too (see outlet.h) and which perhaps nobody reads.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "core/log/line_queue.h"
#include "core/log/outlet.h"

namespace hcrc::log {

class ConsoleSink {
 public:
  explicit ConsoleSink(int fd) : outlet_(fd) {}

  // Writes what it takes without waiting. The number of bytes taken from the queue.
  std::size_t write_some(LineQueue& queue, Clock::time_point now);
  // To be polled for POLLOUT; -1 where polling says nothing: nothing to write, gone, or no room on a device.
  int fd(const LineQueue& queue) const { return queue.empty() || gone_ || retry_at_ ? -1 : outlet_.fd(); }
  // When to try again what polling does not tell of.
  std::optional<Clock::time_point> next(const LineQueue& queue) const { return queue.empty() ? std::nullopt : retry_at_; }
  // Its reader has closed it: it takes nothing any more.
  bool gone() const { return gone_; }

 private:
  Outlet outlet_;
  bool gone_ = false;
  std::optional<Clock::time_point> retry_at_;  // after a write that failed for want of space or the like
  std::chrono::milliseconds retry_delay_{0};
};

}  // namespace hcrc::log

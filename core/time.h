// Instants and durations of the core. It owns no clock: every instant is given to it, as nanoseconds of one monotonic clock
// (CLOCK_MONOTONIC in the runtime, virtual time in a simulation). Definitions are in whole milliseconds; instants are finer,
// so that a delay that counts from an instant never ends early.
#pragma once

#include <chrono>
#include <cstdint>

namespace hcrc {

using Duration = std::chrono::nanoseconds;
using Milliseconds = std::chrono::duration<std::int64_t, std::milli>;

// A clock type for std::chrono's strong typing only; it has no now().
struct MonotonicTime {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicTime>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicTime::time_point;

inline constexpr Instant end_of_time = Instant::max();

}  // namespace hcrc

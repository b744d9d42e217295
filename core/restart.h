// Restart arithmetic (contract, section 6): how long a service waits before its next start, and when it has had its
// attempts.
//
//   delay(1) = delay,  delay(n) = min(max-delay, floor(delay(n-1) * factor)), whole milliseconds, saturating;
//   on top of each comes up to `jitter` of it, never less than nothing.
//
// A row is what happened since the history was last cleared: the restarts counted, and the last delay without its jitter. It
// starts anew once the service was ready for `reset-after`, or by an operator's start.
#pragma once

#include <cstdint>

#include "core/database.h"
#include "core/random.h"
#include "core/time.h"

namespace hcrc {

struct RestartRow {
  std::uint32_t restarts = 0;  // counted against `attempts`
  Milliseconds delay{0};       // before the last of them, jitter aside
};

// Whether the service has a counted restart left.
bool attempts_left(const format::ServiceRecord& rule, const RestartRow& row);

// Counts one more restart and answers how long to wait before it, jitter included. Asks the random numbers only where there
// is jitter to draw, so that a rule without it is exact.
Milliseconds take_restart(const format::ServiceRecord& rule, RestartRow& row, Random& random);

// Whether a service that was ready from `ready_at` until `now` has earned a new row.
bool earns_new_row(const format::ServiceRecord& rule, Instant ready_at, Instant now);

// Lack of a resource has a row of its own: 100 ms doubling to 5 s. Answers the next delay and remembers it.
Milliseconds take_resource_delay(Milliseconds& delay);

// `milliseconds * milli / 1000`, rounded down, saturating at bounds::duration_ms.
Milliseconds scaled(Milliseconds milliseconds, std::uint32_t milli);

}  // namespace hcrc

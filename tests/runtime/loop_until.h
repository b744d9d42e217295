// Runs an event loop until something is so, for tests: after each turn it looks, and a deadline that is far away ends a test
// that would hang.
#pragma once

#include <unistd.h>

#include <functional>

#include "core/runtime/event_loop.h"

namespace hcrc::test {

// Whether `so` came true before `limit`. `so` is called after every turn and may itself read from sockets.
inline bool loop_until(EventLoop& loop, std::function<bool()> so, Duration limit = std::chrono::seconds(20)) {
  struct Run {
    EventLoop& loop;
    std::function<bool()> so;
    bool came = false;
  } run{loop, std::move(so)};
  loop.set_deadline(EventLoop::now() + limit, [](void* context) { static_cast<Run*>(context)->loop.stop(); }, &run);
  loop.set_turn_end(
      [](void* context) {
        auto* self = static_cast<Run*>(context);
        self->came = self->came || self->so();
        if (self->came) self->loop.stop();
      },
      &run);
  loop.run();
  loop.set_deadline(end_of_time, nullptr, nullptr);
  loop.set_turn_end(nullptr, nullptr);
  return run.came;
}

// Lets the loop turn so often without waiting for anything: whatever it has to do, it then has done.
inline void turn(EventLoop& loop, int times) {
  int ends[2] = {-1, -1};
  if (pipe(ends) != 0) return;
  close(ends[1]);
  FdWatcher always;
  always.start(loop, ends[0], {.readable = true}, [](void*, Readiness) {}, nullptr);
  loop_until(loop, [&] { return times-- == 0; });  // the first look comes before the first turn
  always.stop();
  close(ends[0]);
}

}  // namespace hcrc::test

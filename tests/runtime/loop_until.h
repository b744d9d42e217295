// Runs an event loop until something is so, for tests: after each turn it looks, and a deadline that is far away ends a test
// that would hang.
#pragma once

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
  loop.set_deadline(never, nullptr, nullptr);
  loop.set_turn_end(nullptr, nullptr);
  return run.came;
}

}  // namespace hcrc::test

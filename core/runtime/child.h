// The child's side of a spawn: from the fork to the exec (spawn.h).
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "core/runtime/environment.h"
#include "core/runtime/spawn.h"
#include "core/runtime/terminal.h"

namespace hcrc {

// What the runtime knew at the fork.
struct AtFork {
  const Environment& environment;  // that of the facts
  pid_t runtime_pid = 0;
  std::uint64_t signals_to_reset = 0;  // by bit, signal n being bit n - 1
  TerminalRole terminal = TerminalRole::none;
  bool in_cgroup = false;  // in the one that is asked for, already
};

// Becomes the process that is asked for, or tells over `answer_fd` why not and ends. With all signals blocked. Lets no
// exception out: want of memory is a failure like others.
[[noreturn]] void run_child(const SpawnRequest& request, const RuntimeFacts& facts, const AtFork& at_fork,
                            int answer_fd) noexcept;

}  // namespace hcrc

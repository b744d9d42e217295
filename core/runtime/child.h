// The child's side of a spawn: from the fork to the exec (spawn.h).
#pragma once

#include "core/runtime/spawn.h"
#include "core/runtime/terminal.h"

namespace hcrc {

// Becomes the process that is asked for, or tells over `answer_fd` why not and ends. With all signals blocked. Lets no
// exception out: want of memory is a failure like others. `in_cgroup`: it is in the cgroup that is asked for already.
[[noreturn]] void run_child(const SpawnRequest& request, const RuntimeFacts& facts, pid_t runtime_pid, int answer_fd,
                            TerminalRole terminal, bool in_cgroup) noexcept;

}  // namespace hcrc

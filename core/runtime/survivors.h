// Never two copies of one service: what a runtime that was killed has left is ended before the next one starts anything.
// Its processes are no children of ours, so no SIGCHLD tells of their end: pidfds do (pidfd_open(2)), or, on a kernel
// without them, a look every few milliseconds.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/runtime/console.h"
#include "core/runtime/process_records.h"
#include "core/time.h"

namespace hcrc {

// Those of the records whose process lives still, or left something in its session; each verified by its start time.
std::vector<FoundRecord> survivors(std::span<const FoundRecord> records);

// Ends them as a stop would: from the highest level down, the own process of each by its stop signal, then the rest of its
// session by SIGTERM, and all by SIGKILL after the stop timeout; SIGKILL at once when `deadline` is over. Waits until all
// are gone, however long: a copy beside one that lives is what must not be. Only a stop signal, which has to be blocked,
// ends the wait for who survives SIGKILL (it hangs in the kernel, or is another user's); it is left pending. Tells on the
// console whom it ends. Blocks; to be called before anything is started.
void end_survivors(std::vector<FoundRecord> survivors, Milliseconds deadline, Console& console);

// Then what is in the predecessor's cgroups still, because it had left the session of its service: SIGKILL, and the same
// wait.
void end_strays(const std::string& cgroup, Console& console);

}  // namespace hcrc

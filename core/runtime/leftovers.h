// What is left of a service's processes once its own has ended, and what no service owns.
//
// A service's own process leads a session and process group of its own; both have its pid for a number. The kernel gives
// that number to nobody as long as anything is left of either, so a process that has it once the leader is reaped is a
// stranger, and then nothing is left. Who leaves the session (setsid) is an orphan, which the sweep at the end is for.
//
// Zombies count as gone: there is nothing to signal, and their parents reap them. /proc tells who there is; without it (not
// mounted, or that of another PID namespace) the process group is all that can be seen.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>

#include "core/bounds.h"
#include "core/runtime/held_numbers.h"
#include "core/runtime/proc_listing.h"
#include "core/text.h"

namespace hcrc {

// What spares a look its way through all of /proc. Whether a pid is that of a child that the runtime has made and not
// reaped: what else is its child is an orphan, and only beneath orphans can anything be left of a dead leader's session.
struct KnownChildren {
  bool (*knows)(const void* context, pid_t pid) = nullptr;  // null: none is known
  const void* context = nullptr;
  ChildListing* listing = nullptr;       // that is kept open; null: each look opens one
  const HeldNumbers* numbers = nullptr;  // null: there is nobody to ask
};

// Whether anything is left of the session or group. Its leader has been reaped. Allocates nothing. Where nothing is left it
// costs one call if numbers can be asked for, one read if there are no orphans about.
[[nodiscard]] bool any_left(pid_t session, KnownChildren known = {});

enum class Leader : bool { may_live, reaped };

// Signals the process group, and every process of the session outside it (SIGKILL: its whole group). Say `reaped` once the
// leader is: then its number may be a stranger's, who gets nothing.
void signal_left(pid_t session, int signal, Leader leader = Leader::may_live);

// Signals every living process below this one that no service owns, and tells how many there are. As PID 1 that is every
// other process of the namespace, also one that came in from outside; else what descends from us. Owned is a process of
// which `spared` holds the pid, the session or the group, and what descends from one. Linear in the number of processes;
// allocates, and makes do with those that found room where it cannot. Signal 0 is none, allocates nothing and ends at the
// first that is found, so the answer is 0 or 1.
std::size_t signal_orphans(std::span<const pid_t> spared, int signal);

// A process that lost its parent and came to us, and belongs to no service. `name` is what the kernel calls it (comm).
struct Orphan {
  pid_t pid = 0;
  FixedText<bounds::orphan_name_bytes> name;
};

// Those among our children that are neither known nor owned as above, oldest first, as many as there is room for; how many
// were written. What is beneath an orphan is not looked at, so the cost is that of one read and a look at each orphan.
// Allocates nothing; none are found where the kernel does not list children.
std::size_t list_orphans(KnownChildren known, std::span<const pid_t> spared, std::span<Orphan> out);

// SIGKILL to every orphan below `runtime` that has the file open as this one is: what keeps a lock from us and is nobody's.
// Orphans are what descends from `runtime` and is not owned as above. For a child that runs as the service's user: whose
// descriptors it may not look at it does not kill. Returns how many got it.
std::size_t kill_orphans_that_hold(int file, pid_t runtime, std::span<const pid_t> spared);

}  // namespace hcrc

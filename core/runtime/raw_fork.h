// Making a child without what a C library does around it. Good for a program with one thread: the C library's part is for
// the locks of others, and costs both sides a handful of page faults.
//
// `cgroup` is the folder of a cgroup (v2) that the child is in from its first moment on (clone(2), CLONE_INTO_CGROUP), or
// -1: our own. Answers -1 with errno like fork(2); for a cgroup also ENOSYS before Linux 5.3, EINVAL or E2BIG before 5.7,
// and a sandbox may answer as it likes.
#pragma once

#include <sys/types.h>

namespace hcrc {

// As fork(2).
pid_t raw_fork(int cgroup);

// As vfork(2): the child runs `begin(context)` in our memory, on our stack below what is in use, while we stand still. We go
// on when it has executed a program, or ended; `begin` must not return. What it writes stays written; errno is kept. ENOSYS
// on a processor that it was not written for.
pid_t raw_vfork(int cgroup, void (*begin)(void*), void* context);

}  // namespace hcrc

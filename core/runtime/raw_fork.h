// A fork without what a C library does around it.
#pragma once

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>

namespace hcrc {

// As fork(2); the child is in the cgroup (v2) whose folder this descriptor is from its first moment on (clone(2),
// CLONE_INTO_CGROUP), or with -1 in ours. Good for a program with one thread: what a C library's fork does besides is for
// the locks of others, and costs both sides a handful of page faults. ENOSYS before Linux 5.3, and before 5.7 EINVAL or
// E2BIG for a cgroup; a sandbox may answer as it likes.
inline pid_t raw_fork(int cgroup) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup);
  }
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
}

}  // namespace hcrc

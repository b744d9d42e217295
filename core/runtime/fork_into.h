// A child that is in another cgroup from its first moment on.
#pragma once

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>

namespace hcrc {

// As fork(2), into the cgroup (v2) whose folder this descriptor is (clone(2), CLONE_INTO_CGROUP). The raw call is good for a
// program with one thread: a C library's fork would only take care of others.
inline pid_t fork_into(int cgroup) {
  clone_args arguments{};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<std::uint64_t>(cgroup);
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
}

}  // namespace hcrc

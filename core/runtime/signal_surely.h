// A signal to one process by its number, and never to whoever gets that number after it.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/system/descriptor.h"

namespace hcrc {

// SIGKILL to many goes around so often: what a fork bomb makes meanwhile is found by the next walk.
inline constexpr int walks_at_most = 8;

// Signals the process if `is_it` holds of it: asked when a descriptor of the process is already there (pidfd_open(2)), so
// that no other one can have got its number in between. Where the kernel has no such descriptor, by number. Whether it was
// sent.
template <typename IsIt>
bool signal_surely(pid_t pid, int signal, IsIt is_it) {
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!is_it()) return false;
  if (process && syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0) return true;
  if (process && errno != ENOSYS && errno != EPERM) return false;
  return kill(pid, signal) == 0;
}

}  // namespace hcrc

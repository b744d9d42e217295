#include "core/runtime/held_numbers.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/runtime/raw_fork.h"

namespace hcrc {

namespace {

// A child in this process group (0: in one of its own) that has ended and is not reaped yet; -1: none.
pid_t dead_child_in(pid_t group) {
  const pid_t child = raw_fork(-1);
  if (child == 0) _exit(setpgid(0, group) == 0 ? 0 : 1);
  if (child < 0) return -1;
  siginfo_t end{};
  while (waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  return child;
}

// Whether it had come into its group.
bool reap(pid_t child) {
  siginfo_t end{};
  return child > 0 && waitid(P_PID, static_cast<id_t>(child), &end, WEXITED) == 0 && end.si_status == 0;
}

}  // namespace

void HeldNumbers::open() {
  owned_.reset(eventfd(0, EFD_CLOEXEC));
  if (!trial_goes_well()) owned_.reset();
}

// A leader's number is to be held by its group when it is gone itself, and free when that is gone, too.
bool HeldNumbers::trial_goes_well() const {
  const pid_t leader = dead_child_in(0);
  const pid_t member = leader > 0 ? dead_child_in(leader) : -1;
  const bool leader_led = reap(leader);
  const bool held = !surely_free(leader);
  const bool member_joined = reap(member);
  return leader_led && member_joined && held && surely_free(leader);
}

bool HeldNumbers::surely_free(pid_t number) const {
  return owned_ && fcntl(owned_.get(), F_SETOWN, number) != 0 && errno == ESRCH;
}

}  // namespace hcrc

#include "core/runtime/step_aside.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hcrc {

namespace {

// As many as Linux can have (NR_CPUS); what a machine has not is left out by the kernel.
using Processors = std::bitset<8192>;

bool confine(pid_t pid, const Processors& processors) {
  return syscall(SYS_sched_setaffinity, pid, sizeof processors, &processors) == 0;
}

bool confine_nowhere(pid_t pid) { return confine(pid, Processors().set()); }

}  // namespace

bool StepAside::is_possible(pid_t runtime) {
  Processors ours;
  Processors all;
  const auto look_up = [](pid_t pid, Processors& processors) {
    return syscall(SYS_sched_getaffinity, pid, sizeof processors, &processors) > 0;
  };
  return look_up(runtime, ours) && confine_nowhere(0) && look_up(0, all) && ours == all && all.count() > 1;
}

bool StepAside::stay_here() {
  here_ = sched_getcpu();
  if (here_ < 0 || !confine(0, Processors().set(static_cast<std::size_t>(here_)))) return false;
  confined_ = true;
  return true;
}

bool StepAside::change_places(pid_t runtime) const {
  if (!confine_nowhere(0)) return false;
  // Where there is no other processor any more it stays.
  confine(runtime, Processors().set().reset(static_cast<std::size_t>(here_)));
  return true;
}

void StepAside::come_back() {
  if (confined_) confined_ = !confine_nowhere(0);
}

}  // namespace hcrc

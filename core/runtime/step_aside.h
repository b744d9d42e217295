// Starting one child after the other in our memory, on all processors.
//
// Such a child runs while we stand still: on our own processor it could begin at once, and we could go on elsewhere. Left
// to itself the scheduler puts it behind the one before, whose program is just starting, and the other processors sleep:
// ours looks busy, the more so with the worker beside us that the first process of a cgroup wakes (kernel/cgroup/cgroup.c,
// cgroup_file_notify). So the child takes our processor, and we are sent to another (sched_setaffinity(2)).
//
// Not where the runtime was confined to some processors on purpose (taskset(1)): that is for its children, too. A cpuset
// goes on to confine everybody, also when it changes later.
#pragma once

#include <sys/types.h>

#include <bitset>

namespace hcrc {

class StepAside {
 public:
  // In a child of its own, which it confines: whether `runtime` may go where its cpuset lets it, and there is a choice.
  static bool is_possible(pid_t runtime);

  // Before the child is made: it begins where we are, and so do we until it lets us go. False: nothing was changed.
  bool stay_here();

  // In the child, first of all: it may go anywhere, and `runtime` anywhere but here. False: it is still confined, and must
  // not execute anything.
  bool change_places(pid_t runtime) const;

  // As soon as we go on: what else we make would be confined as we are. What fails is to be tried again.
  void come_back();

 private:
  int here_ = -1;
  bool confined_ = false;
};

}  // namespace hcrc

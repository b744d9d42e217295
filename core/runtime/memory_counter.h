// How often the kernel has killed a process for want of memory, by its own counter: `oom_kill` of the memory cgroup that the
// runtime and its services are in (cgroups(7); cgroup v2: memory.events and memory.max, v1: memory.oom_control and
// memory.limit_in_bytes). These files are the kernel's memory, no disk: reading them never waits.
#pragma once

#include <cstdint>
#include <optional>

#include "core/runtime/own_cgroup.h"
#include "core/system/descriptor.h"
#include "core/time.h"

namespace hcrc {

class MemoryCounter {
 public:
  // Finds the runtime's own group. Without one, or without /proc, nothing is ever explained.
  void open();
  // Of a group, by a descriptor of its folder. Allocates nothing.
  void open(int folder, bool unified);

  struct Explained {
    std::uint64_t limit = 0;  // bytes; 0: the group has none of its own
  };
  // Whether the counter explains a death by SIGKILL that is told at `now`. What it counts explains one death each, and none
  // that is told a second later. Allocates nothing.
  std::optional<Explained> explains(Instant now);

 private:
  std::optional<std::uint64_t> count() const;

  Descriptor counter_;
  Descriptor limit_;
  std::uint64_t seen_ = 0;
  std::uint64_t unexplained_ = 0;  // kills that no death has been laid to yet
  Instant counted_at_{};
};

}  // namespace hcrc

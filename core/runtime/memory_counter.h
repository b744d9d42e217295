// How often the kernel has killed a process for want of memory, by its own counter: `oom_kill` of the memory cgroup that the
// runtime and its services are in (cgroups(7); cgroup v2: memory.events and memory.max, v1: memory.oom_control and
// memory.limit_in_bytes). These files are the kernel's memory, no disk: reading them never waits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/system/descriptor.h"
#include "core/time.h"

namespace hcrc {

// Where the counter of a process is: what /proc/self/cgroup and /proc/self/mountinfo say of it.
struct MemoryGroup {
  std::string folder;    // of the cgroup, as mounted here
  bool unified = false;  // v2
};
std::optional<MemoryGroup> memory_group(std::string_view cgroup, std::string_view mountinfo);

class MemoryCounter {
 public:
  // Finds the runtime's own group. Without one, or without /proc, nothing is ever explained.
  void open();
  void open(const MemoryGroup& group);

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

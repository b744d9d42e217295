// The cgroup that this process is in, by what /proc/self/cgroup and /proc/self/mountinfo say (cgroups(7),
// proc_pid_mountinfo(5)). Its files are the kernel's memory, no disk: reading them never waits for one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hcrc {

struct OwnCgroup {
  std::string folder;    // as mounted here
  bool unified = false;  // v2
};

// The one that counts its memory: v1's where there is one.
std::optional<OwnCgroup> memory_cgroup(std::string_view cgroup, std::string_view mountinfo);
// The one of v2.
std::optional<OwnCgroup> unified_cgroup(std::string_view cgroup, std::string_view mountinfo);

// All that a small file of the kernel says; nothing where it cannot be read.
std::string kernel_file(const char* path);

}  // namespace hcrc

// Capabilities (capabilities(7)) by system call alone: a set is a word with a bit for each number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hcrc {

using CapabilitySet = std::uint64_t;

// Numbers of linux/capability.h.
inline constexpr unsigned cap_setgid = 6, cap_setuid = 7, cap_setpcap = 8;

constexpr CapabilitySet capability(unsigned number) { return CapabilitySet{1} << number; }

struct CapabilitySets {
  CapabilitySet effective = 0;
  CapabilitySet permitted = 0;
  CapabilitySet inheritable = 0;
};

// Of this process. They return 0 or an errno.
[[nodiscard]] int get_capabilities(CapabilitySets& sets);
[[nodiscard]] int set_capabilities(const CapabilitySets& sets);
[[nodiscard]] int clear_ambient();
[[nodiscard]] int raise_ambient(CapabilitySet kept);
// Takes everything that is not in `kept` out of the bounding set; one that is not in it costs nothing.
[[nodiscard]] int bound_capabilities(CapabilitySet kept);

// "CAP_SETUID"; of a set, names with blanks between them.
std::string_view capability_name(unsigned number);
std::string capability_names(CapabilitySet set);

}  // namespace hcrc

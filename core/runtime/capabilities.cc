#include "core/runtime/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/capability_names.h"

namespace hcrc {

namespace {

constexpr unsigned highest = 63;

static_assert(all_capability_names[cap_setgid] == "CAP_SETGID" && cap_setgid == CAP_SETGID);
static_assert(all_capability_names[cap_setuid] == "CAP_SETUID" && cap_setuid == CAP_SETUID);
static_assert(all_capability_names[cap_setpcap] == "CAP_SETPCAP" && cap_setpcap == CAP_SETPCAP);
static_assert(all_capability_names[CAP_CHECKPOINT_RESTORE] == "CAP_CHECKPOINT_RESTORE");

using KernelSets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

CapabilitySet joined(std::uint32_t low, std::uint32_t high) { return CapabilitySet{high} << 32 | low; }

}  // namespace

int get_capabilities(CapabilitySets& sets) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  KernelSets kernel{};
  if (syscall(SYS_capget, &header, kernel.data()) != 0) return errno;
  sets.effective = joined(kernel[0].effective, kernel[1].effective);
  sets.permitted = joined(kernel[0].permitted, kernel[1].permitted);
  sets.inheritable = joined(kernel[0].inheritable, kernel[1].inheritable);
  return 0;
}

int set_capabilities(const CapabilitySets& sets) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  KernelSets kernel{};
  for (unsigned word = 0; word < kernel.size(); ++word) {
    kernel[word].effective = static_cast<std::uint32_t>(sets.effective >> 32 * word);
    kernel[word].permitted = static_cast<std::uint32_t>(sets.permitted >> 32 * word);
    kernel[word].inheritable = static_cast<std::uint32_t>(sets.inheritable >> 32 * word);
  }
  return syscall(SYS_capset, &header, kernel.data()) != 0 ? errno : 0;
}

int clear_ambient() {
  // EINVAL: a kernel before 4.3, which has no such set.
  return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL ? errno : 0;
}

int raise_ambient(CapabilitySet kept) {
  for (unsigned number = 0; number <= highest; ++number) {
    if ((kept & capability(number)) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0) return errno;
  }
  return 0;
}

int bound_capabilities(CapabilitySet kept) {
  for (unsigned number = 0; number <= highest; ++number) {
    if ((kept & capability(number)) != 0) continue;
    // 0: not in the set; -1: the kernel has no such capability.
    if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) != 1) continue;
    if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) return errno;
  }
  return 0;
}

std::string_view capability_name(unsigned number) {
  return number < all_capability_names.size() ? all_capability_names[number] : std::string_view("an unknown capability");
}

std::string capability_names(CapabilitySet set) {
  std::string text;
  for (unsigned number = 0; number <= highest; ++number) {
    if ((set & capability(number)) == 0) continue;
    if (!text.empty()) text += ' ';
    text += capability_name(number);
  }
  return text;
}

}  // namespace hcrc

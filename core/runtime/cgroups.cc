#include "core/runtime/cgroups.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <initializer_list>

#include "core/graph.h"
#include "core/runtime/own_cgroup.h"
#include "core/runtime/proc_listing.h"
#include "core/runtime/raw_fork.h"
#include "core/runtime/signal_surely.h"
#include "core/system/same_file.h"
#include "core/text.h"
#include "core/units.h"

namespace hcrc {

namespace {

constexpr std::string_view tree_prefix = "hcrc-";
constexpr std::string_view service_suffix = ".service";  // no file of the kernel ends so
constexpr const char* runtime_group = "runtime";

constexpr std::array<std::string_view, 3> controller_names = {"memory", "cpu", "pids"};

// In the same order.
std::array<std::uint64_t, 3> wanted_limits(const format::ServiceRecord& service) {
  return {service.memory_max, service.cpu_max_quota_us, service.pids_max};
}

// A second tree of the same number is that of another PID namespace.
constexpr int trees_of_a_number = 64;

// A path below a folder, NUL-terminated. Names are bounded: it always fits.
class Below {
 public:
  explicit Below(std::initializer_list<std::string_view> parts) {
    TextWriter text({bytes_.data(), bytes_.size() - 1});
    for (const std::string_view part : parts) text.put(part);
  }
  const char* get() const { return bytes_.data(); }

 private:
  std::array<char, 160> bytes_{};
};

// One write, as the files of cgroups want it; the errno, 0 where it went well.
int write_file(int folder, const char* name, std::string_view text) {
  const Descriptor file(openat(folder, name, O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  ssize_t written = -1;
  do {
    written = write(file.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(text.size()) ? 0 : written < 0 ? errno : EIO;
}

std::string_view read_file(int folder, const char* name, std::span<char> bytes) {
  const Descriptor file(openat(folder, name, O_RDONLY | O_CLOEXEC));
  const ssize_t got = file ? read(file.get(), bytes.data(), bytes.size()) : -1;
  return {bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

bool is_populated(int folder, const char* events) {
  std::array<char, 256> bytes;
  return read_file(folder, events, bytes).find("populated 1") != std::string_view::npos;
}

int move_here(int folder, const char* group_procs, pid_t pid) {
  std::array<char, 24> digits;
  TextWriter text(digits);
  return write_file(folder, group_procs, text.number(pid).view());
}

Descriptor folder_at(int folder, const char* name) {
  return Descriptor(openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

// The group and all below it, as far as they are empty; whether it is gone. Only who made groups in his own group has deep
// ones.
bool remove_group(int folder, const char* name, int depth = 0) {
  constexpr int deepest = 8;
  if (unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  if (errno != EBUSY || depth == deepest) return false;
  const Descriptor group = folder_at(folder, name);
  if (!group || is_populated(group.get(), "cgroup.events")) return false;
  FolderListing listing;
  if (!listing.open(Below({"/proc/self/fd/", std::to_string(group.get())}).get())) return false;
  for (std::string_view entry = listing.next(); !entry.empty(); entry = listing.next()) {
    struct stat facts{};
    if (entry.starts_with('.') || fstatat(group.get(), entry.data(), &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(facts.st_mode)) remove_group(group.get(), entry.data(), depth + 1);
  }
  return unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

// Calls `each` with every process of the group itself that can be seen from here.
template <typename Each>
bool each_process(int folder, const char* group_procs, Each each) {
  const Descriptor file(openat(folder, group_procs, O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  std::array<char, 4096> bytes;
  pid_t pid = 0;
  bool any = false;
  for (ssize_t got = read(file.get(), bytes.data(), bytes.size()); got > 0;
       got = read(file.get(), bytes.data(), bytes.size())) {
    for (const char c : std::string_view(bytes.data(), static_cast<std::size_t>(got))) {
      if (c != '\n') {
        pid = pid * 10 + (c - '0');
        continue;
      }
      // Of a process outside of our PID namespace it says 0.
      if (pid > 1 && pid != getpid()) any = each(pid) || any;
      pid = 0;
    }
  }
  return any;
}

enum class Part : bool { any, end };

// Whether the path of the process's group, by what /proc says of it, has this in it: "0::/.../hcrc-1/NAME.service".
bool is_in(pid_t pid, Part part, std::string_view path_part) {
  std::array<char, PATH_MAX> bytes;
  std::string_view text = proc_file(pid, "/cgroup", bytes);
  while (!text.empty()) {
    const std::string_view line = take_until('\n', text);
    if (!line.starts_with("0::")) continue;
    return part == Part::end ? line.ends_with(path_part) : line.find(path_part) != std::string_view::npos;
  }
  return false;
}

}  // namespace

void Cgroups::open() {
  const auto own = unified_cgroup(kernel_file("/proc/self/cgroup"), kernel_file("/proc/self/mountinfo"));
  if (!own) return;
  own_ = own->folder;
  own_folder_ = folder_at(AT_FDCWD, own_.c_str());
  if (!own_folder_ || !take_tree()) {
    refused_ = errno;
    return;
  }
  remove_dead_trees();
  // What was killed in its own group before its time is nothing to a new one.
  if (!children_live()) leave_own_group({});
  changes_.reset(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
}

// Makes it, or takes that of a dead runtime that had the same number.
bool Cgroups::take_tree() {
  for (int i = 0; i < trees_of_a_number; ++i) {
    std::string name = std::string(tree_prefix) + std::to_string(getpid());
    if (i > 0) name += "." + std::to_string(i);
    const bool made = mkdirat(own_folder_.get(), name.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) return false;
    Descriptor tree = folder_at(own_folder_.get(), name.c_str());
    // Where nothing can be locked nobody takes what another has made.
    const bool locked = tree && (flock(tree.get(), LOCK_EX | LOCK_NB) == 0 || (made && errno != EWOULDBLOCK));
    // One that cleans up may have taken it for a dead one's before it was locked.
    if (!locked || !still_names(own_folder_.get(), name.c_str(), tree.get())) continue;
    if (is_populated(tree.get(), "cgroup.events")) continue;
    tree_ = std::move(tree);
    path_ = own_ + "/" + name + "/";
    remove_others(nullptr, nullptr);
    return true;
  }
  errno = EEXIST;
  return false;
}

void Cgroups::remove_dead_trees() const {
  FolderListing listing;
  if (!listing.open(own_.c_str())) return;
  for (std::string_view entry = listing.next(); !entry.empty(); entry = listing.next()) {
    // Our own is locked, too.
    if (!entry.starts_with(tree_prefix)) continue;
    const Descriptor tree = folder_at(own_folder_.get(), entry.data());
    if (tree && flock(tree.get(), LOCK_EX | LOCK_NB) == 0) remove_group(own_folder_.get(), entry.data());
  }
}

std::uint64_t Cgroups::inode() const {
  struct stat facts{};
  return usable() && fstat(tree_.get(), &facts) == 0 ? facts.st_ino : 0;
}

void Cgroups::prepare_limits(const Database& database, std::span<const pid_t> others) {
  if (!usable()) return;
  for (std::size_t i = 0; i < controllers; ++i) {
    if (reasons_[i] == 0) continue;
    bool wanted = false;
    for (std::uint32_t service = 0; service < database.size() && !wanted; ++service) {
      wanted = wanted_limits(database.service(service))[i] != Resources::none;
    }
    if (!wanted) continue;
    reasons_[i] = leave_own_group(others) ? enable(static_cast<Controller>(i)) : errno;
  }
}

bool Cgroups::leave_own_group(std::span<const pid_t> others) {
  if (mkdirat(tree_.get(), runtime_group, 0755) != 0 && errno != EEXIST) return false;
  const Below procs({runtime_group, "/cgroup.procs"});
  if (!moved_) {
    if (const int error = move_here(tree_.get(), procs.get(), getpid()); error != 0) {
      errno = error;
      return false;
    }
    moved_ = true;
  }
  // One that has ended meanwhile is nobody to be moved.
  for (const pid_t pid : others) {
    if (!is_in(pid, Part::any, path_of_tree())) move_here(tree_.get(), procs.get(), pid);
  }
  return true;
}

int Cgroups::enable(Controller controller) const {
  const std::string_view name = controller_names[static_cast<std::size_t>(controller)];
  std::array<char, 512> bytes;
  std::string_view available = read_file(own_folder_.get(), "cgroup.controllers", bytes);
  bool there = false;
  while (!available.empty() && !there) {
    std::string_view line = take_until('\n', available);
    while (!line.empty() && !there) there = take_until(' ', line) == name;
  }
  if (!there) return not_there;
  std::array<char, 16> text;
  const std::string_view with = TextWriter(text).put('+').put(name).view();
  for (const int folder : {own_folder_.get(), tree_.get()}) {
    if (const int error = write_file(folder, "cgroup.subtree_control", with); error != 0) return error;
  }
  return 0;
}

Descriptor Cgroups::group(std::string_view service) const {
  if (!usable()) {
    errno = refused_;
    return {};
  }
  const Below name({service, service_suffix});
  if (mkdirat(tree_.get(), name.get(), 0755) != 0 && errno != EEXIST) return {};
  return folder_at(tree_.get(), name.get());
}

void Cgroups::write_reason(Controller controller, TextWriter& why) const {
  const auto index = static_cast<std::size_t>(controller);
  if (!usable()) {
    if (refused_ == 0) {
      why.put("no cgroup v2 is mounted");
    } else {
      why.put("no cgroup can be made in ").put(own_).put(": ").put(std::strerror(refused_));
    }
  } else if (reasons_[index] == not_there || reasons_[index] == not_asked) {
    why.put("the cgroup of this runtime has no controller \"").put(controller_names[index]).put('"');
  } else if (reasons_[index] == EBUSY) {
    why.put("the cgroup of this runtime, ").put(own_).put(", holds processes that are not its own");
  } else {
    why.put("cgroup.subtree_control of ").put(own_).put(": ").put(std::strerror(reasons_[index]));
  }
}

bool Cgroups::limit(const Descriptor& group, const format::ServiceRecord& service, TextWriter& why) const {
  bool all = true;
  const auto set = [&](Controller controller, const char* file, std::uint64_t wanted, auto put_value, auto put_shown) {
    std::array<char, 48> bytes;
    TextWriter value(bytes);
    if (wanted == Resources::none) {
      value.put("max");
    } else {
      put_value(value);
    }
    const bool possible = usable() && reasons_[static_cast<std::size_t>(controller)] == 0;
    const int error = possible && group ? write_file(group.get(), file, value.view()) : -1;
    if (error == 0 || wanted == Resources::none) return;
    why.put(all ? "" : "; ").put(controller_names[static_cast<std::size_t>(controller)]).put("-max ");
    put_shown(why);
    why.put(": ");
    all = false;
    if (error > 0) {
      why.put(std::strerror(error));
    } else if (possible) {
      why.put("its cgroup cannot be made");
    } else {
      write_reason(controller, why);
    }
  };
  const CpuShare share{.quota_us = service.cpu_max_quota_us, .period_us = service.cpu_max_period_us};
  const auto memory = [&](TextWriter& text) { text.number(service.memory_max); };
  const auto processes = [&](TextWriter& text) { text.number(service.pids_max); };
  set(Controller::memory, "memory.max", service.memory_max, memory,
      [&](TextWriter& text) { put_size(text, service.memory_max); });
  set(
      Controller::cpu, "cpu.max", service.cpu_max_quota_us,
      [&](TextWriter& text) { text.number(share.quota_us).put(' ').number(share.period_us); },
      [&](TextWriter& text) { put_cpu_share(text, share); });
  set(Controller::pids, "pids.max", service.pids_max, processes, processes);
  if (all && service.resources_required != 0 && !group) {
    write_reason(Controller::memory, why.put("required: "));
    return false;
  }
  return all;
}

// "/hcrc-1/".
std::string_view Cgroups::path_of_tree() const { return std::string_view(path_).substr(path_.rfind('/', path_.size() - 2)); }

bool Cgroups::populated(std::string_view service) const {
  return usable() && is_populated(tree_.get(), Below({service, service_suffix, "/cgroup.events"}).get());
}

void Cgroups::signal(std::string_view service, int signal, pid_t session) const {
  if (!usable()) return;
  const Below killing({service, service_suffix, "/cgroup.kill"});
  const Below procs({service, service_suffix, "/cgroup.procs"});
  if (signal == SIGKILL) {
    const int error = write_file(tree_.get(), killing.get(), "1");
    // Before Linux 5.14 there is no such file.
    if (error == 0 || !is_populated(tree_.get(), Below({service, service_suffix, "/cgroup.events"}).get())) return;
  }
  const Below end_of_path({path_of_tree(), service, service_suffix});
  for (int walk = 0; walk < (signal == SIGKILL ? walks_at_most : 1); ++walk) {
    const bool any = each_process(tree_.get(), procs.get(), [&](pid_t pid) {
      if (signal != SIGKILL && (getsid(pid) == session || getpgid(pid) == session)) return false;
      return signal_surely(pid, signal, [&] { return is_in(pid, Part::end, end_of_path.get()); });
    });
    if (!any) return;
  }
}

void Cgroups::ask(std::string_view service) const {
  if (!usable() || !changes_) return;
  std::array<char, PATH_MAX> path{};
  TextWriter(std::span(path).first(path.size() - 1)).put(path_).put(service).put(service_suffix).put("/cgroup.events");
  inotify_add_watch(changes_.get(), path.data(), IN_MODIFY | IN_ONESHOT);
}

void Cgroups::take_changes() const {
  alignas(inotify_event) std::array<char, 4096> bytes;
  while (read(changes_.get(), bytes.data(), bytes.size()) > 0) {
  }
}

// Whether a child lives that is made in a new group: see remove().
bool Cgroups::children_live() const {
  constexpr std::string_view name = "runtime";
  const Descriptor group = this->group(name);
  const pid_t child = group ? raw_fork(group.get()) : -1;
  if (child == 0) _exit(0);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  remove(name);
  return !WIFSIGNALED(status);
}

bool Cgroups::remove(std::string_view service) const {
  return usable() && remove_group(tree_.get(), Below({service, service_suffix}).get());
}

void Cgroups::remove_others(bool (*is_one)(const void* context, std::string_view service), const void* context) const {
  FolderListing listing;
  if (!usable() || !listing.open(path_.c_str())) return;
  for (std::string_view entry = listing.next(); !entry.empty(); entry = listing.next()) {
    if (!entry.ends_with(service_suffix)) continue;
    const std::string_view service = entry.substr(0, entry.size() - service_suffix.size());
    if (is_one == nullptr || !is_one(context, service)) remove_group(tree_.get(), entry.data());
  }
}

void Cgroups::close() {
  if (!usable()) return;
  remove_others(nullptr, nullptr);
  if (moved_) {
    for (std::size_t i = 0; i < controllers; ++i) {
      if (reasons_[i] != 0) continue;
      std::array<char, 16> text;
      const std::string_view without = TextWriter(text).put('-').put(controller_names[i]).view();
      for (const int folder : {tree_.get(), own_folder_.get()}) write_file(folder, "cgroup.subtree_control", without);
    }
    move_here(own_folder_.get(), "cgroup.procs", getpid());
    unlinkat(tree_.get(), runtime_group, AT_REMOVEDIR);
  }
  unlinkat(AT_FDCWD, path_.c_str(), AT_REMOVEDIR);
  tree_.reset();
}

int join_cgroup(int folder) { return write_file(folder, "cgroup.procs", "0"); }

bool anything_in_cgroup(const std::string& folder) { return is_populated(AT_FDCWD, (folder + "cgroup.events").c_str()); }

bool kill_cgroup(const std::string& folder) { return write_file(AT_FDCWD, (folder + "cgroup.kill").c_str(), "1") == 0; }

bool in_cgroup(const std::string& folder) {
  const auto own = unified_cgroup(kernel_file("/proc/self/cgroup"), kernel_file("/proc/self/mountinfo"));
  return !own || (own->folder + "/").starts_with(folder);
}

}  // namespace hcrc

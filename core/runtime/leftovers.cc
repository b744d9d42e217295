#include "core/runtime/leftovers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>

#include "core/runtime/proc_listing.h"
#include "core/runtime/process_tree.h"
#include "core/runtime/signal_surely.h"
#include "core/system/descriptor.h"
#include "core/text.h"

namespace hcrc {

namespace {

bool there_is(pid_t pid) { return kill(pid, 0) == 0 || errno == EPERM; }

bool group_exists(pid_t group) { return there_is(-group); }

// Whether it is a child of ours that has ended and waits for being reaped: one call, where /proc/PID/stat takes three; of
// thousands of dead orphans that counts. What is no child of ours, or has a living thread, is not one.
bool is_dead_child(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

bool belongs(pid_t pid, pid_t session) { return getsid(pid) == session || getpgid(pid) == session; }

// One walk over the members of the session outside its group; whether there was a living one.
bool signal_outside_group(pid_t session, int signal) {
  ProcListing processes;
  if (!processes.open()) return false;
  bool found = false;
  for (pid_t pid = processes.next(); pid != 0; pid = processes.next()) {
    const auto outside = [pid, session] { return getsid(pid) == session && getpgid(pid) != session; };
    if (!outside() || is_dead_child(pid)) continue;
    const auto stat = stat_of(pid);
    if (!stat || !stat->alive) continue;
    found = true;
    signal_surely(pid, signal, outside);
    // Of SIGKILL everything in a group gets its own at one stroke, however fast it forks. Groups do not reach over sessions.
    if (signal == SIGKILL && stat->session == session && stat->group > 1) kill(-stat->group, SIGKILL);
  }
  return found;
}

// The one that is kept open, or else `own`.
ChildListing& listing_of(KnownChildren known, ChildListing& own) { return known.listing != nullptr ? *known.listing : own; }

// Whether there is a child that is not known; true where that cannot be seen.
bool may_have_orphans(KnownChildren known) {
  ChildListing own;
  ChildListing& children = listing_of(known, own);
  if (!children.open()) return true;
  for (pid_t child = children.next(); child != 0; child = children.next()) {
    if (known.knows == nullptr || !known.knows(known.context, child)) return true;
  }
  return false;
}

}  // namespace

bool any_left(pid_t session, KnownChildren known) {
  if (session <= 1) return false;
  if (known.numbers != nullptr && known.numbers->surely_free(session)) return false;
  if (there_is(session)) return false;
  if (!may_have_orphans(known)) return false;
  ProcListing processes;
  if (!processes.open()) return group_exists(session);
  for (pid_t pid = processes.next(); pid != 0; pid = processes.next()) {
    if (!belongs(pid, session) || is_dead_child(pid)) continue;
    const auto stat = stat_of(pid);
    if (stat && stat->alive) return true;
  }
  return false;
}

void signal_left(pid_t session, int signal, Leader leader) {
  if (session <= 1) return;
  if (leader == Leader::reaped && there_is(session)) return;
  kill(-session, signal);
  const int walks = signal == SIGKILL ? walks_at_most : 1;
  for (int walk = 0; walk < walks; ++walk) {
    if (!signal_outside_group(session, signal)) return;
  }
}

namespace {

// Whether it lives and is not owned.
bool is_orphan(pid_t pid, std::span<const pid_t> spared) {
  for (const pid_t number : {pid, getsid(pid), getpgid(pid)}) {
    if (std::ranges::find(spared, number) != spared.end()) return false;
  }
  if (is_dead_child(pid)) return false;
  const auto stat = stat_of(pid);
  return stat && stat->alive && !stat->kernel;
}

// Whether there is a living process that is not owned. Whoever it descends from is not owned either: as the runtime's own
// child, as what came in from outside, or as what such a one has made.
bool any_orphan(std::span<const pid_t> spared) {
  ChildListing children;
  const bool listed = children.open();
  if (listed) {
    for (pid_t pid = children.next(); pid != 0; pid = children.next()) {
      if (is_orphan(pid, spared)) return true;
    }
  }
  const pid_t self = getpid();
  if (listed && self != 1) return false;
  ProcListing processes;
  if (!processes.open()) return false;
  for (pid_t pid = processes.next(); pid != 0; pid = processes.next()) {
    const auto from_outside_or_ours = [pid, self] {
      const auto stat = stat_of(pid);
      return stat && (stat->parent == self || (self == 1 && stat->parent == 0));
    };
    if (pid != self && is_orphan(pid, spared) && from_outside_or_ours()) return true;
  }
  return false;
}

FixedText<bounds::orphan_name_bytes> name_of(pid_t pid) {
  std::array<char, bounds::orphan_name_bytes + 1> name;
  std::string_view text = proc_file(pid, "/comm", name);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

// Whether the process has this very file open. Descriptors of other names are not looked at: their files may lie on a mount
// that does not answer.
bool has_open(pid_t pid, const struct stat& file, std::string_view name_of_file) {
  std::array<char, 48> path{};
  TextWriter(std::span(path).first(path.size() - 1)).put("/proc/").number(pid).put("/fd");
  FolderListing descriptors;
  if (!descriptors.open(path.data())) return false;
  for (std::string_view entry = descriptors.next(); !entry.empty(); entry = descriptors.next()) {
    std::array<char, PATH_MAX> name;
    const ssize_t length = readlinkat(descriptors.fd(), entry.data(), name.data(), name.size());
    if (length <= 0 || std::string_view(name.data(), static_cast<std::size_t>(length)) != name_of_file) continue;
    struct stat facts{};
    if (fstatat(descriptors.fd(), entry.data(), &facts, 0) == 0 && facts.st_dev == file.st_dev &&
        facts.st_ino == file.st_ino) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::size_t signal_orphans(std::span<const pid_t> spared, int signal) {
  if (signal == 0) return any_orphan(spared) ? 1 : 0;
  const pid_t self = getpid();
  const ProcessTree tree(self, self == 1 ? ProcessTree::Below::everything : ProcessTree::Below::descendants, spared);
  std::size_t count = 0;
  tree.each_orphan([&](pid_t pid, pid_t session) {
    ++count;
    signal_surely(pid, signal, [pid, session] { return getsid(pid) == session; });
  });
  return count;
}

std::size_t list_orphans(KnownChildren known, std::span<const pid_t> spared, std::span<Orphan> out) {
  ChildListing own;
  ChildListing& children = listing_of(known, own);
  if (!children.open()) return 0;
  std::size_t count = 0;
  for (pid_t pid = children.next(); pid != 0 && count < out.size(); pid = children.next()) {
    if (known.knows != nullptr && known.knows(known.context, pid)) continue;
    if (is_orphan(pid, spared)) out[count++] = {.pid = pid, .name = name_of(pid)};
  }
  return count;
}

std::size_t kill_orphans_that_hold(int file, pid_t runtime, std::span<const pid_t> spared) {
  struct stat facts{};
  std::array<char, 48> path{};
  TextWriter(std::span(path).first(path.size() - 1)).put("/proc/self/fd/").number(file);
  std::array<char, PATH_MAX> name;
  const ssize_t length = readlink(path.data(), name.data(), name.size());
  if (length <= 0 || fstat(file, &facts) != 0) return 0;
  const std::string_view name_of_file(name.data(), static_cast<std::size_t>(length));
  const ProcessTree tree(runtime, ProcessTree::Below::descendants, spared);
  std::size_t count = 0;
  tree.each_orphan([&](pid_t pid, pid_t) {
    if (pid != getpid() && signal_surely(pid, SIGKILL, [&] { return has_open(pid, facts, name_of_file); })) ++count;
  });
  return count;
}

}  // namespace hcrc

// A cgroup of version 2 for each service, where the runtime may make some (cgroups(7); the kernel's
// Documentation/admin-guide/cgroup-v2.rst). It holds the service's own process and all that this starts, whatever session
// they go to, so nothing of it is ever out of sight; and it carries the limits of [resources].
//
//   OWN                         the runtime's own group, given to it by whoever started it
//   OWN/hcrc-PID                its tree: locked (flock(2)) while the runtime lives, so that what a dead one left is known
//   OWN/hcrc-PID/NAME.service   a service
//   OWN/hcrc-PID/runtime        the runtime and all that belongs to no service, once there are limits: a group with limits
//                               below it may hold no process itself
//
// Nothing is asked of whoever started the runtime: without a group that it may write in, everything goes on by session and
// process group. All calls are to the kernel's memory. Allocates nothing after open() and prepare_limits().
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/database.h"
#include "core/system/descriptor.h"
#include "core/text.h"

namespace hcrc {

class Cgroups {
 public:
  // Finds the runtime's own group and makes its tree there; takes away what dead runtimes left of theirs, as far as it is
  // empty.
  void open();
  bool usable() const { return static_cast<bool>(tree_); }
  // The tree's folder, with a slash at its end, and its inode.
  std::string_view folder() const { return path_; }
  std::uint64_t inode() const;

  // Makes it possible to set the limits that services of `database` have. This process and those of `others`,
  // its children, that are in no service's group move to a group of their own. What cannot be had is told by limit(), to
  // each service that wants it.
  void prepare_limits(const Database& database, std::span<const pid_t> others);

  // The group of a service, which is made where there is none; no descriptor, with errno set, where it cannot be had.
  Descriptor group(std::string_view service) const;

  // Sets the limits of [resources], and lifts those that are not in it. True where all are in force; else `why` says what is
  // not: "memory-max 512M: no cgroup v2 is mounted".
  [[nodiscard]] bool limit(const Descriptor& group, const format::ServiceRecord& service, TextWriter& why) const;

  // Whether anything lives in the service's group, or below it.
  bool populated(std::string_view service) const;

  // SIGKILL to all of the service's group, and below, at one stroke. Any other signal to each process of the group, but for
  // those of the session or process group `session`, who are signalled by these.
  void signal(std::string_view service, int signal, pid_t session) const;

  // Readable as soon as a group that was asked for has become empty, or not; -1 where there is no such descriptor.
  int changes() const { return changes_.get(); }
  // Asks once for the service's group. After the answer it is asked for again.
  void ask(std::string_view service) const;
  void take_changes() const;

  // Takes a service's group away, if it is empty: the next one is new. Whether there is none now. A group of which something
  // was killed is of no use to a spawn: the kernel ends a child that is made in a group with another count of kills
  // (cgroup.kill) than its parent's, because it takes the child for one that was forked during a kill.
  bool remove(std::string_view service) const;

  // Takes away the groups of services that `is_one` does not know (null: of all), as far as they are empty.
  void remove_others(bool (*is_one)(const void* context, std::string_view service), const void* context) const;

  // Takes the tree away, and leaves the own group as it was. For a runtime whose group lives on when it ends.
  void close();

 private:
  enum class Controller : std::uint8_t { memory, cpu, pids };
  static constexpr std::size_t controllers = 3;

  // Why a controller cannot be used: an errno, or one of these.
  static constexpr int not_asked = -1;
  static constexpr int not_there = -2;

  bool take_tree();
  void remove_dead_trees() const;
  bool leave_own_group(std::span<const pid_t> others);
  bool children_live() const;
  std::string_view path_of_tree() const;
  int enable(Controller controller) const;
  void write_reason(Controller controller, TextWriter& why) const;

  std::string own_;   // a folder
  std::string path_;  // of the tree in it, with a slash at its end
  Descriptor own_folder_;
  Descriptor tree_;
  Descriptor changes_;
  int refused_ = 0;     // why there is no tree: an errno; 0: no cgroup v2 is mounted
  bool moved_ = false;  // to the group `runtime`
  std::array<int, controllers> reasons_ = {not_asked, not_asked, not_asked};  // 0: it can be used
};

// The slow way into a group: this process, which is there already, moves. The errno; 0: it has.
[[nodiscard]] int join_cgroup(int folder);
// Whether anything lives in the group with this folder, or below it.
bool anything_in_cgroup(const std::string& folder);
// SIGKILL to all of it; false: it cannot be done.
[[nodiscard]] bool kill_cgroup(const std::string& folder);
// Whether this process is in it, or below it.
bool in_cgroup(const std::string& folder);

}  // namespace hcrc

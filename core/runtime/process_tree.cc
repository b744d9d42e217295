#include "core/runtime/process_tree.h"

#include <algorithm>

#include "core/runtime/proc_listing.h"

namespace hcrc {

ProcessTree::ProcessTree(pid_t root, Below below, std::span<const pid_t> spared) : root_(root), below_(below) {
  spared_.reset(static_cast<pid_t*>(std::malloc((spared.size() + 1) * sizeof(pid_t))));
  // Without knowing who is owned nobody is taken for an orphan.
  if (!spared_) return;
  spared_count_ = spared.size();
  std::ranges::copy(spared, spared_.get());
  std::sort(spared_.get(), spared_.get() + spared_count_);
  look();
  for (std::size_t i = 0; i < count_; ++i) judge(i);
}

void ProcessTree::look() {
  ProcListing processes;
  if (!processes.open()) return;
  std::size_t room = 0;
  for (pid_t pid = processes.next(); pid != 0; pid = processes.next()) {
    const auto stat = stat_of(pid);
    if (!stat) continue;
    if (count_ == room) {
      const std::size_t more = room == 0 ? 1024 : 2 * room;
      void* grown = std::realloc(entries_.get(), more * sizeof(Entry));
      if (grown == nullptr) break;
      [[maybe_unused]] Entry* old = entries_.release();
      entries_.reset(static_cast<Entry*>(grown));
      room = more;
    }
    const bool never = stat->kernel || pid == root_;
    entries_.get()[count_++] = {.pid = pid,
                                .parent = stat->parent,
                                .session = stat->session,
                                .group = stat->group,
                                .owner = never ? Owner::not_below : Owner::unknown,
                                .alive = stat->alive};
  }
  // It comes sorted; a kernel that does it otherwise is no reason to find nobody.
  Entry* begin = entries_.get();
  const auto by_pid = [](const Entry& a, const Entry& b) { return a.pid < b.pid; };
  if (!std::is_sorted(begin, begin + count_, by_pid)) std::sort(begin, begin + count_, by_pid);
}

ProcessTree::Entry* ProcessTree::find(pid_t pid) const {
  Entry* end = entries_.get() + count_;
  Entry* found =
      std::lower_bound(entries_.get(), end, pid, [](const Entry& entry, pid_t wanted) { return entry.pid < wanted; });
  return found != end && found->pid == pid ? found : nullptr;
}

bool ProcessTree::spared(const Entry& entry) const {
  const std::span<const pid_t> list(spared_.get(), spared_count_);
  return std::ranges::binary_search(list, entry.pid) || std::ranges::binary_search(list, entry.session) ||
         std::ranges::binary_search(list, entry.group);
}

// Goes up until somebody is known, then tells all on the way: every process is asked once.
void ProcessTree::judge(std::size_t index) {
  Entry* const first = entries_.get() + index;
  Owner owner = Owner::unknown;
  for (Entry* entry = first; owner == Owner::unknown;) {
    if (entry->owner == Owner::asked) {
      owner = Owner::not_below;  // a number that was given anew while we looked has made a circle
    } else if (entry->owner != Owner::unknown) {
      // Where everything is meant, what an outsider has made is nobody's as he is; the kernel's helpers are let be.
      owner = entry->owner;
    } else if (spared(*entry)) {
      owner = Owner::somebody;
    } else if (entry->parent == root_) {
      owner = Owner::nobody;
    } else {
      entry->owner = Owner::asked;
      Entry* const parent = find(entry->parent);
      if (parent != nullptr) {
        entry = parent;
      } else {
        owner = below_ == Below::everything ? Owner::nobody : Owner::not_below;
      }
    }
  }
  for (Entry* entry = first; entry != nullptr; entry = find(entry->parent)) {
    if (entry->owner != Owner::asked && entry->owner != Owner::unknown) break;
    entry->owner = owner;
  }
}

}  // namespace hcrc

// Which process is whose: every child that the runtime has made and not reaped yet, by pid. What is not in here is nobody's:
// it is reaped and never signalled by number.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <vector>

#include "core/event.h"

namespace hcrc {

// What a child of the runtime is to the service in its slot.
// `reader` reads a database for an update, and `drain` what is left in a pipe; they belong to no service.
enum class ChildKind : std::uint8_t { main, helper, probe, lock_waiter, copier, reader, drain };

struct Child {
  pid_t pid = 0;
  Slot slot = 0;
  Run run = 0;
  ChildKind kind = ChildKind::main;
};

// Linear probing over a table that is at most three quarters full; removal closes the gap, so there are no tombstones and
// look-ups stay short however long the node lives. Allocates at construction and by make_room() only.
class ProcessTable {
 public:
  // At most `children` at once.
  explicit ProcessTable(std::size_t children);

  // Room for more; allocates.
  void make_room(std::size_t children);

  [[nodiscard]] bool add(const Child& child);  // false: the table is full
  std::optional<Child> find(pid_t pid) const;
  void remove(pid_t pid);
  // The child becomes something else to its service.
  void change(pid_t pid, ChildKind kind);
  std::size_t size() const { return size_; }

  template <typename Each>
  void each(Each each_child) const {
    for (const Child& child : places_) {
      if (child.pid != 0) each_child(child);
    }
  }

 private:
  std::size_t home(pid_t pid) const { return (static_cast<std::uint32_t>(pid) * 2654435761u) & (places_.size() - 1); }
  std::size_t place_of(pid_t pid) const;  // where it is, or the empty place where it would go

  std::pmr::vector<Child> places_;  // a power of two
  std::size_t most_;
  std::size_t size_ = 0;
};

}  // namespace hcrc

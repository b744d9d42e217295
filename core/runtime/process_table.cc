#include "core/runtime/process_table.h"

#include <bit>
#include <utility>

#include "core/runtime/fork_memory.h"

namespace hcrc {

ProcessTable::ProcessTable(std::size_t children)
    : places_(std::bit_ceil(children + children / 3 + 2), &own_memory()), most_(children) {}

void ProcessTable::make_room(std::size_t children) {
  if (children <= most_) return;
  ProcessTable larger(children);
  each([&larger](const Child& child) { [[maybe_unused]] const bool added = larger.add(child); });
  *this = std::move(larger);
}

std::size_t ProcessTable::place_of(pid_t pid) const {
  std::size_t place = home(pid);
  while (places_[place].pid != 0 && places_[place].pid != pid) place = (place + 1) & (places_.size() - 1);
  return place;
}

bool ProcessTable::add(const Child& child) {
  const std::size_t place = place_of(child.pid);
  if (places_[place].pid == 0) {
    if (size_ == most_) return false;
    ++size_;
  }
  places_[place] = child;
  return true;
}

std::optional<Child> ProcessTable::find(pid_t pid) const {
  const Child& child = places_[place_of(pid)];
  if (child.pid == 0) return std::nullopt;
  return child;
}

void ProcessTable::change(pid_t pid, ChildKind kind) {
  Child& child = places_[place_of(pid)];
  if (child.pid != 0) child.kind = kind;
}

void ProcessTable::remove(pid_t pid) {
  std::size_t gap = place_of(pid);
  if (places_[gap].pid == 0) return;
  --size_;
  const std::size_t mask = places_.size() - 1;
  for (std::size_t next = (gap + 1) & mask; places_[next].pid != 0; next = (next + 1) & mask) {
    // What would be found from its home without passing the gap stays where it is.
    const std::size_t from_home = (next - home(places_[next].pid)) & mask;
    const std::size_t from_gap = (next - gap) & mask;
    if (from_home < from_gap) continue;
    places_[gap] = places_[next];
    gap = next;
  }
  places_[gap] = Child{};
}

}  // namespace hcrc

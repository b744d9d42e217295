// Which descriptors a child has: no others than are meant for it, each under the number that is meant.
#pragma once

#include <span>
#include <vector>

namespace hcrc {

// Closes every descriptor of this process that is not in `kept` (any order, -1 is none): by close_range(2), where that is
// refused by what /proc/self/fd lists, where that is not there by trying all numbers.
void close_all_but(std::span<const int> kept);
// The same without close_range, and without /proc: for tests.
enum class CloseBy { close_range, listing, trying };
[[nodiscard]] bool close_all_but(std::span<const int> kept, CloseBy way);

struct Placement {
  int source = -1;
  int target = -1;  // -1: any number that is nobody's target
};

// Puts every source under its target's number, in whatever way the numbers overlap; a source may have several targets.
// What a target's number was is closed. A source that had to move has its new number in `source` (close-on-exec), its old
// number is left as it was. Returns 0 or an errno; then it may be done in part.
[[nodiscard]] int place(std::span<Placement> placements);

// /dev/null as descriptor; where it is missing or is none: an empty pipe's end to read from, or a descriptor that takes
// nothing to write to. -1 with errno where not even that can be had.
[[nodiscard]] int open_null_to_read();
[[nodiscard]] int open_null_to_write();

}  // namespace hcrc

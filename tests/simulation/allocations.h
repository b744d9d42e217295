// Memory that runs out when a test says so: in this program every allocation is counted.
#pragma once

namespace hcrc::simulation {

// How many allocations from now on go well; below zero: all do. What is more throws std::bad_alloc.
extern long allocations_left;

// While it lives nothing may be allocated.
class NoAllocations {
 public:
  NoAllocations() { allocations_left = 0; }
  ~NoAllocations() { allocations_left = -1; }
  NoAllocations(const NoAllocations&) = delete;
  NoAllocations& operator=(const NoAllocations&) = delete;
};

}  // namespace hcrc::simulation

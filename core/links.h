// Who depends on whom, by slot. While an update is going on two graphs count at once: a service whose run belongs to the
// graph before goes by the edges that it was started with (old links), and by those of the graph in force once that run is
// gone. A dependent's link therefore counts only while it is of the kind that the dependent goes by.
//
// Both graphs have no cycle, but they may have one together: a required b, and now b requires a. Old links that would close
// one are left out, so whatever mixture counts at a moment has none.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/event.h"
#include "core/service.h"

namespace hcrc {

class Links {
 public:
  struct Link {
    Slot service;  // the other end
    EdgeKinds kinds;
    bool old;
  };
  struct Declared {
    Slot from;
    Slot to;  // that is depended on
    EdgeKinds kinds;
    bool old;
  };

  Links() = default;
  // Linear in both. The links that are not old must have no cycle.
  Links(Slot slots, std::span<const Declared> declared);

  // What a service depends on in the graph in force, and what its run of the graph before depends on.
  std::span<const Link> dependencies(Slot slot) const { return part(dependencies_, first_[slot], first_old_[slot]); }
  std::span<const Link> old_dependencies(Slot slot) const { return part(dependencies_, first_old_[slot], first_[slot + 1]); }
  // Both kinds.
  std::span<const Link> dependents(Slot slot) const {
    return part(dependents_, first_dependent_[slot], first_dependent_[slot + 1]);
  }
  // All slots, each behind what it depends on by links of either kind.
  std::span<const Slot> order() const { return order_; }
  std::size_t size() const { return dependencies_.size(); }

 private:
  static std::span<const Link> part(const std::vector<Link>& links, std::uint32_t first, std::uint32_t end) {
    return std::span(links).subspan(first, end - first);
  }
  void put_in_order(Slot slots, std::span<const Declared> declared, std::vector<bool>& left_out);

  std::vector<Link> dependencies_;  // by the one that depends, old ones last
  std::vector<Link> dependents_;    // by the one that is depended on
  std::vector<std::uint32_t> first_;
  std::vector<std::uint32_t> first_old_;
  std::vector<std::uint32_t> first_dependent_;
  std::vector<Slot> order_;
};

}  // namespace hcrc

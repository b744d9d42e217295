#include "core/links.h"

namespace hcrc {

namespace {

// Counts of each slot become the places where its links begin; one more place at the end.
void add_up(std::vector<std::uint32_t>& counts) {
  std::uint32_t sum = 0;
  for (std::uint32_t& count : counts) {
    const std::uint32_t own = count;
    count = sum;
    sum += own;
  }
}

}  // namespace

Links::Links(Slot slots, std::span<const Declared> declared)
    : first_(slots + 1, 0), first_old_(slots, 0), first_dependent_(slots + 1, 0) {
  std::vector<bool> left_out(declared.size(), false);
  put_in_order(slots, declared, left_out);
  for (std::size_t i = 0; i < declared.size(); ++i) {
    if (left_out[i]) continue;
    ++first_[declared[i].from];
    ++first_dependent_[declared[i].to];
    if (!declared[i].old) ++first_old_[declared[i].from];
  }
  add_up(first_);
  add_up(first_dependent_);
  for (Slot slot = 0; slot < slots; ++slot) first_old_[slot] += first_[slot];
  dependencies_.resize(first_.back());
  dependents_.resize(first_dependent_.back());
  std::vector<std::uint32_t> next(first_), next_old(first_old_), next_dependent(first_dependent_);
  for (std::size_t i = 0; i < declared.size(); ++i) {
    if (left_out[i]) continue;
    const Declared& link = declared[i];
    std::uint32_t& place = (link.old ? next_old : next)[link.from];
    dependencies_[place++] = {.service = link.to, .kinds = link.kinds, .old = link.old};
    dependents_[next_dependent[link.to]++] = {.service = link.from, .kinds = link.kinds, .old = link.old};
  }
}

// Kahn's order. Where it comes to a stand there is a cycle, and at least one old link in it: one service after the other
// loses the old links that it still waits for.
void Links::put_in_order(Slot slots, std::span<const Declared> declared, std::vector<bool>& left_out) {
  std::vector<std::uint32_t> waits(slots, 0), incoming(slots + 1, 0), outgoing(slots + 1, 0);
  for (const Declared& link : declared) {
    ++waits[link.from];
    ++incoming[link.to];
    ++outgoing[link.from];
  }
  add_up(incoming);
  add_up(outgoing);
  std::vector<std::uint32_t> by_target(declared.size()), by_source(declared.size());
  std::vector<std::uint32_t> next_in(incoming), next_out(outgoing);
  for (std::uint32_t i = 0; i < declared.size(); ++i) {
    by_target[next_in[declared[i].to]++] = i;
    by_source[next_out[declared[i].from]++] = i;
  }
  std::vector<bool> placed(slots, false);
  order_.reserve(slots);
  const auto place = [&](Slot slot) {
    placed[slot] = true;
    order_.push_back(slot);
  };
  for (Slot slot = 0; slot < slots; ++slot) {
    if (waits[slot] == 0) place(slot);
  }
  Slot loser = 0;
  for (std::size_t done = 0; done < slots; ++done) {
    for (; done == order_.size(); ++loser) {
      if (placed[loser]) continue;
      for (std::uint32_t at = outgoing[loser]; at < outgoing[loser + 1]; ++at) {
        const std::uint32_t i = by_source[at];
        if (!declared[i].old || placed[declared[i].to]) continue;
        left_out[i] = true;
        --waits[loser];
      }
      if (waits[loser] == 0) place(loser);
    }
    const Slot target = order_[done];
    for (std::uint32_t at = incoming[target]; at < incoming[target + 1]; ++at) {
      const std::uint32_t i = by_target[at];
      if (!left_out[i] && --waits[declared[i].from] == 0) place(declared[i].from);
    }
  }
}

}  // namespace hcrc

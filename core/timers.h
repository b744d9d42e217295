// The deadlines of all services in one heap: the runtime and a simulation need to know the earliest one only.
//
// Every owner has a few timers of its own, each armed at most once; a place in the heap is reserved for each, so nothing is
// allocated after construction. Equal deadlines come in the order of their keys (owner, then kind), whatever the order in
// which they were armed: the same history gives the same trace.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "core/time.h"

namespace hcrc {

class Timers {
 public:
  explicit Timers(std::uint32_t keys, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : heap_(memory), position_(keys, absent, memory) {
    heap_.reserve(keys);
  }

  // Arms the timer, or moves it. `end_of_time` disarms.
  void arm(std::uint32_t key, Instant at) {
    if (at == end_of_time) return disarm(key);
    if (position_[key] == absent) {
      position_[key] = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back({at, key});
      rise(heap_.size() - 1);
      return;
    }
    heap_[position_[key]].at = at;
    rise(position_[key]);
    sink(position_[key]);
  }

  void disarm(std::uint32_t key) {
    const std::uint32_t place = position_[key];
    if (place == absent) return;
    position_[key] = absent;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (place == heap_.size()) return;
    heap_[place] = last;
    position_[last.key] = place;
    rise(place);
    sink(position_[last.key]);
  }

  bool armed(std::uint32_t key) const { return position_[key] != absent; }
  Instant at(std::uint32_t key) const { return armed(key) ? heap_[position_[key]].at : end_of_time; }
  Instant earliest() const { return heap_.empty() ? end_of_time : heap_.front().at; }

  // The key of a timer that is due, disarmed; there must be one.
  std::uint32_t take() {
    assert(!heap_.empty());
    const std::uint32_t key = heap_.front().key;
    disarm(key);
    return key;
  }

 private:
  struct Entry {
    Instant at;
    std::uint32_t key;
    bool before(const Entry& other) const { return at < other.at || (at == other.at && key < other.key); }
  };
  static constexpr std::uint32_t absent = UINT32_MAX;

  void place(std::size_t where, Entry entry) {
    heap_[where] = entry;
    position_[entry.key] = static_cast<std::uint32_t>(where);
  }

  void rise(std::size_t where) {
    const Entry entry = heap_[where];
    while (where > 0 && entry.before(heap_[(where - 1) / 2])) {
      place(where, heap_[(where - 1) / 2]);
      where = (where - 1) / 2;
    }
    place(where, entry);
  }

  void sink(std::size_t where) {
    const Entry entry = heap_[where];
    for (std::size_t child = 2 * where + 1; child < heap_.size(); child = 2 * where + 1) {
      if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) ++child;
      if (!heap_[child].before(entry)) break;
      place(where, heap_[child]);
      where = child;
    }
    place(where, entry);
  }

  std::pmr::vector<Entry> heap_;
  std::pmr::vector<std::uint32_t> position_;
};

}  // namespace hcrc

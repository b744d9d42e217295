// Random numbers that are the same on every platform for the same seed: SplitMix64 (Steele, Lea, Flood 2014). Not for
// secrets.
#pragma once

#include <cstdint>

namespace hcrc {

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
  }

  // Evenly from 0 to bound inclusive (by rejection: no bias).
  constexpr std::uint64_t upto(std::uint64_t bound) {
    if (bound == UINT64_MAX) return next();
    const std::uint64_t range = bound + 1;
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % range;
    std::uint64_t value = next();
    while (value >= limit) value = next();
    return value % range;
  }

 private:
  std::uint64_t state_;
};

}  // namespace hcrc

// The known name that a mistyped one was probably meant to be.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hcrc::compiler {

// How many letters have to be changed, added, left out or swapped with their neighbour to turn one text into the other; more
// than `most` comes back as most + 1. Letters of either case count as the same.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most);

// A set of known names. A name is near when at most one letter is wrong in a short one, two in one of up to
// eight, three in a longer one. Among
// equally near ones the first in byte order is taken, so the answer does not depend on the order of the set.
//
// The search compares with every name of about the same length. However many unknown names there are, all searches together
// make at most `comparisons`; after that nothing is near, so that hostile definitions cost no more than honest ones.
class NearestName {
 public:
  static constexpr std::size_t comparisons = 1'000'000;

  explicit NearestName(std::vector<std::string_view> names);

  // What it returns lives as long as the names that it was made of.
  std::optional<std::string_view> find(std::string_view name);

 private:
  std::vector<std::string_view> names_;  // by length, then in byte order
  std::size_t left_ = comparisons;
};

}  // namespace hcrc::compiler

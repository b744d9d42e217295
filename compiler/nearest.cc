#include "compiler/nearest.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hcrc::compiler {

namespace {

// Longer names than a service may have are near to nothing.
constexpr std::size_t longest = 140;

std::size_t most_wrong(std::size_t length) { return length <= 3 ? 1 : length <= 8 ? 2 : 3; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most) {
  if (a.size() > longest || b.size() > longest) return most + 1;
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > most) return most + 1;
  // Three rows of the usual table are enough: a swap looks two rows back.
  std::array<std::array<std::size_t, longest + 1>, 3> rows;
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i - 1) % 3];
    row[0] = i;
    std::size_t best = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t wrong = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + wrong});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
      }
      best = std::min(best, row[j]);
    }
    if (best > most) return most + 1;
  }
  return std::min(rows[a.size() % 3][b.size()], most + 1);
}

NearestName::NearestName(std::vector<std::string_view> names) : names_(std::move(names)) {
  std::ranges::sort(names_, {}, [](std::string_view name) { return std::pair(name.size(), name); });
}

std::optional<std::string_view> NearestName::find(std::string_view name) {
  std::size_t most = most_wrong(name.size());
  std::optional<std::string_view> nearest;
  const auto length = [](std::string_view known) { return known.size(); };
  auto at = std::ranges::lower_bound(names_, name.size() - std::min(name.size(), most), {}, length);
  for (; at != names_.end() && at->size() <= name.size() + most; ++at) {
    if (left_ == 0) return nearest;
    --left_;
    const std::size_t wrong = edit_distance(name, *at, most);
    // A text of a letter or two would be near to everything.
    if (wrong > most || wrong >= std::max(name.size(), at->size())) continue;
    if (!nearest || wrong < most || *at < *nearest) nearest = *at;
    most = wrong;
  }
  return nearest;
}

}  // namespace hcrc::compiler

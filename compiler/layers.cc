#include "compiler/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace hcrc::compiler {

namespace {

// A table that the user names the entries of is merged entry by entry.
bool is_open_table(const Setting& setting) {
  const ValueKind kind = row(setting.key).kind;
  const Items* items = std::get_if<Items>(&setting.value);
  if (items == nullptr) return false;
  if (kind == ValueKind::limit) return std::ranges::all_of(*items, [](const Item& item) { return !item.name.empty(); });
  return kind == ValueKind::variables || kind == ValueKind::literals;
}

void merge_items(Items& below, const Items& above) {
  // Tables are read in the order of their keys. Of equal names the first range's is taken.
  Items merged;
  std::ranges::set_union(above, below, std::back_inserter(merged), {}, &Item::name, &Item::name);
  below = std::move(merged);
}

void merge(Definition& below, Definition&& above) {
  for (Setting& setting : above.settings) {
    const auto at = std::ranges::lower_bound(below.settings, setting.key, {}, &Setting::key);
    if (at == below.settings.end() || at->key != setting.key) {
      below.settings.insert(at, std::move(setting));
    } else if (is_open_table(*at) && is_open_table(setting)) {
      merge_items(std::get<Items>(at->value), std::get<Items>(setting.value));
      at->key_place = setting.key_place;
      at->place = setting.place;
    } else {
      *at = std::move(setting);
    }
  }
  below.place = above.place;
  below.meant.insert(below.meant.end(), above.meant.begin(), above.meant.end());
  below.incomplete = below.incomplete || above.incomplete;
}

}  // namespace

Definition lay_over(std::vector<Definition> layers, Key override_key, Diagnostics& diagnostics) {
  Definition result = std::move(layers.front());
  if (const Setting* setting = result.find(override_key)) {
    diagnostics.add(Code::overrides_nothing, setting->key_place, "this overrides nothing",
                    {{fmt::format("no earlier folder has {}.toml", result.name)}});
  }
  for (std::size_t i = 1; i < layers.size(); ++i) {
    Definition& above = layers[i];
    const Setting* setting = above.find(override_key);
    const auto* how = above.value<std::int64_t>(override_key);
    // What it says, if it could be read, is not known of a file with a syntax error.
    if (above.incomplete && setting == nullptr) {
      result.incomplete = true;
      continue;
    }
    if (setting == nullptr) {
      diagnostics.add(Code::defined_twice, {.file = above.place.file, .line = 1, .column = 1},
                      fmt::format("{} is defined in an earlier folder, too", result.name),
                      {{"the earlier one is here", {.file = result.place.file, .line = 1, .column = 1}},
                       {R"(write override = "merge" to change it, or override = "replace" to take its place)"}});
    }
    if (how != nullptr && static_cast<Override>(*how) == Override::merge) {
      merge(result, std::move(above));
    } else {
      result = std::move(above);
    }
  }
  return result;
}

}  // namespace hcrc::compiler

// The nearest known name of everything that the language itself names: keys, tables, choices, signals, capabilities.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/key_table.h"
#include "compiler/nearest.h"

namespace hcrc::compiler {

class KeySuggestions {
 public:
  // Each answers a note that says what would be right.
  std::string key(bool node, std::string_view table, std::string_view name);
  std::optional<Key> nearest_key(bool node, std::string_view table, std::string_view name);
  std::string table(bool node, std::string_view name);
  std::string choice(const KeyRow& row, std::string_view name);
  std::string signal(std::string_view name);
  std::string capability(std::string_view name);

 private:
  std::optional<std::string_view> nearest(const std::string& subject, const std::vector<std::string_view>& names,
                                          std::string_view name);

  // By what the names are, so that all searches of a run share one bound.
  std::map<std::string, NearestName, std::less<>> nearest_;
};

}  // namespace hcrc::compiler

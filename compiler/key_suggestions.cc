#include "compiler/key_suggestions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/capability_names.h"
#include "core/service.h"

namespace hcrc::compiler {

namespace {

std::string did_you_mean(std::string_view name) { return fmt::format("did you mean \"{}\"?", name); }

// Where another file or table has a key of this name.
std::optional<std::string> at_home_elsewhere(bool node, std::string_view table, std::string_view name) {
  const auto found = std::ranges::find_if(key_table(), [&](const KeyRow& row) {
    return row.name == name && !(row.definitions.node() == node && row.table == table);
  });
  if (found == key_table().end()) return std::nullopt;
  if (found->definitions.node() != node) {
    return node ? fmt::format("\"{}\" belongs to the definition of a service, NAME.toml", name)
                : fmt::format("\"{}\" is a setting of the node and belongs into node.toml", name);
  }
  if (found->table.empty())
    return fmt::format("\"{}\" is a key of the service itself: it stands above the first [table]", name);
  return fmt::format("\"{}\" is a key of [{}]", name, found->table);
}

}  // namespace

std::optional<std::string_view> KeySuggestions::nearest(const std::string& subject,
                                                        const std::vector<std::string_view>& names, std::string_view name) {
  auto at = nearest_.find(subject);
  if (at == nearest_.end()) at = nearest_.emplace(subject, NearestName(names)).first;
  return at->second.find(name);
}

std::optional<Key> KeySuggestions::nearest_key(bool node, std::string_view table, std::string_view name) {
  const auto near = nearest(fmt::format("key {} {}", node, table), key_names(node, table), name);
  if (!near) return std::nullopt;
  return find_key(node, table, *near)->key;
}

std::string KeySuggestions::key(bool node, std::string_view table, std::string_view name) {
  if (auto elsewhere = at_home_elsewhere(node, table, name)) return *elsewhere;
  const auto names = key_names(node, table);
  if (const auto near = nearest_key(node, table, name)) return did_you_mean(row(*near).name);
  if (node) return fmt::format("node.toml has {}", fmt::join(names, ", "));
  if (table.empty()) return fmt::format("a definition has {}", fmt::join(names, ", "));
  return fmt::format("[{}] has {}", table, fmt::join(names, ", "));
}

std::string KeySuggestions::table(bool node, std::string_view name) {
  const auto names = table_names(node);
  if (names.empty()) return "node.toml has no tables";
  if (const auto near = nearest(fmt::format("table {}", node), names, name)) return fmt::format("did you mean [{}]?", *near);
  return fmt::format("the tables are [{}]", fmt::join(names, "], ["));
}

std::string KeySuggestions::choice(const KeyRow& row, std::string_view name) {
  const std::vector<std::string_view> names(row.choices.begin(), row.choices.end());
  if (const auto near = nearest("choice of " + text(row), names, name)) return did_you_mean(*near);
  return fmt::format("it is one of \"{}\"", fmt::join(names, "\", \""));
}

std::string KeySuggestions::signal(std::string_view name) {
  std::vector<std::string_view> names;
  for (int number = 1; number <= signals::highest; ++number) {
    const std::string_view known = signal_name(number);
    if (known.empty()) continue;
    names.push_back(known);
    names.push_back(known.substr(3));
  }
  if (const auto near = nearest("signal", names, name)) return did_you_mean(*near);
  return "signals are called as in signal(7): \"SIGTERM\", \"SIGINT\", ...";
}

std::string KeySuggestions::capability(std::string_view name) {
  std::vector<std::string_view> names(all_capability_names.begin(), all_capability_names.end());
  for (const std::string_view known : all_capability_names) names.push_back(known.substr(4));
  if (const auto near = nearest("capability", names, name)) return did_you_mean(*near);
  return "capabilities are called as in capabilities(7): \"CAP_CHOWN\", \"CAP_NET_BIND_SERVICE\", ...";
}

}  // namespace hcrc::compiler

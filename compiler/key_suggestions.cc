#include "compiler/key_suggestions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

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

// What systemd, container engines and other supervisors call it, in small letters and without `-` and `_`.
struct ForeignName {
  std::string_view name;
  std::string_view table;
  std::string_view key;  // "" where the table as a whole is meant
};
constexpr auto foreign_names = std::to_array<ForeignName>({
    {"execstart", "", "command"},
    {"cmd", "", "command"},
    {"run", "", "command"},
    {"program", "", "command"},
    {"entrypoint", "", "command"},
    {"args", "", "command"},
    {"depends", "", "requires"},
    {"dependson", "", "requires"},
    {"dependencies", "", "requires"},
    {"needs", "", "requires"},
    {"partof", "", "binds-to"},
    {"enabled", "", "autostart"},
    {"enable", "", "autostart"},
    {"workdir", "", "directory"},
    {"workingdir", "", "directory"},
    {"workingdirectory", "", "directory"},
    {"cwd", "", "directory"},
    {"chdir", "", "directory"},
    {"dir", "", "directory"},
    {"environment", "env", ""},
    {"envfile", "", "env-files"},
    {"environmentfile", "", "env-files"},
    {"logger", "", "log-to"},
    {"log", "", "log-to"},
    {"logs", "", "log-to"},
    {"stdout", "", "log-to"},
    {"replicas", "", "instances"},
    {"scale", "", "instances"},
    {"ulimits", "limits", ""},
    {"rlimits", "limits", ""},
    {"conditions", "when", ""},
    {"condition", "when", ""},
    {"if", "when", ""},
    {"healthcheck", "health", ""},
    {"watchdogsec", "health", "watchdog"},
    {"readiness", "ready", ""},
    {"stopsignal", "stop", "signal"},
    {"killsignal", "stop", "signal"},
    {"stoptimeout", "stop", "timeout"},
    {"stopgraceperiod", "stop", "timeout"},
    {"timeoutstopsec", "stop", "timeout"},
    {"execstop", "stop", "command"},
    {"execstoppost", "", "cleanup"},
    {"execstartpre", "", "cleanup"},
    {"restartpolicy", "restart", "policy"},
    {"restartsec", "restart", "delay"},
    {"retries", "restart", "attempts"},
    {"maxretries", "restart", "attempts"},
    {"startlimitburst", "restart", "attempts"},
    {"backoff", "restart", "delay"},
    {"cron", "schedule", ""},
    {"oncalendar", "schedule", "every"},
    {"capadd", "security", "capabilities"},
    {"nonewprivileges", "security", "no-new-privileges"},
    {"limitnofile", "limits", "nofile"},
    {"cgroup", "resources", ""},
    {"memory", "resources", "memory-max"},
    {"memorymax", "resources", "memory-max"},
    {"memorylimit", "resources", "memory-max"},
    {"memlimit", "resources", "memory-max"},
    {"cpus", "resources", "cpu-max"},
    {"cpuquota", "resources", "cpu-max"},
    {"tasksmax", "resources", "pids-max"},
    {"pidslimit", "resources", "pids-max"},
});

const ForeignName* foreign_name(std::string_view name) {
  if (name.size() > 20) return nullptr;
  std::string plain;
  for (const char c : name) {
    if (c != '-' && c != '_') plain.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  const auto found = std::ranges::find(foreign_names, plain, &ForeignName::name);
  return found == foreign_names.end() ? nullptr : &*found;
}

std::optional<std::string> called_here(std::string_view name) {
  if (name == "name" || name == "Name") return "the file's name is the service's: NAME.toml defines NAME";
  const ForeignName* foreign = foreign_name(name);
  if (foreign == nullptr) return std::nullopt;
  if (foreign->key.empty()) return fmt::format("it is called [{}] here", foreign->table);
  return fmt::format("it is called {} here", text(*find_key(false, foreign->table, foreign->key)));
}

}  // namespace

std::optional<std::string_view> KeySuggestions::nearest(const std::string& subject,
                                                        const std::vector<std::string_view>& names, std::string_view name) {
  auto at = nearest_.find(subject);
  if (at == nearest_.end()) at = nearest_.emplace(subject, NearestName(names)).first;
  return at->second.find(name);
}

std::optional<Key> KeySuggestions::nearest_key(bool node, std::string_view table, std::string_view name) {
  if (const ForeignName* foreign = node || !table.empty() ? nullptr : foreign_name(name); foreign != nullptr) {
    if (foreign->key.empty()) return std::nullopt;
    return find_key(false, foreign->table, foreign->key)->key;
  }
  const auto near = nearest(fmt::format("key {} {}", node, table), key_names(node, table), name);
  if (!near) return std::nullopt;
  return find_key(node, table, *near)->key;
}

std::string KeySuggestions::key(bool node, std::string_view table, std::string_view name) {
  if (auto elsewhere = at_home_elsewhere(node, table, name)) return *elsewhere;
  if (!node && table.empty()) {
    if (auto here = called_here(name)) return *here;
  }
  const auto names = key_names(node, table);
  if (const auto near = nearest_key(node, table, name)) return did_you_mean(row(*near).name);
  if (node) return fmt::format("node.toml has {}", fmt::join(names, ", "));
  if (table.empty()) return fmt::format("a definition has {}", fmt::join(names, ", "));
  return fmt::format("[{}] has {}", table, fmt::join(names, ", "));
}

std::string KeySuggestions::table(bool node, std::string_view name) {
  const auto names = table_names(node);
  if (names.empty()) return "node.toml has no tables";
  if (auto here = called_here(name)) return *here;
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

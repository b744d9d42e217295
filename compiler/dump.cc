#include "compiler/dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "compiler/compile.h"
#include "compiler/folding.h"
#include "compiler/graph_builder.h"
#include "compiler/key_table.h"
#include "compiler/toml_text.h"
#include "core/capability_names.h"
#include "core/units.h"

namespace hcrc::compiler {

namespace {

using Text = std::optional<std::string>;  // of a value, as TOML; none where the key has none

template <typename Range, typename Function>
std::string list(const Range& range, const Function& text) {
  std::string out = "[";
  for (const auto& element : range) {
    if (out.size() > 1) out.append(", ");
    out.append(text(element));
  }
  return out.append("]");
}

Text flag(bool value) { return value ? "true" : "false"; }
Text number(std::int64_t value) { return std::to_string(value); }
std::string quoted(const Template& text) { return toml_text(template_source(text)); }

Text text_of(const std::optional<Template>& text) { return text ? Text(quoted(*text)) : std::nullopt; }
Text duration(Milliseconds value) { return toml_text(format_duration(value)); }
Text duration(const std::optional<Milliseconds>& value) { return value ? duration(*value) : std::nullopt; }
template <typename Number>
Text number_of(const std::optional<Number>& value) {
  return value ? number(*value) : std::nullopt;
}

Text thousandths(std::uint32_t value) {
  std::string text = fmt::format("{}.{:03}", value / 1'000, value % 1'000);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

Text words(const Arguments& arguments) {
  if (arguments.empty()) return std::nullopt;
  return list(arguments, quoted);
}

Text names(const std::vector<std::string>& all) {
  if (all.empty()) return std::nullopt;
  return list(all, toml_text);
}

Text codes(const ExitCodes& codes) {
  std::vector<std::size_t> set;
  for (std::size_t code = 0; code < codes.size(); ++code) {
    if (codes[code]) set.push_back(code);
  }
  return list(set, [](std::size_t code) { return std::to_string(code); });
}

Text capabilities(const std::optional<std::uint64_t>& kept) {
  if (!kept) return std::nullopt;
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < all_capability_names.size(); ++i) {
    if ((*kept >> i & 1u) != 0) names.push_back(all_capability_names[i]);
  }
  return list(names, toml_text);
}

// A size where it is one, else a number.
std::string limit_number(std::uint64_t value, bool bytes) {
  if (value == Limit::unlimited) return R"("unlimited")";
  const std::string size = format_size(value);
  const bool as_size = value > INT64_MAX || (bytes && !size.ends_with('B'));
  return as_size ? toml_text(size) : std::to_string(value);
}

Text limit(const Service& service, LimitKind kind) {
  const bool bytes =
      kind == LimitKind::core || kind == LimitKind::as || kind == LimitKind::memlock || kind == LimitKind::stack;
  for (const Limit& one : service.limits) {
    if (one.kind != kind) continue;
    if (one.soft == one.hard) return limit_number(one.soft, bytes);
    return fmt::format("{{ soft = {}, hard = {} }}", limit_number(one.soft, bytes), limit_number(one.hard, bytes));
  }
  return std::nullopt;
}

std::vector<const Condition*> conditions_of(const Service& service, ConditionKind kind) {
  std::vector<const Condition*> found;
  for (const Condition& condition : service.conditions) {
    if (condition.kind == kind) found.push_back(&condition);
  }
  return found;
}

std::string literal(const Template& text) {
  std::string out;
  for (const TemplatePiece& piece : text.pieces) out.append(piece.text);
  return out;
}

Text variables_of(const Service& service, ConditionKind kind) {
  const auto found = conditions_of(service, kind);
  if (found.empty()) return std::nullopt;
  return list(found, [](const Condition* condition) { return toml_text(condition->name); });
}

Text values_of(const Service& service, ConditionKind kind) {
  const auto found = conditions_of(service, kind);
  if (found.empty()) return std::nullopt;
  const std::string inside = list(found, [](const Condition* condition) {
    return fmt::format("{} = {}", toml_key(condition->name), toml_text(literal(condition->value)));
  });
  return fmt::format("{{ {} }}", inside.substr(1, inside.size() - 2));
}

Text paths_of(const Service& service, ConditionKind kind) {
  const auto found = conditions_of(service, kind);
  if (found.empty()) return std::nullopt;
  if (found.size() == 1) return quoted(found.front()->value);
  return list(found, [](const Condition* condition) { return quoted(condition->value); });
}

Text environment(const Service& service) {
  if (service.environment.empty()) return std::nullopt;
  std::string lines;
  for (const EnvironmentEntry& entry : service.environment) {
    lines.append(fmt::format("{} = {}\n", toml_key(entry.name), quoted(entry.value)));
  }
  return lines;
}

// Of [resources].
template <typename Written>
Text at_most(std::uint64_t value, Written written) {
  return value == Resources::none ? std::nullopt : Text(written());
}

// One word of a few, by its number.
template <typename Choice>
Text choice(Key key, Choice value) {
  return toml_text(row(key).choices[static_cast<std::size_t>(value)]);
}

// A condition on how a service is ready, or well.
template <typename Kind>
Text where(Kind kind, Kind wanted, Text text) {
  return kind == wanted ? std::move(text) : std::nullopt;
}

Text value(Key key, const FoldedDefinition& definition, const Service& s) {
  switch (key) {
    case Key::type: return choice(key, s.type);
    case Key::override_: return std::nullopt;
    case Key::description: return toml_text(s.description);
    case Key::command: return words(s.command);
    case Key::contents: return s.type == ServiceType::bundle ? Text(list(definition.contents, toml_text)) : std::nullopt;
    case Key::autostart: return flag(s.autostart);
    case Key::requires_: return names(definition.requires_);
    case Key::wants: return names(definition.wants);
    case Key::after: return names(definition.after);
    case Key::before: return names(definition.before);
    case Key::binds_to: return names(definition.binds_to);
    case Key::essential: return flag(s.essential);
    case Key::log_to: return definition.log_to.empty() ? std::nullopt : Text(toml_text(definition.log_to.front()));
    case Key::lock: return text_of(s.lock);
    case Key::user: return text_of(s.user);
    case Key::group: return text_of(s.group);
    case Key::groups: return s.groups ? Text(list(*s.groups, quoted)) : std::nullopt;
    case Key::directory: return text_of(s.directory);
    case Key::umask: return toml_text(fmt::format("{:03o}", s.umask));
    case Key::nice: return number_of(s.nice);
    case Key::oom_score_adj: return number_of(s.oom_score_adj);
    case Key::timeout: return duration(s.timeout);
    case Key::instances: return names(definition.instances);
    case Key::env: return environment(s);
    case Key::env_files: return words(s.environment_files);
    case Key::env_clear: return flag(s.environment_clear);
    case Key::cleanup: return words(s.cleanup);
    case Key::stdin_file: return text_of(s.stdin_file);
    case Key::stdin_text: return s.stdin_text ? Text(toml_text(*s.stdin_text)) : std::nullopt;
    case Key::when_env_set: return variables_of(s, ConditionKind::env_set);
    case Key::when_env_unset: return variables_of(s, ConditionKind::env_unset);
    case Key::when_env: return values_of(s, ConditionKind::env_equals);
    case Key::when_env_not: return values_of(s, ConditionKind::env_differs);
    case Key::when_path: return paths_of(s, ConditionKind::path);
    case Key::when_path_not: return paths_of(s, ConditionKind::path_not);
    case Key::ready_notify: return where(s.ready.kind, ReadyKind::notify, flag(true));
    case Key::ready_fd: return where(s.ready.kind, ReadyKind::fd, number(s.ready.fd));
    case Key::ready_tcp: return where(s.ready.kind, ReadyKind::tcp, text_of(s.ready.address));
    case Key::ready_http: return where(s.ready.kind, ReadyKind::http, text_of(s.ready.address));
    case Key::ready_exec: return where(s.ready.kind, ReadyKind::exec, words(s.ready.command));
    case Key::ready_interval: return duration(s.ready.interval);
    case Key::ready_timeout: return duration(s.ready.timeout);
    case Key::health_http: return where(s.health.kind, HealthKind::http, text_of(s.health.address));
    case Key::health_tcp: return where(s.health.kind, HealthKind::tcp, text_of(s.health.address));
    case Key::health_exec: return where(s.health.kind, HealthKind::exec, words(s.health.command));
    case Key::health_interval: return duration(s.health.interval);
    case Key::health_timeout: return duration(s.health.timeout);
    case Key::health_failures: return number(s.health.failures);
    case Key::health_watchdog: return duration(s.health.watchdog);
    case Key::restart_policy: return choice(key, s.restart.policy);
    case Key::restart_attempts:
      return s.restart.attempts == RestartRule::unlimited ? R"("unlimited")" : number(s.restart.attempts);
    case Key::restart_delay: return duration(s.restart.delay);
    case Key::restart_factor: return thousandths(s.restart.factor_milli);
    case Key::restart_max_delay: return duration(s.restart.max_delay);
    case Key::restart_jitter: return thousandths(s.restart.jitter_milli);
    case Key::restart_reset_after: return duration(s.restart.reset_after);
    case Key::restart_success_codes: return codes(s.restart.success_codes);
    case Key::restart_permanent_codes: return codes(s.restart.permanent_codes);
    case Key::restart_exhausted: return choice(key, s.restart.exhausted);
    case Key::restart_hold: return duration(s.restart.hold);
    case Key::stop_signal: return toml_text(signal_name(s.stop.signal));
    // Written, it is kept at shutdown, even where it is the default.
    case Key::stop_timeout: return s.stop.timeout_written ? duration(s.stop.timeout) : std::nullopt;
    case Key::stop_command: return words(s.stop.command);
    case Key::schedule_every: return duration(s.schedule.every);
    case Key::schedule_at_start: return flag(s.schedule.at_start);
    case Key::schedule_jitter: return duration(s.schedule.jitter);
    case Key::limits_nofile: return limit(s, LimitKind::nofile);
    case Key::limits_nproc: return limit(s, LimitKind::nproc);
    case Key::limits_core: return limit(s, LimitKind::core);
    case Key::limits_as: return limit(s, LimitKind::as);
    case Key::limits_memlock: return limit(s, LimitKind::memlock);
    case Key::limits_stack: return limit(s, LimitKind::stack);
    case Key::security_no_new_privileges: return flag(s.no_new_privileges);
    case Key::security_capabilities: return capabilities(s.capabilities);
    case Key::resources_memory_max:
      return at_most(s.resources.memory_max, [&] { return toml_text(format_size(s.resources.memory_max)); });
    case Key::resources_cpu_max:
      return at_most(s.resources.cpu_max_quota_us, [&] {
        return toml_text(
            format_cpu_share({.quota_us = s.resources.cpu_max_quota_us, .period_us = s.resources.cpu_max_period_us}));
      });
    case Key::resources_pids_max: return at_most(s.resources.pids_max, [&] { return std::to_string(s.resources.pids_max); });
    case Key::resources_required: return flag(s.resources.required);
    case Key::node_override:
    case Key::node_stop_deadline:
    case Key::node_socket_group: return std::nullopt;
  }
  return std::nullopt;
}

Text node_value(Key key, const NodeSettings& settings) {
  if (key == Key::node_stop_deadline) return duration(settings.stop_deadline);
  if (key == Key::node_socket_group) return text_of(settings.socket_group);
  return std::nullopt;
}

// Keys of the table's rows, each below the line of its [table].
class DefinitionText {
 public:
  void add(const KeyRow& row, const std::string& value) {
    // The table with names of the user's own stands behind the keys that would otherwise belong to it.
    if (row.kind == ValueKind::variables && row.table.empty()) {
      own_.append(fmt::format("\n[{}]\n{}", row.name, value));
      return;
    }
    if (row.table != table_) {
      end_keys();
      table_ = row.table;
      text_.append(fmt::format("\n[{}]\n", table_));
    }
    text_.append(fmt::format("{} = {}\n", row.name, value));
  }
  std::string take() {
    end_keys();
    return std::move(text_);
  }

 private:
  void end_keys() {
    text_.append(own_);
    own_.clear();
  }

  std::string text_;
  std::string own_;
  std::string_view table_;
};

// What stands for a key of a service where the key is not written.
Text unwritten_value(Key key, ServiceType type, bool receives_logs) {
  Service unwritten = unwritten_service(type);
  if (receives_logs) restart_as_log_receiver(unwritten.restart, false, false);
  return value(key, {}, unwritten);
}

DumpedFile definition_file(const FoldedDefinition& definition, const ServiceGraph& graph,
                           const std::vector<bool>& receives_logs) {
  // Instances are alike but for their edges, and for what is not written of those that others log to.
  const Service& first = graph.services[definition.services.front()];
  const auto is_logger = [&](std::uint32_t service) { return receives_logs[service]; };
  const bool some_receive = std::ranges::any_of(definition.services, is_logger);
  const bool all_receive = std::ranges::all_of(definition.services, is_logger);
  DefinitionText text;
  for (const KeyRow& row : key_table()) {
    if (!row.definitions.has(first.type)) continue;
    const Text written = value(row.key, definition, first);
    if (!written) continue;
    const bool always = row.key == Key::type || row.key == Key::contents;
    bool differs = false;
    if (some_receive) {
      const auto logger = std::ranges::find_if(definition.services, is_logger);
      differs = value(row.key, definition, graph.services[*logger]) != unwritten_value(row.key, first.type, true);
    }
    if (!all_receive) {
      const auto other = std::ranges::find_if_not(definition.services, is_logger);
      differs = differs || value(row.key, definition, graph.services[*other]) != unwritten_value(row.key, first.type, false);
    }
    if (always || differs) text.add(row, *written);
  }
  return {.name = definition.name + ".toml", .text = text.take()};
}

}  // namespace

std::vector<DumpedFile> dump(const ServiceGraph& graph) {
  std::vector<bool> receives_logs(graph.services.size());
  for (const Service& service : graph.services) {
    for (const Edge& edge : service.edges) {
      if (edge.kinds.has(EdgeKind::log_to)) receives_logs[edge.target] = true;
    }
  }
  std::vector<DumpedFile> files;
  DefinitionText node;
  for (const KeyRow& row : key_table()) {
    if (const Text written = row.definitions.node() ? node_value(row.key, graph.node) : std::nullopt)
      node.add(row, *written);
  }
  if (std::string text = node.take(); !text.empty()) files.push_back({.name = "node.toml", .text = std::move(text)});
  for (const FoldedDefinition& definition : fold(graph)) {
    files.push_back(definition_file(definition, graph, receives_logs));
  }
  return files;
}

bool same_again(const std::vector<DumpedFile>& files, const ServiceGraph& graph) {
  Input input{.folders = {"."}, .files = {}};
  for (const DumpedFile& file : files) input.files.push_back({.name = file.name, .text = file.text});
  const Compiled compiled = compile(std::move(input));
  return compiled.graph == graph;
}

}  // namespace hcrc::compiler

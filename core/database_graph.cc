// A database back as the graph that it was written from.
#include <algorithm>

#include "core/database.h"

namespace hcrc {

namespace {

class GraphReader {
 public:
  explicit GraphReader(const Database& database) : database_(database) {}

  NodeSettings node() const;
  Service service(std::uint32_t index) const;

 private:
  std::string text(format::StringRef ref) const { return std::string(database_.string(ref)); }
  Template pieces(format::Range range) const;
  std::vector<Template> templates(format::Range range) const;
  std::optional<Template> optional(format::OptionalTemplate index) const;
  std::vector<EnvironmentEntry> environment(format::Range range) const;
  std::vector<Condition> conditions(format::Range range) const;
  std::vector<Limit> limits(format::Range range) const;

  void who_and_where(const format::ServiceRecord& record, Service& service) const;
  void rules(const format::ServiceRecord& record, Service& service) const;

  const Database& database_;
};

std::optional<Milliseconds> written(std::int64_t ms) {
  if (ms == format::unwritten) return std::nullopt;
  return Milliseconds(ms);
}

ExitCodes exit_codes(const std::uint64_t (&words)[4]) {
  ExitCodes codes;
  for (std::size_t code = 0; code < codes.size(); ++code) codes[code] = (words[code / 64] >> code % 64 & 1) != 0;
  return codes;
}

Template GraphReader::pieces(format::Range range) const {
  Template result;
  for (const format::PieceRecord& piece : database_.pieces(range)) {
    result.pieces.push_back(
        {.kind = static_cast<TemplatePiece::Kind>(piece.kind), .text = text(piece.text), .fallback = text(piece.fallback)});
  }
  return result;
}

std::vector<Template> GraphReader::templates(format::Range range) const {
  std::vector<Template> result;
  for (const format::TemplateRecord& record : database_.arguments(range)) result.push_back(pieces(record.pieces));
  return result;
}

std::optional<Template> GraphReader::optional(format::OptionalTemplate index) const {
  if (index == format::none) return std::nullopt;
  return pieces(database_.arguments({.first = index, .count = 1})[0].pieces);
}

std::vector<EnvironmentEntry> GraphReader::environment(format::Range range) const {
  std::vector<EnvironmentEntry> result;
  for (const format::EnvironmentRecord& record : database_.environment(range)) {
    result.push_back({.name = text(record.name), .value = pieces(record.value)});
  }
  return result;
}

std::vector<Condition> GraphReader::conditions(format::Range range) const {
  std::vector<Condition> result;
  for (const format::ConditionRecord& record : database_.conditions(range)) {
    result.push_back(
        {.kind = static_cast<ConditionKind>(record.kind), .name = text(record.name), .value = pieces(record.value)});
  }
  return result;
}

std::vector<Limit> GraphReader::limits(format::Range range) const {
  std::vector<Limit> result;
  for (const format::LimitRecord& record : database_.limits(range)) {
    result.push_back({.kind = static_cast<LimitKind>(record.kind), .soft = record.soft, .hard = record.hard});
  }
  return result;
}

NodeSettings GraphReader::node() const {
  const format::Header& header = database_.header();
  NodeSettings node;
  node.stop_deadline = written(header.stop_deadline_ms);
  if (header.history_set != 0) node.history = pieces(header.history);
  if (header.socket_group_set != 0) node.socket_group = pieces(header.socket_group);
  return node;
}

Service GraphReader::service(std::uint32_t index) const {
  const format::ServiceRecord& record = database_.service(index);
  Service service;
  service.name = text(record.name);
  service.type = static_cast<ServiceType>(record.type);
  service.description = text(record.description);
  service.autostart = record.autostart != 0;
  service.essential = record.essential != 0;
  service.instance = text(record.instance);
  service.command = templates(record.command);
  const auto contents = database_.contents(index);
  service.contents.assign(contents.begin(), contents.end());
  for (const format::EdgeRecord& edge : database_.dependencies(index)) {
    service.edges.push_back({.target = edge.service, .kinds = edge.all_kinds()});
  }
  who_and_where(record, service);
  rules(record, service);
  return service;
}

// What a process of it is made of.
void GraphReader::who_and_where(const format::ServiceRecord& record, Service& service) const {
  service.lock = optional(record.lock);
  service.user = optional(record.user);
  service.group = optional(record.group);
  if (record.groups_set != 0) service.groups = templates(record.groups);
  service.directory = optional(record.directory);
  service.umask = static_cast<std::uint16_t>(record.umask);
  if (record.nice_set != 0) service.nice = static_cast<std::int8_t>(record.nice);
  if (record.oom_score_adj_set != 0) service.oom_score_adj = static_cast<std::int16_t>(record.oom_score_adj);
  service.environment = environment(record.environment);
  service.environment_files = templates(record.environment_files);
  service.environment_clear = record.environment_clear != 0;
  service.stdin_file = optional(record.stdin_file);
  if (record.stdin_text_set != 0) service.stdin_text = text(record.stdin_text);
  service.limits = limits(record.limits);
  service.no_new_privileges = record.no_new_privileges != 0;
  if (record.capabilities_set != 0) service.capabilities = record.capabilities;
  service.resources = {.memory_max = record.memory_max,
                       .cpu_max_quota_us = record.cpu_max_quota_us,
                       .cpu_max_period_us = record.cpu_max_period_us,
                       .pids_max = record.pids_max,
                       .required = record.resources_required != 0};
}

// When it starts, counts as up or failed, is tried again, and how it stops.
void GraphReader::rules(const format::ServiceRecord& record, Service& service) const {
  service.timeout = written(record.timeout_ms);
  service.conditions = conditions(record.conditions);
  service.ready = {.kind = static_cast<ReadyKind>(record.ready_kind),
                   .fd = record.ready_fd,
                   .address = optional(record.ready_address),
                   .command = templates(record.ready_command),
                   .interval = Milliseconds(record.ready_interval_ms),
                   .timeout = Milliseconds(record.ready_timeout_ms)};
  service.health = {.kind = static_cast<HealthKind>(record.health_kind),
                    .address = optional(record.health_address),
                    .command = templates(record.health_command),
                    .interval = Milliseconds(record.health_interval_ms),
                    .timeout = Milliseconds(record.health_timeout_ms),
                    .failures = record.health_failures,
                    .watchdog = written(record.watchdog_ms)};
  service.restart = {.policy = static_cast<RestartPolicy>(record.restart_policy),
                     .attempts = record.restart_attempts,
                     .delay = Milliseconds(record.restart_delay_ms),
                     .factor_milli = record.restart_factor_milli,
                     .max_delay = Milliseconds(record.restart_max_delay_ms),
                     .jitter_milli = record.restart_jitter_milli,
                     .reset_after = Milliseconds(record.restart_reset_after_ms),
                     .success_codes = exit_codes(record.success_codes),
                     .permanent_codes = exit_codes(record.permanent_codes),
                     .exhausted = static_cast<Exhausted>(record.exhausted),
                     .hold = Milliseconds(record.restart_hold_ms)};
  service.stop = {.signal = record.stop_signal,
                  .timeout = Milliseconds(record.stop_timeout_ms),
                  .timeout_written = record.stop_timeout_written != 0,
                  .command = templates(record.stop_command)};
  service.cleanup = templates(record.cleanup);
  service.schedule = {.every = Milliseconds(record.schedule_every_ms),
                      .at_start = record.at_start != 0,
                      .jitter = Milliseconds(record.schedule_jitter_ms)};
}

}  // namespace

ServiceGraph Database::graph() const {
  ServiceGraph graph;
  if (bytes_.empty()) return graph;
  const GraphReader reader(*this);
  graph.node = reader.node();
  graph.services.reserve(size());
  for (std::uint32_t index = 0; index < size(); ++index) graph.services.push_back(reader.service(index));
  return graph;
}

}  // namespace hcrc

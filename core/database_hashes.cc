#include "core/database_hashes.h"

#include <algorithm>

#include "core/hash.h"

namespace hcrc {

namespace {

bool logs(const format::EdgeRecord& edge) { return edge.all_kinds().has(EdgeKind::log_to); }

// One service's contents, field by field. Whatever has a count is preceded by it, so that no two contents run together.
class ContentHash {
 public:
  explicit ContentHash(const Database& database) : database_(database) {}

  template <typename... Number>
  void numbers(Number... number) {
    (hash_.number(static_cast<std::uint64_t>(number)), ...);
  }
  void text(format::StringRef ref) { hash_.text(database_.string(ref)); }
  void name(std::uint32_t service) { hash_.text(database_.name(service)); }
  void pieces(format::Range range) {
    hash_.number(range.count);
    for (const format::PieceRecord& piece : database_.pieces(range)) {
      hash_.number(piece.kind);
      text(piece.text);
      text(piece.fallback);
    }
  }
  void arguments(format::Range range) {
    hash_.number(range.count);
    for (const format::TemplateRecord& argument : database_.arguments(range)) pieces(argument.pieces);
  }
  void optional(format::OptionalTemplate index) {
    arguments(index == format::none ? format::Range{} : format::Range{.first = index, .count = 1});
  }
  void environment(format::Range range) {
    hash_.number(range.count);
    for (const format::EnvironmentRecord& entry : database_.environment(range)) {
      text(entry.name);
      pieces(entry.value);
    }
  }
  void conditions(format::Range range) {
    hash_.number(range.count);
    for (const format::ConditionRecord& condition : database_.conditions(range)) {
      hash_.number(condition.kind);
      text(condition.name);
      pieces(condition.value);
    }
  }
  void limits(format::Range range) {
    hash_.number(range.count);
    for (const format::LimitRecord& limit : database_.limits(range)) numbers(limit.kind, limit.soft, limit.hard);
  }
  void health(const format::ServiceRecord& service) {
    numbers(service.health_kind, service.health_interval_ms, service.health_timeout_ms, service.health_failures,
            service.watchdog_ms);
    optional(service.health_address);
    arguments(service.health_command);
  }
  void schedule(const format::ServiceRecord& service) {
    numbers(service.schedule_every_ms, service.at_start, service.schedule_jitter_ms);
  }
  void codes(const std::uint64_t (&words)[4]) { numbers(words[0], words[1], words[2], words[3]); }

  std::uint64_t value() const { return hash_.value(); }

 private:
  const Database& database_;
  Fnv1a64 hash_;
};

// description, restart, stop, cleanup, timeout, health, essential, autostart, edges, when, schedule.
std::uint64_t looked_after(const Database& database, std::uint32_t index) {
  const format::ServiceRecord& service = database.service(index);
  ContentHash hash(database);
  hash.text(service.description);
  hash.numbers(service.autostart, service.essential, service.timeout_ms);
  const auto edges = database.dependencies(index);
  hash.numbers(edges.size());
  for (const format::EdgeRecord& edge : edges) {
    hash.name(edge.service);
    hash.numbers(edge.kinds);
  }
  hash.conditions(service.conditions);
  hash.health(service);
  hash.numbers(service.restart_policy, service.restart_attempts, service.restart_delay_ms, service.restart_factor_milli,
               service.restart_max_delay_ms, service.restart_jitter_milli, service.restart_reset_after_ms, service.exhausted,
               service.restart_hold_ms);
  hash.codes(service.success_codes);
  hash.codes(service.permanent_codes);
  hash.numbers(service.stop_signal, service.stop_timeout_ms, service.stop_timeout_written);
  hash.arguments(service.stop_command);
  hash.arguments(service.cleanup);
  hash.schedule(service);
  return hash.value();
}

// All other keys. Of the edges, what decides which descriptors a process is given: whether its output goes into a pipe (not
// to whom: the runtime holds the pipe), and of a logger whose pipes it reads.
std::uint64_t runs(const Database& database, std::uint32_t index) {
  const format::ServiceRecord& service = database.service(index);
  ContentHash hash(database);
  hash.text(service.name);
  hash.text(service.instance);
  hash.numbers(service.type);
  hash.arguments(service.command);
  hash.numbers(service.contents.count);
  for (const std::uint32_t inner : database.contents(index)) hash.name(inner);
  hash.optional(service.lock);
  hash.optional(service.user);
  hash.optional(service.group);
  hash.numbers(service.groups_set);
  hash.arguments(service.groups);
  hash.optional(service.directory);
  hash.numbers(service.umask, service.nice_set, service.nice, service.oom_score_adj_set, service.oom_score_adj);
  hash.environment(service.environment);
  hash.arguments(service.environment_files);
  hash.numbers(service.environment_clear);
  hash.optional(service.stdin_file);
  hash.numbers(service.stdin_text_set);
  hash.text(service.stdin_text);
  hash.numbers(service.ready_kind, service.ready_fd, service.ready_interval_ms, service.ready_timeout_ms);
  hash.optional(service.ready_address);
  hash.arguments(service.ready_command);
  hash.limits(service.limits);
  hash.numbers(service.no_new_privileges, service.capabilities_set, service.capabilities);
  hash.numbers(service.memory_max, service.cpu_max_quota_us, service.cpu_max_period_us, service.pids_max,
               service.resources_required);
  const auto edges = database.dependencies(index);
  hash.numbers(std::ranges::any_of(edges, logs));
  const auto dependents = database.dependents(index);
  hash.numbers(std::ranges::count_if(dependents, logs));
  for (const format::EdgeRecord& edge : dependents) {
    if (logs(edge)) hash.name(edge.service);
  }
  return hash.value();
}

}  // namespace

CareHashes care_hashes(const Database& database, std::uint32_t index) {
  const format::ServiceRecord& service = database.service(index);
  ContentHash conditions(database), health(database), schedule(database);
  conditions.conditions(service.conditions);
  health.health(service);
  schedule.schedule(service);
  return {.conditions = conditions.value(), .health = health.value(), .schedule = schedule.value()};
}

ServiceHashes service_hashes(const Database& database, std::uint32_t index) {
  return {.runs = runs(database, index), .looked_after = looked_after(database, index)};
}

}  // namespace hcrc

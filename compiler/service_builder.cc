// One definition as a service of the graph. What is not written keeps the defaults of core/graph.h.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "compiler/graph_builder.h"

namespace hcrc::compiler {

namespace {

// Puts values where they belong, where they are written.
class Source {
 public:
  explicit Source(const Definition& definition) : definition_(definition) {}

  void into(Key key, bool& target) const {
    if (const bool* value = definition_.value<bool>(key)) target = *value;
  }
  void into(Key key, std::string& target) const {
    if (const auto* value = definition_.value<std::string>(key)) target = *value;
  }
  void into(Key key, std::optional<std::string>& target) const {
    if (const auto* value = definition_.value<std::string>(key)) target = *value;
  }
  void into(Key key, std::optional<Template>& target) const {
    if (const auto* value = definition_.value<Template>(key)) target = *value;
  }
  void into(Key key, Milliseconds& target) const {
    if (const auto* value = definition_.value<std::int64_t>(key)) target = Milliseconds(*value);
  }
  void into(Key key, std::optional<Milliseconds>& target) const {
    if (const auto* value = definition_.value<std::int64_t>(key)) target = Milliseconds(*value);
  }
  // A number, or the index of a choice; its range was checked when it was read.
  template <typename Number>
  void number_into(Key key, Number& target) const {
    if (const auto* value = definition_.value<std::int64_t>(key)) target = static_cast<Number>(*value);
  }
  template <typename Number>
  void number_into(Key key, std::optional<Number>& target) const {
    if (const auto* value = definition_.value<std::int64_t>(key)) target = static_cast<Number>(*value);
  }
  void into(Key key, std::vector<Template>& target) const {
    const Items* items = definition_.value<Items>(key);
    if (items == nullptr) return;
    target.clear();
    for (const Item& item : *items) target.push_back(item.text);
  }
  void into(Key key, ExitCodes& target) const {
    const Items* items = definition_.value<Items>(key);
    if (items == nullptr) return;
    target.reset();
    for (const Item& item : *items) target.set(item.number);
  }
  const Items& items(Key key) const {
    static const Items none;
    const Items* items = definition_.value<Items>(key);
    return items == nullptr ? none : *items;
  }
  bool has(Key key) const { return definition_.has(key); }

 private:
  const Definition& definition_;
};

void fill_conditions(const Source& source, std::vector<Condition>& conditions) {
  const auto add = [&](Key key, ConditionKind kind, bool named, bool valued) {
    for (const Item& item : source.items(key)) {
      conditions.push_back(
          {.kind = kind, .name = named ? item.name : std::string(), .value = valued ? item.text : Template()});
    }
  };
  add(Key::when_env_set, ConditionKind::env_set, true, false);
  add(Key::when_env_unset, ConditionKind::env_unset, true, false);
  add(Key::when_env, ConditionKind::env_equals, true, true);
  add(Key::when_env_not, ConditionKind::env_differs, true, true);
  add(Key::when_path, ConditionKind::path, false, true);
  add(Key::when_path_not, ConditionKind::path_not, false, true);
}

void fill_ready(const Source& source, ReadyRule& ready) {
  bool notify = false;
  source.into(Key::ready_notify, notify);
  source.number_into(Key::ready_fd, ready.fd);
  source.into(Key::ready_tcp, ready.address);
  source.into(Key::ready_http, ready.address);
  source.into(Key::ready_exec, ready.command);
  source.into(Key::ready_interval, ready.interval);
  source.into(Key::ready_timeout, ready.timeout);
  if (notify) ready.kind = ReadyKind::notify;
  if (source.has(Key::ready_fd)) ready.kind = ReadyKind::fd;
  if (source.has(Key::ready_tcp)) ready.kind = ReadyKind::tcp;
  if (source.has(Key::ready_http)) ready.kind = ReadyKind::http;
  if (source.has(Key::ready_exec)) ready.kind = ReadyKind::exec;
}

void fill_health(const Source& source, HealthRule& health) {
  source.into(Key::health_tcp, health.address);
  source.into(Key::health_http, health.address);
  source.into(Key::health_exec, health.command);
  source.into(Key::health_interval, health.interval);
  source.into(Key::health_timeout, health.timeout);
  source.number_into(Key::health_failures, health.failures);
  source.into(Key::health_watchdog, health.watchdog);
  if (source.has(Key::health_tcp)) health.kind = HealthKind::tcp;
  if (source.has(Key::health_http)) health.kind = HealthKind::http;
  if (source.has(Key::health_exec)) health.kind = HealthKind::exec;
}

void fill_restart(const Source& source, ServiceType type, RestartRule& restart) {
  if (type != ServiceType::longrun) restart.policy = RestartPolicy::never;
  source.number_into(Key::restart_policy, restart.policy);
  std::int64_t attempts = restart.attempts;
  source.number_into(Key::restart_attempts, attempts);
  restart.attempts = attempts < 0 ? RestartRule::unlimited : static_cast<std::uint32_t>(attempts);
  source.into(Key::restart_delay, restart.delay);
  source.number_into(Key::restart_factor, restart.factor_milli);
  source.into(Key::restart_max_delay, restart.max_delay);
  source.number_into(Key::restart_jitter, restart.jitter_milli);
  source.into(Key::restart_reset_after, restart.reset_after);
  source.into(Key::restart_success_codes, restart.success_codes);
  source.into(Key::restart_permanent_codes, restart.permanent_codes);
  source.number_into(Key::restart_exhausted, restart.exhausted);
  source.into(Key::restart_hold, restart.hold);
}

void fill_stop(const Source& source, StopRule& stop) {
  source.number_into(Key::stop_signal, stop.signal);
  source.into(Key::stop_timeout, stop.timeout);
  stop.timeout_written = source.has(Key::stop_timeout);
  source.into(Key::stop_command, stop.command);
}

void fill_limits(const Source& source, std::vector<Limit>& limits) {
  // In the order of LimitKind.
  constexpr Key kinds[] = {Key::limits_nofile, Key::limits_nproc,   Key::limits_core,
                           Key::limits_as,     Key::limits_memlock, Key::limits_stack};
  for (std::size_t i = 0; i < std::size(kinds); ++i) {
    if (!source.has(kinds[i])) continue;
    Limit limit{.kind = static_cast<LimitKind>(i)};
    for (const Item& item : source.items(kinds[i])) {
      if (item.name != "hard") limit.soft = item.number;
      if (item.name != "soft") limit.hard = item.number;
    }
    limits.push_back(limit);
  }
}

void fill_resources(const Source& source, Resources& resources) {
  if (const Items& size = source.items(Key::resources_memory_max); !size.empty()) resources.memory_max = size.front().number;
  if (const Items& share = source.items(Key::resources_cpu_max); !share.empty()) {
    resources.cpu_max_quota_us = share.front().number;
    resources.cpu_max_period_us = share.back().number;
  }
  std::int64_t pids = -1;
  source.number_into(Key::resources_pids_max, pids);
  resources.pids_max = pids < 0 ? Resources::none : static_cast<std::uint64_t>(pids);
  source.into(Key::resources_required, resources.required);
}

void fill_process(const Source& source, Service& service) {
  source.into(Key::command, service.command);
  source.into(Key::lock, service.lock);
  source.into(Key::user, service.user);
  source.into(Key::group, service.group);
  if (source.has(Key::groups)) source.into(Key::groups, service.groups.emplace());
  source.into(Key::directory, service.directory);
  source.number_into(Key::umask, service.umask);
  source.number_into(Key::nice, service.nice);
  source.number_into(Key::oom_score_adj, service.oom_score_adj);
  source.into(Key::timeout, service.timeout);
  for (const Item& item : source.items(Key::env)) service.environment.push_back({.name = item.name, .value = item.text});
  std::ranges::sort(service.environment, {}, &EnvironmentEntry::name);
  source.into(Key::env_files, service.environment_files);
  source.into(Key::env_clear, service.environment_clear);
  source.into(Key::stdin_file, service.stdin_file);
  source.into(Key::stdin_text, service.stdin_text);
  source.into(Key::cleanup, service.cleanup);
  source.into(Key::security_no_new_privileges, service.no_new_privileges);
  if (!source.has(Key::security_capabilities)) return;
  service.capabilities = 0;
  for (const Item& item : source.items(Key::security_capabilities)) *service.capabilities |= std::uint64_t{1} << item.number;
}

}  // namespace

Service service_of(const Definition& definition) {
  const Source source(definition);
  Service service;
  service.name = definition.name;
  service.type = service_type(definition).value_or(ServiceType::longrun);
  source.into(Key::description, service.description);
  service.autostart = service.type != ServiceType::bundle;
  source.into(Key::autostart, service.autostart);
  if (service.type == ServiceType::bundle) return service;
  source.into(Key::essential, service.essential);
  fill_process(source, service);
  fill_conditions(source, service.conditions);
  fill_ready(source, service.ready);
  fill_health(source, service.health);
  fill_restart(source, service.type, service.restart);
  fill_stop(source, service.stop);
  source.into(Key::schedule_every, service.schedule.every);
  source.into(Key::schedule_at_start, service.schedule.at_start);
  source.into(Key::schedule_jitter, service.schedule.jitter);
  fill_limits(source, service.limits);
  fill_resources(source, service.resources);
  return service;
}

Service unwritten_service(ServiceType type) {
  Definition definition{.name = {}, .place = {}, .settings = {}, .meant = {}};
  definition.settings.push_back({.key = Key::type, .key_place = {}, .place = {}, .value = static_cast<std::int64_t>(type)});
  return service_of(definition);
}

void restart_as_log_receiver(RestartRule& restart, bool attempts_written, bool max_delay_written) {
  if (!attempts_written) restart.attempts = RestartRule::unlimited;
  if (!max_delay_written) restart.max_delay = Milliseconds(1'000);
}

NodeSettings node_settings_of(const Definition& definition) {
  const Source source(definition);
  NodeSettings settings;
  source.into(Key::node_stop_deadline, settings.stop_deadline);
  source.into(Key::node_socket_group, settings.socket_group);
  return settings;
}

}  // namespace hcrc::compiler

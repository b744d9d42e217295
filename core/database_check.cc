#include "core/database_check.h"

#include <algorithm>
#include <cstring>

#include "core/bounds.h"
#include "core/database_hashes.h"
#include "core/service.h"

namespace hcrc {

using format::OptionalTemplate;
using format::Range;
using format::ServiceRecord;
using format::StringRef;
using format::Table;

namespace {

template <typename Enumeration>
bool is_enumerator(std::uint64_t value, Enumeration last) {
  return value <= static_cast<std::uint64_t>(last);
}

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_name_tail(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

// What follows the @ of NAME@INSTANCE.
std::string_view instance_in(std::string_view name) {
  const std::size_t at = name.find('@');
  return at == std::string_view::npos ? std::string_view() : name.substr(at + 1);
}

// NAME, or NAME@INSTANCE.
bool is_service_name(std::string_view name) {
  const std::string_view base = name.substr(0, name.find('@'));
  if (base.empty() || base.size() > bounds::name_bytes || !is_alphanumeric(base[0]) || !is_name_tail(base)) return false;
  if (base.size() == name.size()) return true;
  const std::string_view instance = instance_in(name);
  return !instance.empty() && instance.size() <= bounds::name_bytes && is_name_tail(instance);
}

bool is_variable_name(std::string_view name) { return !name.empty() && name.find('=') == std::string_view::npos; }

bool is_duration(std::int64_t ms) { return ms >= 0 && ms <= bounds::duration_ms; }
bool is_optional_duration(std::int64_t ms) { return ms == format::unwritten || is_duration(ms); }

// A duration that something is done over and over after must not be zero.
bool is_interval(std::int64_t ms) { return ms > 0 && is_duration(ms); }

template <std::size_t count>
bool all_zero(const std::uint8_t (&bytes)[count]) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

// Each function is false where something is wrong, with `problem_` saying what; the first one that is ends the check.
class RecordsCheck {
 public:
  explicit RecordsCheck(const Database& database) : database_(database) {}

  bool all();
  std::string sentence() const;

 private:
  bool no(const char* problem) {
    problem_ = problem;
    return false;
  }
  // A value that only some types, or some kinds, may have, and those must have.
  bool exactly_where(bool wanted, bool is_there, const char* problem) { return wanted == is_there || no(problem); }

  std::uint32_t count(Table table) const { return database_.header().table[static_cast<std::size_t>(table)].count; }
  std::uint32_t& cursor(Table table) { return cursors_[static_cast<std::size_t>(table)]; }

  // Reaching things, in the order in which they are written.
  bool reach(Table table, Range range);
  bool reach(StringRef ref);
  bool reach_pieces(Range range);
  bool reach_templates(Range range);
  bool reach_optional(OptionalTemplate index);
  bool reach_environment(Range range);
  bool reach_conditions(Range range);
  bool reach_limits(Range range);

  bool piece(const format::PieceRecord& piece, bool after_literal);
  bool condition(const format::ConditionRecord& condition);

  bool header();
  bool service(const ServiceRecord& service);
  bool reach_all_of(const ServiceRecord& service);
  bool name(const ServiceRecord& service);
  bool bytes(const ServiceRecord& service);
  bool numbers(const ServiceRecord& service);
  bool durations(const ServiceRecord& service);
  bool presence(const ServiceRecord& service);
  bool absence_in_bundle(const ServiceRecord& service);
  bool kinds(const ServiceRecord& service);
  bool contents();
  bool edges(const ServiceRecord& service);
  bool dependents();

  const Database& database_;
  std::uint32_t cursors_[format::tables] = {};
  std::uint32_t index_ = 0;  // of the service that is looked at
  const char* problem_ = nullptr;
  bool in_service_ = false;
  bool name_known_ = false;
};

std::string RecordsCheck::sentence() const {
  if (!in_service_) return problem_;
  const std::string who = name_known_ ? std::string(database_.name(index_)) : "number " + std::to_string(index_ + 1);
  return "service " + who + ": " + problem_;
}

bool RecordsCheck::reach(Table table, Range range) {
  if (range.count == 0) return range.first == 0 || no("an empty range begins somewhere");
  std::uint32_t& at = cursor(table);
  if (range.first != at) return no("a range does not begin where the one before it ends");
  if (range.count > count(table) - at) return no("a range goes beyond the end of its table");
  at += range.count;
  return true;
}

bool RecordsCheck::reach(StringRef ref) {
  if (ref.length == 0) return ref.offset == 0 || no("an empty text begins somewhere");
  std::uint32_t& at = cursor(Table::strings);
  const std::uint32_t size = count(Table::strings);
  if (ref.offset > at || ref.length >= size - ref.offset) return no("a text goes beyond the end of its table");
  const bool is_new = ref.offset == at;
  if (!is_new && ref.length > format::shared_string_bytes) return no("a long text is shared");
  const char* begin = database_.string(ref).data();
  if (std::memchr(begin, 0, ref.length) != nullptr) return no("a text holds a NUL byte");
  if (begin[ref.length] != 0) return no("no NUL byte follows a text");
  if (is_new) {
    at += ref.length + 1;
  } else if (begin[-1] != 0) {  // offset 0 is a NUL byte, so there is something before
    return no("a text begins in the middle of another");
  }
  return true;
}

bool RecordsCheck::piece(const format::PieceRecord& piece, bool after_literal) {
  if (!is_enumerator(piece.kind, TemplatePiece::Kind::variable_or)) return no("a piece of a text is of no known kind");
  if (!reach(piece.text) || !reach(piece.fallback)) return false;
  const auto kind = static_cast<TemplatePiece::Kind>(piece.kind);
  if (kind != TemplatePiece::Kind::variable_or && piece.fallback.length != 0)
    return no("a piece has a default that it cannot have");
  if (kind == TemplatePiece::Kind::literal) {
    if (piece.text.length == 0) return no("a literal piece is empty");
    return !after_literal || no("two literal pieces stand side by side");
  }
  return is_variable_name(database_.string(piece.text)) || no("a variable's name cannot be one");
}

bool RecordsCheck::reach_pieces(Range range) {
  if (!reach(Table::pieces, range)) return false;
  bool after_literal = false;
  for (const format::PieceRecord& one : database_.pieces(range)) {
    if (!piece(one, after_literal)) return false;
    after_literal = static_cast<TemplatePiece::Kind>(one.kind) == TemplatePiece::Kind::literal;
  }
  return true;
}

bool RecordsCheck::reach_templates(Range range) {
  if (!reach(Table::arguments, range)) return false;
  for (const format::TemplateRecord& record : database_.arguments(range)) {
    if (!reach_pieces(record.pieces)) return false;
  }
  return true;
}

bool RecordsCheck::reach_optional(OptionalTemplate index) {
  return index == format::none || reach_templates({.first = index, .count = 1});
}

bool RecordsCheck::reach_environment(Range range) {
  if (!reach(Table::environment, range)) return false;
  std::string_view before;
  for (const format::EnvironmentRecord& entry : database_.environment(range)) {
    if (!reach(entry.name) || !reach_pieces(entry.value)) return false;
    const std::string_view name = database_.string(entry.name);
    if (!is_variable_name(name)) return no("an environment variable's name cannot be one");
    if (name <= before) return no("its environment is not sorted");
    before = name;
  }
  return true;
}

bool RecordsCheck::condition(const format::ConditionRecord& condition) {
  if (!is_enumerator(condition.kind, ConditionKind::path_not)) return no("a condition is of no known kind");
  if (!reach(condition.name) || !reach_pieces(condition.value)) return false;
  const auto value = database_.pieces(condition.value);
  const bool is_named = is_variable_name(database_.string(condition.name));
  switch (static_cast<ConditionKind>(condition.kind)) {
    case ConditionKind::env_set:
    case ConditionKind::env_unset: return (is_named && value.empty()) || no("a condition is not well-formed");
    case ConditionKind::env_equals:
    case ConditionKind::env_differs: {
      const bool is_literal = value.empty() || (value.size() == 1 && static_cast<TemplatePiece::Kind>(value[0].kind) ==
                                                                         TemplatePiece::Kind::literal);
      return (is_named && is_literal) || no("a condition is not well-formed");
    }
    case ConditionKind::path:
    case ConditionKind::path_not:
      return (condition.name.length == 0 && !value.empty()) || no("a condition is not well-formed");
  }
  return false;
}

bool RecordsCheck::reach_conditions(Range range) {
  if (!reach(Table::conditions, range)) return false;
  for (const format::ConditionRecord& one : database_.conditions(range)) {
    if (!condition(one)) return false;
  }
  return true;
}

bool RecordsCheck::reach_limits(Range range) {
  if (!reach(Table::limits, range)) return false;
  const auto limits = database_.limits(range);
  for (std::size_t i = 0; i < limits.size(); ++i) {
    if (!is_enumerator(limits[i].kind, LimitKind::stack)) return no("a limit is of no known kind");
    if (i != 0 && limits[i].kind <= limits[i - 1].kind) return no("its limits are not sorted");
    if (limits[i].soft > limits[i].hard) return no("a soft limit is above its hard one");
  }
  return true;
}

bool RecordsCheck::header() {
  const format::Header& header = database_.header();
  if (!is_optional_duration(header.stop_deadline_ms)) return no("the stop deadline is out of range");
  if (header.history_set > 1 || header.socket_group_set > 1) return no("a flag of the header is neither 0 nor 1");
  if (!reach_pieces(header.history) || !reach_pieces(header.socket_group)) return false;
  if (header.history_set == 0 && header.history.count != 0) return no("there is a history that is not there");
  if (header.socket_group_set == 0 && header.socket_group.count != 0) return no("there is a socket group that is not there");
  return true;
}

bool RecordsCheck::reach_all_of(const ServiceRecord& service) {
  return reach(service.name) && name(service) && reach(service.description) && reach(service.instance) &&
         reach_templates(service.command) && reach(Table::contents, service.contents) &&
         reach(Table::edges, service.edges) && reach(Table::dependents, service.dependents) &&
         reach_environment(service.environment) && reach_templates(service.environment_files) &&
         reach_conditions(service.conditions) && reach_limits(service.limits) && reach_templates(service.groups) &&
         reach_templates(service.ready_command) && reach_templates(service.health_command) &&
         reach_templates(service.stop_command) && reach_templates(service.cleanup) && reach_optional(service.lock) &&
         reach_optional(service.user) && reach_optional(service.group) && reach_optional(service.directory) &&
         reach_optional(service.stdin_file) && reach_optional(service.ready_address) &&
         reach_optional(service.health_address) && reach(service.stdin_text);
}

bool RecordsCheck::name(const ServiceRecord& service) {
  const std::string_view name = database_.string(service.name);
  if (!is_service_name(name)) return no("its name cannot be one");
  name_known_ = true;
  return index_ == 0 || database_.name(index_ - 1) < name || no("it is not sorted by name");
}

// What is a byte in the file: enumerators, flags, padding.
bool RecordsCheck::bytes(const ServiceRecord& service) {
  if (!is_enumerator(service.type, ServiceType::bundle)) return no("its type is not known");
  if (!is_enumerator(service.ready_kind, ReadyKind::exec)) return no("its kind of readiness is not known");
  if (!is_enumerator(service.health_kind, HealthKind::exec)) return no("its kind of health check is not known");
  if (!is_enumerator(service.restart_policy, RestartPolicy::never)) return no("its restart policy is not known");
  if (!is_enumerator(service.exhausted, Exhausted::shutdown)) return no("what follows its last attempt is not known");
  for (const std::uint8_t flag :
       {service.autostart, service.essential, service.stop_timeout_written, service.environment_clear,
        service.no_new_privileges, service.at_start, service.resources_required, service.groups_set, service.stdin_text_set,
        service.nice_set, service.oom_score_adj_set, service.capabilities_set}) {
    if (flag > 1) return no("a flag is neither 0 nor 1");
  }
  return all_zero(service.padding) || no("its padding is not zero");
}

bool RecordsCheck::numbers(const ServiceRecord& service) {
  if (database_.string(service.instance) != instance_in(database_.string(service.name)))
    return no("its instance is not that of its name");
  if (service.stop_signal < 1 || service.stop_signal > signals::highest) return no("its stop signal is none");
  if (service.umask > 0777) return no("its umask is out of range");
  const bool has_nice = service.nice_set != 0;
  if (has_nice ? service.nice < -20 || service.nice > 19 : service.nice != 0) return no("its nice value is out of range");
  const bool has_oom = service.oom_score_adj_set != 0;
  if (has_oom ? service.oom_score_adj < -1'000 || service.oom_score_adj > 1'000 : service.oom_score_adj != 0) {
    return no("its oom-score-adj is out of range");
  }
  if (service.capabilities_set == 0 && service.capabilities != 0) return no("it keeps capabilities that are not written");
  if (service.restart_attempts > bounds::attempts && service.restart_attempts != RestartRule::unlimited) {
    return no("its restart attempts are out of range");
  }
  if (service.restart_factor_milli < bounds::factor_milli_min || service.restart_factor_milli > bounds::factor_milli_max) {
    return no("its restart factor is out of range");
  }
  if (service.restart_jitter_milli > 1'000) return no("its restart jitter is out of range");
  if (service.health_failures == 0) return no("its health check may never fail");
  if (service.cpu_max_period_us == 0) return no("its cpu-max has no period");
  return true;
}

bool RecordsCheck::durations(const ServiceRecord& service) {
  for (const std::int64_t ms :
       {service.ready_timeout_ms, service.health_timeout_ms, service.restart_delay_ms, service.restart_max_delay_ms,
        service.restart_reset_after_ms, service.restart_hold_ms, service.stop_timeout_ms, service.schedule_jitter_ms}) {
    if (!is_duration(ms)) return no("a duration is out of range");
  }
  for (const std::int64_t ms : {service.ready_interval_ms, service.health_interval_ms, service.schedule_every_ms}) {
    if (!is_interval(ms)) return no("an interval is out of range");
  }
  if (!is_optional_duration(service.timeout_ms)) return no("its timeout is out of range");
  if (service.watchdog_ms != format::unwritten && !is_interval(service.watchdog_ms)) {
    return no("its watchdog is out of range");
  }
  return service.restart_max_delay_ms >= service.restart_delay_ms || no("its max-delay is below its delay");
}

// What only some types have. Numbers and flags that a type has no use for may have any value in their range: nobody reads
// them.
bool RecordsCheck::presence(const ServiceRecord& service) {
  const auto type = static_cast<ServiceType>(service.type);
  const bool is_bundle = type == ServiceType::bundle;
  if (!exactly_where(!is_bundle, service.command.count != 0, is_bundle ? "a bundle has a command" : "it has no command")) {
    return false;
  }
  if (is_bundle) return absence_in_bundle(service);
  if (service.contents.count != 0) return no("it has contents and is no bundle");
  if (service.groups_set == 0 && service.groups.count != 0) return no("it has groups that are not there");
  if (service.stdin_text_set == 0 && service.stdin_text.length != 0) return no("it has a text for stdin that is not there");
  if (service.stdin_text.length > bounds::stdin_bytes) return no("its text for stdin is too long");
  if (type == ServiceType::longrun) return service.timeout_ms == format::unwritten || no("a longrun has a timeout");
  if (service.essential != 0) return no("it is essential and no longrun");
  if (service.lock != format::none) return no("it has a lock and is no longrun");
  if (service.ready_kind != 0) return no("it has a readiness check and is no longrun");
  if (service.health_kind != 0 || service.watchdog_ms != format::unwritten)
    return no("it has a health check and is no longrun");
  return true;
}

bool RecordsCheck::absence_in_bundle(const ServiceRecord& service) {
  const bool has_ranges = service.edges.count != 0 || service.environment.count != 0 ||
                          service.environment_files.count != 0 || service.conditions.count != 0 ||
                          service.limits.count != 0 || service.groups_set != 0 || service.groups.count != 0 ||
                          service.stop_command.count != 0 || service.cleanup.count != 0;
  const bool has_texts = service.user != format::none || service.group != format::none || service.lock != format::none ||
                         service.directory != format::none || service.stdin_file != format::none ||
                         service.stdin_text_set != 0 || service.stdin_text.length != 0 || service.instance.length != 0;
  const bool has_rules = service.ready_kind != 0 || service.health_kind != 0 || service.watchdog_ms != format::unwritten ||
                         service.timeout_ms != format::unwritten || service.nice_set != 0 ||
                         service.oom_score_adj_set != 0 || service.capabilities_set != 0 || service.essential != 0;
  return (!has_ranges && !has_texts && !has_rules) || no("a bundle is more than a name");
}

// What belongs to one kind of readiness or health check.
bool RecordsCheck::kinds(const ServiceRecord& service) {
  const auto ready = static_cast<ReadyKind>(service.ready_kind);
  const auto health = static_cast<HealthKind>(service.health_kind);
  const bool ready_at = ready == ReadyKind::tcp || ready == ReadyKind::http;
  const bool health_at = health == HealthKind::tcp || health == HealthKind::http;
  if (ready == ReadyKind::fd ? service.ready_fd > INT32_MAX : service.ready_fd != 0) {
    return no("its descriptor for readiness is out of range");
  }
  return exactly_where(ready_at, service.ready_address != format::none,
                       "its readiness check has no address, or one too many") &&
         exactly_where(ready == ReadyKind::exec, service.ready_command.count != 0,
                       "its readiness check has no command, or one too many") &&
         exactly_where(health_at, service.health_address != format::none,
                       "its health check has no address, or one too many") &&
         exactly_where(health == HealthKind::exec, service.health_command.count != 0,
                       "its health check has no command, or one too many");
}

bool RecordsCheck::contents() {
  const auto contents = database_.contents(index_);
  for (std::size_t i = 0; i < contents.size(); ++i) {
    if (contents[i] >= database_.size()) return no("it contains a service that does not exist");
    if (i != 0 && contents[i] <= contents[i - 1]) return no("its contents are not sorted");
    if (static_cast<ServiceType>(database_.service(contents[i]).type) == ServiceType::bundle)
      return no("it contains a bundle");
  }
  return true;
}

// Levels prove that there is no cycle: each is above those of all that the service depends on, so no path of edges comes
// back to where it began.
bool RecordsCheck::edges(const ServiceRecord& service) {
  const auto edges = database_.dependencies(index_);
  std::uint64_t level = 0;
  bool logs = false;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const format::EdgeRecord& edge = edges[i];
    if (edge.service >= database_.size()) return no("an edge leads to a service that does not exist");
    if (edge.service == index_) return no("it has an edge to itself");
    if (i != 0 && edge.service <= edges[i - 1].service) return no("its edges are not sorted");
    if (edge.kinds == 0 || (edge.kinds & ~std::uint32_t{EdgeKinds::all_bits}) != 0) return no("an edge is of no known kind");
    const ServiceRecord& target = database_.service(edge.service);
    const auto type = static_cast<ServiceType>(target.type);
    if (type == ServiceType::bundle) return no("an edge leads to a bundle");
    if (edge.all_kinds().has(EdgeKind::log_to)) {
      if (logs) return no("it logs to two services");
      if (type != ServiceType::longrun) return no("it logs to what is no longrun");
      logs = true;
    }
    level = std::max(level, std::uint64_t{target.level} + 1);
  }
  return service.level == level || no("its level is wrong, or its edges have a cycle");
}

// Each entry is looked up among the edges of its source. Within a service the sources ascend, so no two entries stand for
// the same edge; and since there are as many entries as edges, every edge has its entry.
bool RecordsCheck::dependents() {
  const auto dependents = database_.dependents(index_);
  for (std::size_t i = 0; i < dependents.size(); ++i) {
    const std::uint32_t source = dependents[i].service;
    if (source >= database_.size()) return no("an edge comes from a service that does not exist");
    if (i != 0 && source <= dependents[i - 1].service) return no("its dependents are not sorted");
    const auto edges = database_.dependencies(source);
    const auto edge = std::ranges::lower_bound(edges, index_, {}, &format::EdgeRecord::service);
    if (edge == edges.end() || edge->service != index_ || edge->kinds != dependents[i].kinds) {
      return no("its dependents do not match the edges that lead to it");
    }
  }
  return true;
}

bool RecordsCheck::service(const ServiceRecord& service) {
  return bytes(service) && reach_all_of(service) && numbers(service) && durations(service) && presence(service) &&
         kinds(service) && contents() && edges(service);
}

bool RecordsCheck::all() {
  if (database_.size() > bounds::services) return no("there are more services than there may be");
  if (count(Table::strings) == 0 || *database_.string({.offset = 0, .length = 0}).data() != 0) {
    return no("the texts do not begin with the empty one");
  }
  cursor(Table::strings) = 1;
  cursor(Table::services) = count(Table::services);
  if (!header()) return false;
  in_service_ = true;
  for (index_ = 0; index_ < database_.size(); ++index_) {
    name_known_ = false;
    if (!service(database_.service(index_))) return false;
  }
  // Only now every edge has been reached.
  for (index_ = 0; index_ < database_.size(); ++index_) {
    if (!dependents()) return false;
  }
  in_service_ = false;
  for (std::size_t i = 0; i < format::tables; ++i) {
    if (cursors_[i] != count(static_cast<Table>(i))) return no("a table holds what nothing refers to");
  }
  return count(Table::edges) == count(Table::dependents) || no("an edge is missing from its other end");
}

}  // namespace

std::optional<std::string> problem_of_records(const Database& database) {
  RecordsCheck check(database);
  if (check.all()) return std::nullopt;
  return check.sentence();
}

std::optional<std::string> problem_of_hashes(const Database& database) {
  for (std::uint32_t index = 0; index < database.size(); ++index) {
    const format::ServiceRecord& service = database.service(index);
    const ServiceHashes stored{.runs = service.hash_runs, .looked_after = service.hash_looked_after};
    if (stored != service_hashes(database, index)) {
      return "service " + std::string(database.name(index)) + ": its hashes are not those of its contents";
    }
  }
  return std::nullopt;
}

}  // namespace hcrc

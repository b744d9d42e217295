#include "core/database_writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <unordered_map>

#include "core/bounds.h"
#include "core/database_check.h"
#include "core/database_hashes.h"
#include "core/hash.h"

namespace hcrc {

using format::Range;
using format::StringRef;

namespace {

template <typename Record>
std::uint32_t count_of(const std::vector<Record>& table) {
  return static_cast<std::uint32_t>(table.size());
}

std::int64_t written(std::optional<Milliseconds> duration) { return duration ? duration->count() : format::unwritten; }

void set_codes(std::uint64_t (&words)[4], const ExitCodes& codes) {
  const ExitCodes low(UINT64_MAX);
  for (std::size_t i = 0; i < std::size(words); ++i) words[i] = ((codes >> 64 * i) & low).to_ullong();
}

// The tables as they grow. Each function appends what it is given and tells where that lies.
class Tables {
 public:
  Tables() : strings_(1, '\0') {}

  StringRef text(std::string_view text);
  Range pieces(const Template& source);
  Range templates(const std::vector<Template>& source);
  format::OptionalTemplate optional(const std::optional<Template>& source);
  Range environment(const std::vector<EnvironmentEntry>& source);
  Range conditions(const std::vector<Condition>& source);
  Range limits(const std::vector<Limit>& source);
  Range contents(const std::vector<std::uint32_t>& source);
  Range edges(const std::vector<Edge>& source);
  Range dependents(std::span<const format::EdgeRecord> source);
  void service(const format::ServiceRecord& record) { services_.push_back(record); }

  // Of all tables, without padding.
  std::size_t bytes() const;
  // Header and tables in one piece; the header's hashes and those of the services are still zero.
  std::vector<std::byte> file(format::Header header) const;

 private:
  std::array<std::span<const std::byte>, format::tables> all() const;

  std::vector<format::ServiceRecord> services_;
  std::vector<format::EdgeRecord> edges_;
  std::vector<format::EdgeRecord> dependents_;
  std::vector<std::uint32_t> contents_;
  std::vector<format::TemplateRecord> arguments_;
  std::vector<format::PieceRecord> pieces_;
  std::vector<format::EnvironmentRecord> environment_;
  std::vector<format::ConditionRecord> conditions_;
  std::vector<format::LimitRecord> limits_;
  std::string strings_;
  std::unordered_map<std::string_view, StringRef> shared_;  // keys lie in the graph; only looked up, never walked
};

// What a range of `count` records says that was appended from `first` on.
Range range_of(std::size_t first, std::size_t count) {
  if (count == 0) return {.first = 0, .count = 0};
  return {.first = static_cast<std::uint32_t>(first), .count = static_cast<std::uint32_t>(count)};
}

StringRef Tables::text(std::string_view text) {
  if (text.empty()) return {.offset = 0, .length = 0};
  const StringRef here{.offset = static_cast<std::uint32_t>(strings_.size()),
                       .length = static_cast<std::uint32_t>(text.size())};
  if (text.size() <= format::shared_string_bytes) {
    const auto [known, is_new] = shared_.try_emplace(text, here);
    if (!is_new) return known->second;
  }
  strings_.append(text).push_back('\0');
  return here;
}

Range Tables::pieces(const Template& source) {
  const Range range = range_of(pieces_.size(), source.pieces.size());
  for (const TemplatePiece& piece : source.pieces) {
    const StringRef word = text(piece.text);
    const StringRef fallback = text(piece.fallback);
    pieces_.push_back({.kind = static_cast<std::uint32_t>(piece.kind), .text = word, .fallback = fallback});
  }
  return range;
}

Range Tables::templates(const std::vector<Template>& source) {
  const Range range = range_of(arguments_.size(), source.size());
  for (const Template& one : source) arguments_.push_back({.pieces = pieces(one)});
  return range;
}

format::OptionalTemplate Tables::optional(const std::optional<Template>& source) {
  if (!source) return format::none;
  const std::uint32_t index = count_of(arguments_);
  arguments_.push_back({.pieces = pieces(*source)});
  return index;
}

Range Tables::environment(const std::vector<EnvironmentEntry>& source) {
  const Range range = range_of(environment_.size(), source.size());
  for (const EnvironmentEntry& entry : source) {
    const StringRef name = text(entry.name);
    environment_.push_back({.name = name, .value = pieces(entry.value)});
  }
  return range;
}

Range Tables::conditions(const std::vector<Condition>& source) {
  const Range range = range_of(conditions_.size(), source.size());
  for (const Condition& condition : source) {
    const StringRef name = text(condition.name);
    conditions_.push_back(
        {.kind = static_cast<std::uint32_t>(condition.kind), .name = name, .value = pieces(condition.value)});
  }
  return range;
}

Range Tables::limits(const std::vector<Limit>& source) {
  const Range range = range_of(limits_.size(), source.size());
  for (const Limit& limit : source) {
    limits_.push_back({.kind = static_cast<std::uint64_t>(limit.kind), .soft = limit.soft, .hard = limit.hard});
  }
  return range;
}

Range Tables::contents(const std::vector<std::uint32_t>& source) {
  const Range range = range_of(contents_.size(), source.size());
  contents_.insert(contents_.end(), source.begin(), source.end());
  return range;
}

Range Tables::edges(const std::vector<Edge>& source) {
  const Range range = range_of(edges_.size(), source.size());
  for (const Edge& edge : source) edges_.push_back({.service = edge.target, .kinds = edge.kinds.bits()});
  return range;
}

Range Tables::dependents(std::span<const format::EdgeRecord> source) {
  const Range range = range_of(dependents_.size(), source.size());
  dependents_.insert(dependents_.end(), source.begin(), source.end());
  return range;
}

// In the order of format::Table.
std::array<std::span<const std::byte>, format::tables> Tables::all() const {
  const auto bytes = [](const auto& table) { return std::as_bytes(std::span(table)); };
  return {bytes(services_), bytes(edges_),       bytes(dependents_), bytes(contents_), bytes(arguments_),
          bytes(pieces_),   bytes(environment_), bytes(conditions_), bytes(limits_),   bytes(strings_)};
}

std::size_t Tables::bytes() const {
  std::size_t sum = 0;
  for (const auto table : all()) sum += table.size();
  return sum;
}

std::vector<std::byte> Tables::file(format::Header header) const {
  std::vector<std::byte> file(sizeof header);
  const auto tables = all();
  std::size_t bytes = sizeof header;
  for (const auto& table : tables) bytes += table.size() + format::alignment;
  file.reserve(bytes);
  for (std::size_t i = 0; i < format::tables; ++i) {
    file.resize((file.size() + format::alignment - 1) / format::alignment * format::alignment);
    header.table[i] = {.offset = file.size(),
                       .count = static_cast<std::uint32_t>(tables[i].size() / format::record_bytes[i]),
                       .record_bytes = format::record_bytes[i]};
    file.insert(file.end(), tables[i].begin(), tables[i].end());
  }
  std::memcpy(header.magic, format::magic, sizeof header.magic);
  header.version = format::version;
  header.header_bytes = sizeof header;
  header.file_bytes = file.size();
  std::memcpy(file.data(), &header, sizeof header);
  return file;
}

// The edges from their other end, and the levels. Both are found without following edges by recursion: a chain may be as
// long as there are services.
class Order {
 public:
  // False where an edge leads out of the graph.
  bool read(const std::vector<Service>& services);
  // False where there is a cycle.
  bool find_levels(const std::vector<Service>& services);

  std::span<const format::EdgeRecord> dependents(std::uint32_t target) const {
    return std::span(edges_).subspan(first_[target], first_[target + 1] - first_[target]);
  }
  std::uint32_t level(std::uint32_t index) const { return levels_[index]; }

 private:
  std::vector<std::size_t> first_;  // of each target in edges_; one more entry than there are services
  std::vector<format::EdgeRecord> edges_;
  std::vector<std::uint32_t> levels_;
};

bool Order::read(const std::vector<Service>& services) {
  first_.assign(services.size() + 1, 0);
  for (const Service& service : services) {
    for (const Edge& edge : service.edges) {
      if (edge.target >= services.size()) return false;
      ++first_[edge.target + 1];
    }
  }
  for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  edges_.resize(first_.back());
  std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
  for (std::uint32_t source = 0; source < services.size(); ++source) {
    for (const Edge& edge : services[source].edges) {
      edges_[next[edge.target]++] = {.service = source, .kinds = edge.kinds.bits()};
    }
  }
  return true;
}

bool Order::find_levels(const std::vector<Service>& services) {
  levels_.assign(services.size(), 0);
  std::vector<std::size_t> missing(services.size());  // dependencies without a level yet
  std::vector<std::uint32_t> settled;
  settled.reserve(services.size());
  for (std::uint32_t index = 0; index < services.size(); ++index) {
    missing[index] = services[index].edges.size();
    if (missing[index] == 0) settled.push_back(index);
  }
  for (std::size_t done = 0; done < settled.size(); ++done) {
    for (const format::EdgeRecord& edge : dependents(settled[done])) {
      levels_[edge.service] = std::max(levels_[edge.service], levels_[settled[done]] + 1);
      if (--missing[edge.service] == 0) settled.push_back(edge.service);
    }
  }
  return settled.size() == services.size();
}

void set_scalars(format::ServiceRecord& record, const Service& service) {
  record.timeout_ms = written(service.timeout);
  record.ready_interval_ms = service.ready.interval.count();
  record.ready_timeout_ms = service.ready.timeout.count();
  record.health_interval_ms = service.health.interval.count();
  record.health_timeout_ms = service.health.timeout.count();
  record.watchdog_ms = written(service.health.watchdog);
  record.restart_delay_ms = service.restart.delay.count();
  record.restart_max_delay_ms = service.restart.max_delay.count();
  record.restart_reset_after_ms = service.restart.reset_after.count();
  record.restart_hold_ms = service.restart.hold.count();
  record.stop_timeout_ms = service.stop.timeout.count();
  record.schedule_every_ms = service.schedule.every.count();
  record.schedule_jitter_ms = service.schedule.jitter.count();
  record.capabilities = service.capabilities.value_or(0);
  record.memory_max = service.resources.memory_max;
  record.cpu_max_quota_us = service.resources.cpu_max_quota_us;
  record.cpu_max_period_us = service.resources.cpu_max_period_us;
  record.pids_max = service.resources.pids_max;
  set_codes(record.success_codes, service.restart.success_codes);
  set_codes(record.permanent_codes, service.restart.permanent_codes);
  record.restart_attempts = service.restart.attempts;
  record.restart_factor_milli = service.restart.factor_milli;
  record.restart_jitter_milli = service.restart.jitter_milli;
  record.health_failures = service.health.failures;
  record.ready_fd = service.ready.fd;
  record.oom_score_adj = service.oom_score_adj.value_or(0);
  record.nice = service.nice.value_or(0);  // NOLINT(bugprone-signed-char-misuse): a number, no character
  record.umask = service.umask;
  record.type = static_cast<std::uint8_t>(service.type);
  record.ready_kind = static_cast<std::uint8_t>(service.ready.kind);
  record.health_kind = static_cast<std::uint8_t>(service.health.kind);
  record.restart_policy = static_cast<std::uint8_t>(service.restart.policy);
  record.exhausted = static_cast<std::uint8_t>(service.restart.exhausted);
  record.stop_signal = service.stop.signal;
  record.autostart = service.autostart;
  record.essential = service.essential;
  record.stop_timeout_written = service.stop.timeout_written;
  record.environment_clear = service.environment_clear;
  record.no_new_privileges = service.no_new_privileges;
  record.at_start = service.schedule.at_start;
  record.resources_required = service.resources.required;
  record.groups_set = service.groups.has_value();
  record.stdin_text_set = service.stdin_text.has_value();
  record.nice_set = service.nice.has_value();
  record.oom_score_adj_set = service.oom_score_adj.has_value();
  record.capabilities_set = service.capabilities.has_value();
}

// Appends in the order of the members of ServiceRecord, which is part of the format.
format::ServiceRecord record_of(const Service& service, std::uint32_t index, const Order& order, Tables& tables) {
  format::ServiceRecord record{};
  record.name = tables.text(service.name);
  record.description = tables.text(service.description);
  record.instance = tables.text(service.instance);
  record.command = tables.templates(service.command);
  record.contents = tables.contents(service.contents);
  record.edges = tables.edges(service.edges);
  record.dependents = tables.dependents(order.dependents(index));
  record.environment = tables.environment(service.environment);
  record.environment_files = tables.templates(service.environment_files);
  record.conditions = tables.conditions(service.conditions);
  record.limits = tables.limits(service.limits);
  record.groups = service.groups ? tables.templates(*service.groups) : Range{};
  record.ready_command = tables.templates(service.ready.command);
  record.health_command = tables.templates(service.health.command);
  record.stop_command = tables.templates(service.stop.command);
  record.cleanup = tables.templates(service.cleanup);
  record.lock = tables.optional(service.lock);
  record.user = tables.optional(service.user);
  record.group = tables.optional(service.group);
  record.directory = tables.optional(service.directory);
  record.stdin_file = tables.optional(service.stdin_file);
  record.ready_address = tables.optional(service.ready.address);
  record.health_address = tables.optional(service.health.address);
  record.level = order.level(index);
  record.stdin_text = tables.text(service.stdin_text ? std::string_view(*service.stdin_text) : std::string_view());
  set_scalars(record, service);
  return record;
}

format::Header header_of(const NodeSettings& node, Tables& tables) {
  format::Header header{};
  header.stop_deadline_ms = written(node.stop_deadline);
  header.history = node.history ? tables.pieces(*node.history) : Range{};
  header.socket_group = node.socket_group ? tables.pieces(*node.socket_group) : Range{};
  header.history_set = node.history.has_value();
  header.socket_group_set = node.socket_group.has_value();
  return header;
}

template <typename Value>
void put(std::vector<std::byte>& file, std::size_t offset, const Value& value) {
  std::memcpy(file.data() + offset, &value, sizeof value);
}

void put_hash_behind(std::vector<std::byte>& file, std::size_t field) {
  Fnv1a64 hash;
  hash.bytes(std::span(file).subspan(field + sizeof(std::uint64_t)));
  put(file, field, hash.value());
}

std::unexpected<DatabaseError> refuse(std::string sentence) { return std::unexpected(DatabaseError{std::move(sentence)}); }

std::unexpected<DatabaseError> too_large() {
  return refuse("the database would be larger than " + std::to_string(bounds::database_bytes) +
                " bytes: define fewer services, or shorter texts");
}

}  // namespace

std::expected<std::vector<std::byte>, DatabaseError> write_database(const ServiceGraph& graph) {
  if (graph.services.size() > bounds::services) {
    return refuse(std::to_string(graph.services.size()) + " services are more than " + std::to_string(bounds::services) +
                  ": define fewer");
  }
  Order order;
  if (!order.read(graph.services)) return refuse("an edge leads out of the graph");
  if (!order.find_levels(graph.services)) return refuse("the edges have a cycle");

  Tables tables;
  const format::Header header = header_of(graph.node, tables);
  for (std::uint32_t index = 0; index < graph.services.size(); ++index) {
    tables.service(record_of(graph.services[index], index, order, tables));
    // Here, so that no 32-bit offset has come to its end before it is noticed.
    if (tables.bytes() > bounds::database_bytes) return too_large();
  }
  std::vector<std::byte> file = tables.file(header);
  if (file.size() > bounds::database_bytes) return too_large();

  const Database records = Database::unchecked(file);
  if (auto problem = problem_of_records(records)) return refuse(std::move(*problem));
  const std::size_t services = records.header().table[static_cast<std::size_t>(format::Table::services)].offset;
  for (std::uint32_t index = 0; index < records.size(); ++index) {
    const ServiceHashes hashes = service_hashes(records, index);
    const std::size_t record = services + index * sizeof(format::ServiceRecord);
    put(file, record + offsetof(format::ServiceRecord, hash_runs), hashes.runs);
    put(file, record + offsetof(format::ServiceRecord, hash_looked_after), hashes.looked_after);
  }
  put_hash_behind(file, offsetof(format::Header, build_id));
  put_hash_behind(file, offsetof(format::Header, checksum));
  return file;
}

}  // namespace hcrc

#include "tests/core/database_fields.h"

#include <cstdint>
#include <type_traits>

namespace hcrc {

namespace {

using namespace format;

// The numbers that a member consists of are of one size each.
template <typename Member>
constexpr std::size_t number_bytes() {
  using Element = std::remove_all_extents_t<Member>;
  if constexpr (std::is_same_v<Element, Range> || std::is_same_v<Element, StringRef>) return sizeof(std::uint32_t);
  if constexpr (std::is_same_v<Element, char>) return 1;
  return sizeof(Element) < sizeof(std::uint64_t) || std::is_integral_v<Element> ? sizeof(Element) : sizeof(std::uint32_t);
}

void add(std::vector<RecordField>& fields, std::size_t offset, std::size_t bytes, std::size_t each) {
  for (std::size_t at = 0; at < bytes; at += each) fields.push_back({.offset = offset + at, .bytes = each});
}

#define ADD(record, member) \
  add(fields, offsetof(record, member), sizeof(record::member), number_bytes<decltype(record::member)>())

std::vector<RecordField> service_fields() {
  std::vector<RecordField> fields;
  ADD(ServiceRecord, name);
  ADD(ServiceRecord, description);
  ADD(ServiceRecord, instance);
  ADD(ServiceRecord, command);
  ADD(ServiceRecord, contents);
  ADD(ServiceRecord, edges);
  ADD(ServiceRecord, dependents);
  ADD(ServiceRecord, environment);
  ADD(ServiceRecord, environment_files);
  ADD(ServiceRecord, conditions);
  ADD(ServiceRecord, limits);
  ADD(ServiceRecord, groups);
  ADD(ServiceRecord, ready_command);
  ADD(ServiceRecord, health_command);
  ADD(ServiceRecord, stop_command);
  ADD(ServiceRecord, cleanup);
  ADD(ServiceRecord, lock);
  ADD(ServiceRecord, user);
  ADD(ServiceRecord, group);
  ADD(ServiceRecord, directory);
  ADD(ServiceRecord, stdin_file);
  ADD(ServiceRecord, ready_address);
  ADD(ServiceRecord, health_address);
  ADD(ServiceRecord, level);
  ADD(ServiceRecord, stdin_text);
  ADD(ServiceRecord, timeout_ms);
  ADD(ServiceRecord, ready_interval_ms);
  ADD(ServiceRecord, ready_timeout_ms);
  ADD(ServiceRecord, health_interval_ms);
  ADD(ServiceRecord, health_timeout_ms);
  ADD(ServiceRecord, watchdog_ms);
  ADD(ServiceRecord, restart_delay_ms);
  ADD(ServiceRecord, restart_max_delay_ms);
  ADD(ServiceRecord, restart_reset_after_ms);
  ADD(ServiceRecord, restart_hold_ms);
  ADD(ServiceRecord, stop_timeout_ms);
  ADD(ServiceRecord, schedule_every_ms);
  ADD(ServiceRecord, schedule_jitter_ms);
  ADD(ServiceRecord, capabilities);
  ADD(ServiceRecord, memory_max);
  ADD(ServiceRecord, cpu_max_quota_us);
  ADD(ServiceRecord, cpu_max_period_us);
  ADD(ServiceRecord, pids_max);
  ADD(ServiceRecord, success_codes);
  ADD(ServiceRecord, permanent_codes);
  ADD(ServiceRecord, restart_attempts);
  ADD(ServiceRecord, restart_factor_milli);
  ADD(ServiceRecord, restart_jitter_milli);
  ADD(ServiceRecord, health_failures);
  ADD(ServiceRecord, ready_fd);
  ADD(ServiceRecord, oom_score_adj);
  ADD(ServiceRecord, nice);
  ADD(ServiceRecord, umask);
  ADD(ServiceRecord, type);
  ADD(ServiceRecord, ready_kind);
  ADD(ServiceRecord, health_kind);
  ADD(ServiceRecord, restart_policy);
  ADD(ServiceRecord, exhausted);
  ADD(ServiceRecord, stop_signal);
  ADD(ServiceRecord, autostart);
  ADD(ServiceRecord, essential);
  ADD(ServiceRecord, stop_timeout_written);
  ADD(ServiceRecord, environment_clear);
  ADD(ServiceRecord, no_new_privileges);
  ADD(ServiceRecord, at_start);
  ADD(ServiceRecord, resources_required);
  ADD(ServiceRecord, groups_set);
  ADD(ServiceRecord, stdin_text_set);
  ADD(ServiceRecord, nice_set);
  ADD(ServiceRecord, oom_score_adj_set);
  ADD(ServiceRecord, capabilities_set);
  ADD(ServiceRecord, padding);
  ADD(ServiceRecord, hash_runs);
  ADD(ServiceRecord, hash_looked_after);
  return fields;
}

}  // namespace

std::vector<RecordField> header_fields() {
  std::vector<RecordField> fields;
  ADD(Header, magic);
  ADD(Header, version);
  ADD(Header, header_bytes);
  ADD(Header, file_bytes);
  ADD(Header, checksum);
  ADD(Header, build_id);
  for (std::size_t i = 0; i < tables; ++i) {
    const std::size_t entry = offsetof(Header, table) + i * sizeof(TableEntry);
    add(fields, entry + offsetof(TableEntry, offset), sizeof(TableEntry::offset), sizeof(TableEntry::offset));
    add(fields, entry + offsetof(TableEntry, count), sizeof(TableEntry::count), sizeof(TableEntry::count));
    add(fields, entry + offsetof(TableEntry, record_bytes), sizeof(TableEntry::record_bytes),
        sizeof(TableEntry::record_bytes));
  }
  ADD(Header, stop_deadline_ms);
  ADD(Header, history);
  ADD(Header, socket_group);
  ADD(Header, history_set);
  ADD(Header, socket_group_set);
  ADD(Header, padding);
  return fields;
}

#undef ADD

std::vector<RecordField> record_fields(Table table) {
  std::vector<RecordField> fields;
  const std::size_t bytes = record_bytes[static_cast<std::size_t>(table)];
  switch (table) {
    case Table::services: return service_fields();
    case Table::limits: add(fields, 0, bytes, sizeof(std::uint64_t)); return fields;
    case Table::strings: add(fields, 0, bytes, 1); return fields;
    case Table::edges:
    case Table::dependents:
    case Table::contents:
    case Table::arguments:
    case Table::pieces:
    case Table::environment:
    case Table::conditions: add(fields, 0, bytes, sizeof(std::uint32_t)); return fields;
  }
  return fields;
}

}  // namespace hcrc

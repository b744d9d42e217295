#include "tests/core/database_surgery.h"

#include <cstring>
#include <span>

#include "core/database_hashes.h"
#include "core/hash.h"

namespace hcrc {

namespace {

void seal_field(std::vector<std::byte>& bytes, std::size_t field) {
  const std::size_t behind = field + sizeof(std::uint64_t);
  if (bytes.size() < behind) return;
  Fnv1a64 hash;
  hash.bytes(std::span(bytes).subspan(behind));
  const std::uint64_t value = hash.value();
  std::memcpy(bytes.data() + field, &value, sizeof value);
}

class Walk {
 public:
  explicit Walk(const Database& database) : database_(database) {}

  void text(format::StringRef ref) {
    const std::string_view view = database_.string(ref);
    expect(std::strlen(view.data()) == view.size(), "a string does not end where it says");
    sum_.text(view);
  }
  void pieces(format::Range range) {
    for (const format::PieceRecord& piece : database_.pieces(range)) {
      text(piece.text);
      text(piece.fallback);
    }
  }
  void templates(format::Range range) {
    for (const format::TemplateRecord& one : database_.arguments(range)) pieces(one.pieces);
  }
  void optional(format::OptionalTemplate index) {
    const auto found = database_.pieces_of(index);
    if (!found) return;
    for (const format::PieceRecord& piece : *found) text(piece.text);
  }
  void service(std::uint32_t index) {
    const format::ServiceRecord& record = database_.service(index);
    text(record.name);
    text(record.description);
    text(record.instance);
    text(record.stdin_text);
    for (const format::Range range : {record.command, record.environment_files, record.groups, record.ready_command,
                                      record.health_command, record.stop_command, record.cleanup}) {
      templates(range);
    }
    for (const format::OptionalTemplate index_of : {record.lock, record.user, record.group, record.directory,
                                                    record.stdin_file, record.ready_address, record.health_address}) {
      optional(index_of);
    }
    for (const format::EnvironmentRecord& entry : database_.environment(record.environment)) {
      text(entry.name);
      pieces(entry.value);
    }
    for (const format::ConditionRecord& condition : database_.conditions(record.conditions)) {
      text(condition.name);
      pieces(condition.value);
    }
    for (const format::LimitRecord& limit : database_.limits(record.limits)) sum_.number(limit.kind);
    for (const std::uint32_t inner : database_.contents(index)) sum_.text(database_.name(inner));
    for (const format::EdgeRecord& edge : database_.dependencies(index)) {
      expect(database_.service(edge.service).level < record.level, "an edge does not lead down");
      sum_.text(database_.name(edge.service));
    }
    for (const format::EdgeRecord& edge : database_.dependents(index)) sum_.text(database_.name(edge.service));
    expect(database_.find(database_.name(index)) == index, "a name is not found");
  }
  Walked result() const { return {.sum = sum_.value(), .fault = fault_}; }

 private:
  void expect(bool holds, const char* fault) {
    if (!holds && fault_ == nullptr) fault_ = fault;
  }

  const Database& database_;
  Fnv1a64 sum_;
  const char* fault_ = nullptr;
};

}  // namespace

void seal(std::vector<std::byte>& bytes) {
  seal_field(bytes, offsetof(format::Header, build_id));
  seal_field(bytes, offsetof(format::Header, checksum));
}

void seal_services(std::vector<std::byte>& bytes) {
  const Database records = Database::unchecked(bytes);
  const std::uint64_t services = records.header().table[static_cast<std::size_t>(format::Table::services)].offset;
  for (std::uint32_t index = 0; index < records.size(); ++index) {
    const ServiceHashes hashes = service_hashes(records, index);
    std::byte* record = bytes.data() + services + index * sizeof(format::ServiceRecord);
    std::memcpy(record + offsetof(format::ServiceRecord, hash_runs), &hashes.runs, sizeof hashes.runs);
    std::memcpy(record + offsetof(format::ServiceRecord, hash_looked_after), &hashes.looked_after,
                sizeof hashes.looked_after);
  }
  seal(bytes);
}

std::expected<Database, DatabaseError> load_sealed(std::vector<std::byte>& bytes) {
  seal(bytes);
  auto database = Database::load(bytes);
  // The hashes are looked at last: where they are all that is wrong the records can be trusted.
  if (database || database.error().sentence.find("its hashes are not") == std::string::npos) return database;
  seal_services(bytes);
  return Database::load(bytes);
}

Walked walk(const Database& database) {
  Walk walk(database);
  walk.pieces(database.header().history);
  walk.pieces(database.header().socket_group);
  for (std::uint32_t index = 0; index < database.size(); ++index) walk.service(index);
  return walk.result();
}

}  // namespace hcrc

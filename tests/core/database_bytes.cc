#include "tests/core/database_bytes.h"

namespace hcrc {

namespace {

class Walk {
 public:
  explicit Walk(const Database& database) : database_(database) {}

  void text(format::StringRef ref) {
    const std::string_view view = database_.string(ref);
    REQUIRE(std::strlen(view.data()) == view.size());
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
      REQUIRE(database_.service(edge.service).level < record.level);
      sum_.text(database_.name(edge.service));
    }
    for (const format::EdgeRecord& edge : database_.dependents(index)) sum_.text(database_.name(edge.service));
    REQUIRE(database_.find(database_.name(index)) == index);
  }
  std::uint64_t sum() const { return sum_.value(); }

 private:
  const Database& database_;
  Fnv1a64 sum_;
};

}  // namespace

std::uint64_t walk(const Database& database) {
  Walk walk(database);
  walk.pieces(database.header().history);
  walk.pieces(database.header().socket_group);
  for (std::uint32_t index = 0; index < database.size(); ++index) walk.service(index);
  return walk.sum();
}

}  // namespace hcrc

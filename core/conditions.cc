#include "core/conditions.h"

#include <string>

namespace hcrc {

namespace {

// The value of a variable; empty where it is not set, since an empty one counts as unset.
std::string_view value_of(std::string_view name, std::span<const std::string_view> environment) {
  for (const std::string_view entry : environment) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return entry.substr(name.size() + 1);
  }
  return {};
}

bool holds(const Database& database, const format::ConditionRecord& condition,
           std::span<const std::string_view> environment) {
  const auto kind = static_cast<ConditionKind>(condition.kind);
  if (kind == ConditionKind::path || kind == ConditionKind::path_not) return true;  // judged by the start itself
  const std::string_view value = value_of(database.string(condition.name), environment);
  std::string wanted;
  for (const format::PieceRecord& piece : database.pieces(condition.value)) wanted += database.string(piece.text);
  switch (kind) {
    case ConditionKind::env_set: return !value.empty();
    case ConditionKind::env_unset: return value.empty();
    case ConditionKind::env_equals: return value == wanted;
    case ConditionKind::env_differs: return value != wanted;
    case ConditionKind::path:
    case ConditionKind::path_not: break;
  }
  return true;
}

}  // namespace

std::vector<bool> conditions_that_fail(const Database& database, std::span<const std::string_view> environment) {
  std::vector<bool> failing(database.size(), false);
  for (std::uint32_t service = 0; service < database.size(); ++service) {
    for (const format::ConditionRecord& condition : database.conditions(database.service(service).conditions)) {
      if (!holds(database, condition, environment)) failing[service] = true;
    }
  }
  return failing;
}

}  // namespace hcrc

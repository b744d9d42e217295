#include "core/runtime/expand.h"

#include <algorithm>
#include <utility>

namespace hcrc {

std::optional<std::string_view> Variables::find(std::string_view name) const {
  if (!instance.empty() && name == "INSTANCE") return instance;
  if (const auto value = service.find(name)) return value;
  return runtime.find(name);
}

OrFailure<std::string> expand(const Database& database, std::span<const format::PieceRecord> pieces,
                              const Variables& variables) {
  std::string result;
  for (const format::PieceRecord& piece : pieces) {
    const std::string_view text = database.string(piece.text);
    switch (static_cast<TemplatePiece::Kind>(piece.kind)) {
      case TemplatePiece::Kind::literal: result += text; break;
      case TemplatePiece::Kind::variable: {
        const auto value = variables.find(text);
        if (!value) return failed(Stage::variable, 0, shown(text) + " is not set and has no default");
        result += *value;
        break;
      }
      case TemplatePiece::Kind::variable_or: {
        const auto value = variables.find(text);
        result += value && !value->empty() ? *value : database.string(piece.fallback);
        break;
      }
    }
  }
  return result;
}

OrFailure<std::vector<std::string>> expand_all(const Database& database, format::Range arguments,
                                               const Variables& variables) {
  std::vector<std::string> result;
  for (const format::TemplateRecord& argument : database.arguments(arguments)) {
    auto word = expand(database, database.pieces(argument), variables);
    if (!word) return std::unexpected(std::move(word.error()));
    result.push_back(std::move(*word));
  }
  return result;
}

bool has_variables(std::span<const format::PieceRecord> pieces) {
  return std::ranges::any_of(pieces, [](const format::PieceRecord& piece) {
    return static_cast<TemplatePiece::Kind>(piece.kind) != TemplatePiece::Kind::literal;
  });
}

}  // namespace hcrc

#include "compiler/template_text.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "compiler/diagnostics.h"

namespace hcrc::compiler {

namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// How many bytes of `text` are a variable's name.
std::size_t name_length(std::string_view text) {
  if (text.empty() || !is_name_start(text[0])) return 0;
  std::size_t length = 1;
  while (length < text.size() && is_name_part(text[length])) ++length;
  return length;
}

TemplateError error(std::string message, std::string_view note = "write ${NAME}, or ${NAME:-default}; $$ is a $") {
  return {.message = std::move(message), .note = std::string(note)};
}

// In a default `$$` is a `$`, too. None where a variable begins in it.
std::optional<std::string> fallback_text(std::string_view text) {
  std::string fallback;
  for (std::size_t i = 0; i < text.size(); ++i) {
    fallback.push_back(text[i]);
    if (text[i] != '$' || i + 1 == text.size()) continue;
    if (text[i + 1] == '{') return std::nullopt;
    if (text[i + 1] == '$') ++i;
  }
  return fallback;
}

// Reads what follows `${`, up to and with the `}`, off the front of `text`.
std::expected<TemplatePiece, TemplateError> take_variable(std::string_view& text) {
  const std::size_t end = text.find('}');
  if (end == std::string_view::npos) return std::unexpected(error("a ${ has no }"));
  const std::string_view inside = text.substr(0, end);
  const std::size_t length = name_length(inside);
  const std::string_view tail = inside.substr(length);
  const std::string shown = in_quotes(fmt::format("${{{}}}", inside));
  if (length == 0) {
    return std::unexpected(error(fmt::format("{} does not begin with a variable's name", shown),
                                 "a name has letters, digits and _, and does not begin with a digit; $$ is a $"));
  }
  text.remove_prefix(end + 1);
  TemplatePiece piece{.kind = TemplatePiece::Kind::variable, .text = std::string(inside.substr(0, length)), .fallback = {}};
  if (tail.empty()) return piece;
  if (!tail.starts_with(":-")) {
    return std::unexpected(error(fmt::format("{} goes on behind the name with {}", shown, in_quotes(tail))));
  }
  piece.kind = TemplatePiece::Kind::variable_or;
  auto fallback = fallback_text(tail.substr(2));
  if (!fallback) return std::unexpected(error(fmt::format("{} begins another ${{", shown), "variables are not nested"));
  piece.fallback = std::move(*fallback);
  return piece;
}

}  // namespace

std::expected<Template, TemplateError> parse_template(std::string_view text) {
  Template result;
  std::string literal;
  const auto end_literal = [&] {
    if (literal.empty()) return;
    result.pieces.push_back({.kind = TemplatePiece::Kind::literal, .text = std::move(literal), .fallback = {}});
    literal.clear();
  };
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('$'), text.size());
    literal.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.starts_with("${")) {
      text.remove_prefix(2);
      auto piece = take_variable(text);
      if (!piece) return std::unexpected(std::move(piece.error()));
      end_literal();
      result.pieces.push_back(std::move(*piece));
    } else if (!text.empty()) {
      literal.push_back('$');
      text.remove_prefix(text.starts_with("$$") ? 2 : 1);
    }
  }
  end_literal();
  return result;
}

Template literal_template(std::string_view text) {
  Template result;
  if (!text.empty()) {
    result.pieces.push_back({.kind = TemplatePiece::Kind::literal, .text = std::string(text), .fallback = {}});
  }
  return result;
}

const std::string* literal_text(const Template& text) {
  static const std::string empty;
  if (text.pieces.empty()) return &empty;
  const bool literal = text.pieces.size() == 1 && text.pieces[0].kind == TemplatePiece::Kind::literal;
  return literal ? &text.pieces[0].text : nullptr;
}

}  // namespace hcrc::compiler

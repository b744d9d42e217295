#include "compiler/toml_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics.h"
#include "compiler/source_file.h"

namespace hcrc::compiler {

namespace {

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

std::string escaped(char32_t point) {
  switch (point) {
    case U'\n': return "\\n";
    case U'\r': return "\\r";
    case U'\t': return "\\t";
    case U'"': return "\\\"";
    case U'\\': return "\\\\";
    default: break;
  }
  const auto number = static_cast<std::uint32_t>(point);
  return number > 0xFFFF ? fmt::format("\\U{:08X}", number) : fmt::format("\\u{:04X}", number);
}

// A `$` that would begin something is doubled: before `{` and `$`, and where a variable follows this text.
void append_dollars(std::string& out, std::string_view text, bool variable_follows) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool last = i + 1 == text.size();
    out.push_back(text[i]);
    if (text[i] == '$' && (last ? variable_follows : text[i + 1] == '{' || text[i + 1] == '$')) out.push_back('$');
  }
}

}  // namespace

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const CodePoint point = next_code_point(text);
    if (!point.valid) {
      out.append("\uFFFD");
    } else if (is_hidden(point.value) || point.value == U'"' || point.value == U'\\') {
      out.append(escaped(point.value));
    } else {
      out.append(text.substr(0, point.bytes));
    }
    text.remove_prefix(point.bytes);
  }
  return out.append("\"");
}

std::string toml_key(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, is_bare) ? std::string(name) : toml_text(name);
}

std::string template_source(const Template& text) {
  std::string out;
  for (std::size_t i = 0; i < text.pieces.size(); ++i) {
    const TemplatePiece& piece = text.pieces[i];
    switch (piece.kind) {
      case TemplatePiece::Kind::literal: append_dollars(out, piece.text, i + 1 < text.pieces.size()); break;
      case TemplatePiece::Kind::variable: out.append("${").append(piece.text).append("}"); break;
      case TemplatePiece::Kind::variable_or:
        out.append("${").append(piece.text).append(":-");
        append_dollars(out, piece.fallback, false);
        out.append("}");
        break;
    }
  }
  return out;
}

}  // namespace hcrc::compiler

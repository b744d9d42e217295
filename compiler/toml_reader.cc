#include "compiler/toml_reader.h"

// The library, header-only and without exceptions: the packaged one is shared and throws. Two of its habits are undone,
// since its input may be hostile:
//   - assertions that do not hold for every text (a header `[=]` breaks one), and that NDEBUG turns into promises to the
//     optimizer: without them it reports these texts as the errors that they are;
//   - a check for blanks outside of ASCII that calls its end unreachable, which most other letters reach (as the first one
//     behind a line that ends with a backslash): it answers "no blank" now.
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#if __has_include(<toml++/impl/unicode.h>)
#include <toml++/impl/forward_declarations.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE \
  return {}
#include <toml++/impl/unicode.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE __builtin_unreachable()
#endif
#include <toml++/toml.h>

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/toml_bounds.h"

namespace hcrc::compiler {

namespace {

Place place_of(const toml::source_region& region, std::uint32_t file) {
  const bool one_line = region.begin.line == region.end.line && region.end.column > region.begin.column;
  return {.file = file,
          .line = region.begin.line,
          .column = region.begin.column,
          .length = one_line ? region.end.column - region.begin.column : 0};
}

void take_value(SyntaxNode& node, const toml::node& from) {
  switch (from.type()) {
    case toml::node_type::string:
      node.kind = NodeKind::text;
      node.text = from.as_string()->get();
      return;
    case toml::node_type::integer:
      node.kind = NodeKind::integer;
      node.integer = from.as_integer()->get();
      return;
    case toml::node_type::floating_point:
      node.kind = NodeKind::real;
      node.real = from.as_floating_point()->get();
      return;
    case toml::node_type::boolean:
      node.kind = NodeKind::boolean;
      node.boolean = from.as_boolean()->get();
      return;
    case toml::node_type::array: node.kind = NodeKind::array; return;
    case toml::node_type::table: node.kind = NodeKind::table; return;
    case toml::node_type::none:
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time: node.kind = NodeKind::moment; return;
  }
}

// Level by level, so that the children of one node come to lie next to each other.
SyntaxTree tree_of(const toml::table& root, std::uint32_t file) {
  std::vector<SyntaxNode> nodes;
  std::vector<const toml::node*> origins;
  // Of a usual definition; a large one grows.
  nodes.reserve(32);
  origins.reserve(32);
  const auto append = [&](const toml::node& from) -> SyntaxNode& {
    SyntaxNode& node = nodes.emplace_back();
    node.place = place_of(from.source(), file);
    take_value(node, from);
    origins.push_back(&from);
    return node;
  };
  append(root);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].first_child = static_cast<std::uint32_t>(nodes.size());
    if (const toml::array* array = origins[i]->as_array()) {
      for (const toml::node& element : *array) append(element);
    } else if (const toml::table* table = origins[i]->as_table()) {
      for (const auto& [key, value] : *table) {
        SyntaxNode& node = append(value);
        node.key = key.str();
        node.key_place = place_of(key.source(), file);
      }
    }
    nodes[i].children = static_cast<std::uint32_t>(nodes.size()) - nodes[i].first_child;
  }
  return SyntaxTree(std::move(nodes));
}

// The library says "Error while parsing PART: what"; the place says where, so the part is left out.
Diagnostic syntax_error(const toml::parse_error& error, std::uint32_t file) {
  std::string_view what = error.description();
  if (what.starts_with("Error while parsing ")) what.remove_prefix(std::min(what.find(": ") + 2, what.size()));
  Place place = place_of(error.source(), file);
  place.length = 1;
  Diagnostic diagnostic{.code = Code::syntax_error, .place = place, .message = fmt::format("syntax: {}", harmless(what))};
  if (what.find("could not determine value type") != what.npos) {
    diagnostic.notes.push_back({R"(a text stands in quotes: "text")"});
  } else if (what.find("redefine") != what.npos) {
    diagnostic.notes.push_back({"a key or table is written once; what is written here stands in this file already"});
  } else if (what.find("leading zeroes") != what.npos) {
    diagnostic.notes.push_back({R"(a number has no leading zero; an octal one stands in quotes: umask = "022")"});
  }
  return diagnostic;
}

}  // namespace

std::expected<SyntaxTree, Diagnostic> read_toml(const SourceFile& source, std::uint32_t file) {
  const std::string_view text = source.text();
  if (const Place place = first_bad_utf8(text, file); place.line != 0) {
    return std::unexpected(Diagnostic{
        .code = Code::bad_utf8, .place = place, .message = "this byte is no UTF-8", .notes = {{"save the file as UTF-8"}}});
  }
  if (const auto place = too_deep_place(text, file)) {
    return std::unexpected(
        Diagnostic{.code = Code::too_deep,
                   .place = *place,
                   .message = "the nesting is too deep here",
                   .notes = {{fmt::format("a key has at most {} parts, and brackets are nested at most {} deep",
                                          most_key_parts, most_nested)}}});
  }
  const toml::parse_result result = toml::parse(text);
  if (!result) return std::unexpected(syntax_error(result.error(), file));
  return tree_of(result.table(), file);
}

}  // namespace hcrc::compiler

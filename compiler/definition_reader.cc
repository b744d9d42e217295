#include "compiler/definition_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "compiler/value_reader.h"

namespace hcrc::compiler {

namespace {

class DefinitionReader {
 public:
  DefinitionReader(const SyntaxTree& tree, bool node, KeySuggestions& suggestions, Diagnostics& diagnostics)
      : tree_(tree),
        node_(node),
        suggestions_(suggestions),
        diagnostics_(diagnostics),
        values_(tree, suggestions, diagnostics) {}

  void read(Definition& definition);

 private:
  void read_key(Definition& definition, std::string_view table, const SyntaxNode& node);
  void unknown(Definition& definition, std::string_view table, const SyntaxNode& node);

  const SyntaxTree& tree_;
  const bool node_;
  KeySuggestions& suggestions_;
  Diagnostics& diagnostics_;
  ValueReader values_;
};

void DefinitionReader::unknown(Definition& definition, std::string_view table, const SyntaxNode& node) {
  const bool is_array_of_tables =
      node.kind == NodeKind::array && node.children > 0 && tree_.children(node).front().kind == NodeKind::table;
  if (table.empty() && (node.kind == NodeKind::table || is_array_of_tables)) {
    diagnostics_.add(Code::unknown_table, node.key_place, fmt::format("there is no table [{}]", harmless(node.key)),
                     {{suggestions_.table(node_, node.key)}});
    return;
  }
  const std::string where = table.empty() ? "" : fmt::format(" in [{}]", table);
  diagnostics_.add(Code::unknown_key, node.key_place, fmt::format("there is no key {}{}", in_quotes(node.key), where),
                   {{suggestions_.key(node_, table, node.key)}});
  if (const auto near = suggestions_.nearest_key(node_, table, node.key)) definition.meant.push_back(*near);
}

void DefinitionReader::read_key(Definition& definition, std::string_view table, const SyntaxNode& node) {
  const KeyRow* row = find_key(node_, table, node.key);
  if (row == nullptr) return unknown(definition, table, node);
  definition.settings.push_back(
      {.key = row->key, .key_place = node.key_place, .place = node.place, .value = values_.read(*row, node)});
}

void DefinitionReader::read(Definition& definition) {
  for (const SyntaxNode& node : tree_.children(tree_.root())) {
    if (!is_table(node_, node.key)) {
      read_key(definition, "", node);
      continue;
    }
    if (node.kind == NodeKind::table) {
      for (const SyntaxNode& child : tree_.children(node)) read_key(definition, node.key, child);
      continue;
    }
    diagnostics_.add(
        Code::wrong_type, node.place, fmt::format("{} is a table, and this is none", node.key),
        {{fmt::format("its keys stand below a line [{}]: {}", node.key, fmt::join(key_names(node_, node.key), ", "))}});
  }
  std::ranges::sort(definition.settings, {}, &Setting::key);
}

}  // namespace

Definition read_definition(const SyntaxTree& tree, bool node, std::string name, Place file, KeySuggestions& suggestions,
                           Diagnostics& diagnostics) {
  Definition definition{.name = std::move(name), .place = file, .settings = {}, .meant = {}};
  DefinitionReader(tree, node, suggestions, diagnostics).read(definition);
  return definition;
}

}  // namespace hcrc::compiler

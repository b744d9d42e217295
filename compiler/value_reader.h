// One value of TOML as what its key takes, or a diagnostic that says what it takes.
#pragma once

#include <string_view>

#include "compiler/definition.h"
#include "compiler/diagnostics.h"
#include "compiler/key_suggestions.h"
#include "compiler/key_table.h"
#include "compiler/syntax_tree.h"

namespace hcrc::compiler {

class ValueReader {
 public:
  ValueReader(const SyntaxTree& tree, KeySuggestions& suggestions, Diagnostics& diagnostics)
      : tree_(tree), suggestions_(suggestions), diagnostics_(diagnostics) {}

  // Checks everything that the value and its row in the key table are enough for. What is wrong has been added to the
  // diagnostics; then the value is std::monostate, or a list without the elements that are wrong.
  Value read(const KeyRow& row, const SyntaxNode& node);

  // Says that the value is of another type than the key takes.
  void wrong_type(const KeyRow& row, const SyntaxNode& node);

 private:
  Value integer(const KeyRow& row, const SyntaxNode& node);
  Value decimal(const KeyRow& row, const SyntaxNode& node);
  Value count(const KeyRow& row, const SyntaxNode& node);
  Value choice(const KeyRow& row, const SyntaxNode& node);
  Value octal(const KeyRow& row, const SyntaxNode& node);
  Value duration(const KeyRow& row, const SyntaxNode& node);
  Value signal(const KeyRow& row, const SyntaxNode& node);
  Value plain(const KeyRow& row, const SyntaxNode& node);
  Value list(const KeyRow& row, const SyntaxNode& node);
  Value words(const KeyRow& row, const SyntaxNode& node);
  Value variables(const KeyRow& row, const SyntaxNode& node);
  Value limit(const KeyRow& row, const SyntaxNode& node);
  Value size(const KeyRow& row, const SyntaxNode& node);
  Value cpu_share(const KeyRow& row, const SyntaxNode& node);

  // Each is false, with a diagnostic, where the element is wrong.
  bool element(const KeyRow& row, const SyntaxNode& node, Item& item);
  bool exit_code(const KeyRow& row, const SyntaxNode& node, Item& item);
  bool limit_number(const KeyRow& row, const SyntaxNode& node, Item& item);
  bool size_number(const KeyRow& row, const SyntaxNode& node, Item& item);
  bool usable_text(const KeyRow& row, const SyntaxNode& node);
  bool filled_text(const KeyRow& row, const SyntaxNode& node);
  bool template_text(const SyntaxNode& node, Template& text);
  bool path(const KeyRow& row, const SyntaxNode& node, Template& text);
  bool account(const KeyRow& row, const SyntaxNode& node, Template& text);
  bool address(const KeyRow& row, const SyntaxNode& node, Template& text);
  bool in_range(const KeyRow& row, const SyntaxNode& node, std::int64_t value);

  const SyntaxTree& tree_;
  KeySuggestions& suggestions_;
  Diagnostics& diagnostics_;
};

}  // namespace hcrc::compiler

// What the user probably meant by a value of the wrong type: the same, written as its key takes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compiler/key_table.h"
#include "compiler/syntax_tree.h"

namespace hcrc::compiler {

// As TOML: `["sleep", "60"]` for a command "sleep 60", `true` for "yes". None where nothing is near at hand.
std::optional<std::string> suggested_value(const KeyRow& row, const SyntaxTree& tree, const SyntaxNode& node);

// The duration or the size that a text was probably meant to be: "5s" for "5 seconds", "8M" for "8 MB".
std::optional<std::string> suggested_duration(std::string_view text);
std::optional<std::string> suggested_size(std::string_view text);

}  // namespace hcrc::compiler

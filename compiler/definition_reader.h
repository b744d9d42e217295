// A syntax tree as a definition: every key found in the key table, every value read, everything else reported.
#pragma once

#include <string>

#include "compiler/definition.h"
#include "compiler/diagnostics.h"
#include "compiler/key_suggestions.h"
#include "compiler/syntax_tree.h"

namespace hcrc::compiler {

// Reads the definition of a service, or with `node` the settings of node.toml. Looks at one value at a time: whether they
// fit together is known only when all folders have been laid over each other.
Definition read_definition(const SyntaxTree& tree, bool node, std::string name, Place file, KeySuggestions& suggestions,
                           Diagnostics& diagnostics);

}  // namespace hcrc::compiler

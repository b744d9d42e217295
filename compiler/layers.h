// Folders laid over each other: a later one may add definitions, and change or replace those of earlier ones where it says
// `override` (contract, section 4).
#pragma once

#include <vector>

#include "compiler/definition.h"
#include "compiler/diagnostics.h"

namespace hcrc::compiler {

// All definitions of one name, those of earlier folders first, as one. Reports a later one that does not say how it
// overrides, and a first one that says it; the former is taken as a replacement, so that the rest of it is still looked at.
// `override_key` is the key that says it: Key::override_, or Key::node_override.
Definition lay_over(std::vector<Definition> layers, Key override_key, Diagnostics& diagnostics);

}  // namespace hcrc::compiler

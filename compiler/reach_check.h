// What the node can start by itself, and what is written for something that it never does.
#pragma once

#include <span>

#include "compiler/connections.h"
#include "compiler/definition.h"
#include "compiler/diagnostics.h"
#include "compiler/names.h"

namespace hcrc::compiler {

// Warns of bundles that nothing names, and of an `after` or `before` with a service that nothing starts. Needs definitions
// without errors.
void check_reach(std::span<const Definition> definitions, const NameTable& names, std::span<const Connection> connections,
                 Diagnostics& diagnostics);

}  // namespace hcrc::compiler

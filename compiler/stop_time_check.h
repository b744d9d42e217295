// Whether a stop can take longer than the node gives it (contract, sections 4 and 5).
#pragma once

#include <span>

#include "compiler/definition.h"
#include "compiler/diagnostics.h"
#include "compiler/names.h"
#include "core/graph.h"

namespace hcrc::compiler {

// Warns of every path of dependencies along which the stop timeouts that are written down add up to more than the stop
// deadline less its reserve: once for each service with such a timeout that no other one with a written timeout stops
// before. Loggers, and what they need, stop in the reserve and do not count; a oneshot without a stop command takes no time.
void check_stop_times(const ServiceGraph& graph, const NameTable& names, std::span<const Definition> definitions,
                      Diagnostics& diagnostics);

}  // namespace hcrc::compiler

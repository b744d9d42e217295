// Definitions that were found right, as the service graph: defaults filled in, bundles and instances expanded, `before`
// turned around.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/connections.h"
#include "compiler/definition.h"
#include "compiler/diagnostics.h"
#include "compiler/limits.h"
#include "compiler/names.h"
#include "core/graph.h"

namespace hcrc::compiler {

// Needs definitions and connections without errors and without cycles. None, with a diagnostic, where the graph would be
// larger than any database may be.
std::optional<ServiceGraph> build_graph(const Definition* node, std::span<const Definition> definitions,
                                        const NameTable& names, std::span<const Connection> connections,
                                        const Limits& limits, Diagnostics& diagnostics);

// One service with all that its own definition says; without contents and edges, and without what follows from them.
Service service_of(const Definition& definition);
// One of which nothing is written but its type.
Service unwritten_service(ServiceType type);
// What is not written of the restarts of a service that others log to (contract, section 6).
void restart_as_log_receiver(RestartRule& restart, bool attempts_written, bool max_delay_written);
NodeSettings node_settings_of(const Definition& definition);

}  // namespace hcrc::compiler

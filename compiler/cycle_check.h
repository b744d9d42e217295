// Services that wait for each other, told as a path (contract, section 4).
#pragma once

#include <span>
#include <vector>

#include "compiler/connections.h"
#include "compiler/diagnostics.h"
#include "compiler/names.h"

namespace hcrc::compiler {

// Reports one shortest cycle for every group of services that wait for each other, whatever connects them and whatever
// bundles stand between them; beyond this many steps the middle of a path is left out.
inline constexpr std::size_t most_cycle_steps = 32;
void check_cycles(const NameTable& names, std::span<const Connection> connections, Diagnostics& diagnostics);

}  // namespace hcrc::compiler

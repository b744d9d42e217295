// What `hcrc` does: asks a runtime and shows the answer.
#pragma once

#include <cstdint>

#include "tools/command_line.h"
#include "tools/runtime_search.h"

namespace hcrc {

// Writes to stdout and stderr; comes back with the exit code.
std::uint8_t run(const Command& command, const RuntimeSearch& search);

}  // namespace hcrc

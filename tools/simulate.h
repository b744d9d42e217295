// `hcrc simulate`: what would happen if. Needs no running node.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tools/command_line.h"

namespace hcrc {

// Writes to stdout, stderr and the file of --svg; comes back with the exit code. `environment` is NAME=VALUE entries:
// conditions on the environment, and HCRC_TARGET, HCRC_STOP_DEADLINE, HCRC_ON_EXHAUSTED and HCRC_SEED are taken from it, as
// hcrc-init would.
std::uint8_t simulate(const SimulateCommand& command, std::span<const std::string_view> environment);

}  // namespace hcrc

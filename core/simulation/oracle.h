// The oracle: the supervisor's rules a second time, slow and obviously right. It looks at every service from scratch, in the
// order of the graph's levels, and knows no counts: what the rules say must be so between two events is compared with what
// is.
#pragma once

#include <optional>
#include <string>

#include "core/supervisor.h"

namespace hcrc::simulation {

// The first thing that is not as the rules have it, once all effects of an event are taken; nothing where all is right.
std::optional<std::string> disagreement(const Supervisor& supervisor);

}  // namespace hcrc::simulation

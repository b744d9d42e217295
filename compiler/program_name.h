// Which program a first word stands for.
#pragma once

#include <string_view>

#include "core/graph.h"

namespace hcrc::compiler {

// Whether the last part of this path can be `name`: false only where it is known to be another one. What the environment
// decides is judged by its default, and may be anything where it has none.
bool may_be_program(const Template& path, std::string_view name);

}  // namespace hcrc::compiler

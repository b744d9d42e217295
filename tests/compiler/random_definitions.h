// Definitions at random that are right: every key of the table with values of every form, instances, bundles, layers of
// edges.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/compiler/compile_text.h"

namespace hcrc::compiler {

// The same for the same seed, everywhere. Every definition comes after those that its edges lead to.
std::vector<TextFile> random_definitions(std::uint64_t seed, std::size_t count);

}  // namespace hcrc::compiler

// What is looked for in a file before the parser's library sees it: the library follows dotted keys and brackets by
// recursion, and a file of 1 MiB can hold enough of them to use up its stack.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "compiler/source_file.h"

namespace hcrc::compiler {

inline constexpr std::uint32_t most_key_parts = 16;
inline constexpr std::uint32_t most_nested = 64;

// The place in `text` where a key gets more than `most_key_parts` parts or brackets are nested more than `most_nested` deep,
// in one linear scan. It need not understand more of TOML than where texts and comments are: up to the first syntax error it
// sees them as the library does, and the library goes no further.
std::optional<Place> too_deep_place(std::string_view text, std::uint32_t file);

}  // namespace hcrc::compiler

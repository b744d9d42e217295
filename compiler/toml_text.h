// Values as TOML, for what writes definitions.
#pragma once

#include <string>
#include <string_view>

#include "core/graph.h"

namespace hcrc::compiler {

// A text as a basic string of TOML in one line. Controls, and characters that hide or reorder what a terminal shows, are
// escaped; a byte that is no UTF-8 becomes U+FFFD, since TOML cannot say it.
std::string toml_text(std::string_view text);

// The name of a key, in quotes where it needs them.
std::string toml_key(std::string_view name);

// What parse_template reads as the same template.
std::string template_source(const Template& text);

}  // namespace hcrc::compiler

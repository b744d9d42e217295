// Texts in definitions that were probably meant to be kept secret. A guess: it is better to miss one than to be wrong often.
#pragma once

#include <string_view>

namespace hcrc::compiler {

// The value of an environment variable: by the name, unless the value is the path of something, a switch or a number.
bool looks_secret(std::string_view name, std::string_view value);

// A text for a standard input: a private key, or a single line that is one word of at least 8 characters with letters and
// digits or signs in it. `y` is none.
bool looks_secret(std::string_view text);

}  // namespace hcrc::compiler

// Variables in a text that a shell runs.
#pragma once

#include <string>
#include <string_view>

#include "compiler/definition.h"

namespace hcrc::compiler {

// The first variable of hcrc's in the text of `sh -c TEXT`, with the place of that text; an empty name where there is none,
// or where the words start no shell.
struct ShellVariable {
  std::string_view name = {};
  std::string source = {};  // as it is written: "${NAME:-default}"
  Place place = {};
};
ShellVariable variable_in_shell_text(const Items& words);

}  // namespace hcrc::compiler

// What the operating system refused.
#pragma once

#include <cstring>
#include <string>

namespace hcrc::compiler {

struct SystemError {
  std::string what;  // "PATH: cannot be opened"
  int code = 0;      // errno, taken at the call; 0 where the refusal is our own

  // "PATH: cannot be opened: Permission denied".
  std::string text() const { return code == 0 ? what : what + ": " + std::strerror(code); }
};

}  // namespace hcrc::compiler

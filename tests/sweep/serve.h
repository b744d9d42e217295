// The services of the sweep.
#pragma once

#include <string_view>

namespace sweep {

// Prints its name; then `once` ends, `notify` and `fd` say that they are ready, `dies:FILE` gets SIGKILL unless FILE is
// there, which it makes; all but the first stay until SIGTERM.
int serve(std::string_view name, std::string_view how);

}  // namespace sweep

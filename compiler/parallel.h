// Work on many files side by side.
#pragma once

#include <cstddef>
#include <functional>

namespace hcrc::compiler {

// Calls `task` once for each number below `tasks`, on as many processors as there are and the caller's thread among them;
// comes back when all are done. What runs at the same time must share nothing that it changes. Where no thread can be had,
// one by one.
void in_parallel(std::size_t tasks, const std::function<void(std::size_t)>& task);

}  // namespace hcrc::compiler

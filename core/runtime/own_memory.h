// Memory that is the runtime's alone: its children do not get it (madvise(2), MADV_DONTFORK). A fork has that much less to
// copy, and the runtime need not be given a copy of each page that it writes to after it: with a large graph that is a third
// of what a start costs. For what is written all the time, and never looked at between a fork and its exec: a child that
// does gets SIGSEGV.
#pragma once

#include <memory_resource>

namespace hcrc {

// Blocks of some pages are such memory; what is smaller comes from the heap. Throws std::bad_alloc. Lives as long as the
// program.
std::pmr::memory_resource& own_memory();

}  // namespace hcrc

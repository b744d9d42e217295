// Memory by what a fork does with it. An ordinary page is marked in both processes and copied as soon as one of them writes
// to it; with a large graph that is a third of what a start costs. Blocks of some pages can do without; what is smaller
// comes from the heap, as ever. All of them throw std::bad_alloc, and live as long as the program.
#pragma once

#include <memory_resource>

namespace hcrc {

// Children do not get it (madvise(2), MADV_DONTFORK): for what is written all the time, and never looked at between a fork
// and its exec. A child that does gets SIGSEGV.
std::pmr::memory_resource& own_memory();

// Children see the very same (mmap(2), MAP_SHARED): for what nobody writes to any more, and children read.
std::pmr::memory_resource& shared_memory();

}  // namespace hcrc

#include "core/runtime/child_memory.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <new>

#ifdef HCRC_SANITIZED

// Sanitizers bring an allocator of their own, which looks at more.
void hcrc::leave_heap_alone() {}

#else

namespace hcrc {

namespace {

// A start takes some 10 KB of it; what reads a large file goes on with the heap.
alignas(4096) constinit std::array<std::byte, 32u << 10> room;
constinit std::size_t used = room.size();  // until a child takes it, there is none left

bool in_room(const void* memory) {
  const std::less<const void*> before;
  return !before(memory, room.data()) && before(memory, room.data() + room.size());
}

void* allocate(std::size_t bytes) {
  constexpr std::size_t grain = alignof(std::max_align_t);
  if (bytes == 0) bytes = 1;  // each its own place
  if (bytes > room.size() - used) return std::malloc(bytes);
  void* const memory = room.data() + used;
  used = std::min(room.size(), used + (bytes + grain - 1) / grain * grain);
  return memory;
}

}  // namespace

void leave_heap_alone() { used = 0; }

}  // namespace hcrc

void* operator new(std::size_t bytes) {
  void* const memory = hcrc::allocate(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept {
  if (!hcrc::in_room(memory)) std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

#endif

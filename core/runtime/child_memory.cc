#include "core/runtime/child_memory.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#ifdef HCRC_SANITIZED

// Sanitizers bring an allocator of their own, which looks at more.
void hcrc::leave_heap_alone() {}
void hcrc::return_to_heap() {}

#else

namespace hcrc {

namespace {

constexpr std::size_t grain = alignof(std::max_align_t);

// A start takes a few KB of it.
alignas(4096) constinit std::array<std::byte, 32u << 10> room;
constinit std::size_t used = 0;
constinit bool away = false;  // from the heap

// In front of what found no place in the room.
struct alignas(grain) Block {
  Block* next;
};
constinit Block* blocks = nullptr;

void* allocate_away(std::size_t bytes) {
  if (bytes <= room.size() - used) {
    void* const memory = room.data() + used;
    used = std::min(room.size(), used + (bytes + grain - 1) / grain * grain);
    return memory;
  }
  if (bytes > SIZE_MAX - sizeof(Block)) return nullptr;
  auto* const block = static_cast<Block*>(std::malloc(sizeof(Block) + bytes));
  if (block == nullptr) return nullptr;
  *block = {.next = blocks};
  blocks = block;
  return block + 1;
}

void* allocate(std::size_t bytes) {
  if (bytes == 0) bytes = 1;  // each its own place
  return away ? allocate_away(bytes) : std::malloc(bytes);
}

}  // namespace

void leave_heap_alone() { away = true; }

void return_to_heap() {
  away = false;
  used = 0;
  while (blocks != nullptr) {
    Block* const block = blocks;
    blocks = block->next;
    std::free(block);
  }
}

}  // namespace hcrc

void* operator new(std::size_t bytes) {
  void* const memory = hcrc::allocate(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept {
  if (!hcrc::away) std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

#endif

#include "core/runtime/own_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <new>

namespace hcrc {

namespace {

// Below that the rest of the last page would be too much of it.
constexpr std::size_t least_bytes = 16u << 10;

class OwnMemory final : public std::pmr::memory_resource {
  static std::size_t whole_pages(std::size_t bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
  }
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (bytes < least_bytes) return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    void* memory = mmap(nullptr, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    madvise(memory, whole_pages(bytes), MADV_DONTFORK);  // a kernel that does not: it is inherited like all other
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    if (bytes < least_bytes) return std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
    munmap(memory, whole_pages(bytes));
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace

std::pmr::memory_resource& own_memory() {
  // Never destroyed: nothing has to be gone before it.
  alignas(OwnMemory) static std::byte place[sizeof(OwnMemory)];
  static auto* const memory = new (place) OwnMemory;
  return *memory;
}

}  // namespace hcrc

#include "core/runtime/fork_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <new>

namespace hcrc {

namespace {

// Below that the rest of the last page would be too much of it.
constexpr std::size_t least_bytes = 16u << 10;

enum class Inherited : bool { not_at_all, shared };

class Pages final : public std::pmr::memory_resource {
 public:
  explicit Pages(Inherited inherited) : inherited_(inherited) {}

 private:
  static std::size_t whole_pages(std::size_t bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
  }
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (bytes < least_bytes) return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    const int visible = inherited_ == Inherited::shared ? MAP_SHARED : MAP_PRIVATE;
    void* memory = mmap(nullptr, whole_pages(bytes), PROT_READ | PROT_WRITE, visible | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    // On a kernel that does not do it, it is inherited like all other.
    if (inherited_ == Inherited::not_at_all) madvise(memory, whole_pages(bytes), MADV_DONTFORK);
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    if (bytes < least_bytes) return std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
    munmap(memory, whole_pages(bytes));
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  Inherited inherited_;
};

// Never destroyed: nothing has to be gone before it.
template <Inherited inherited>
std::pmr::memory_resource& pages() {
  alignas(Pages) static std::byte place[sizeof(Pages)];
  static auto* const memory = new (place) Pages(inherited);
  return *memory;
}

}  // namespace

std::pmr::memory_resource& own_memory() { return pages<Inherited::not_at_all>(); }
std::pmr::memory_resource& shared_memory() { return pages<Inherited::shared>(); }

}  // namespace hcrc

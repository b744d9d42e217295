#include "core/enough_memory.h"

#include <new>

namespace hcrc {

bool enough_memory_for(void (*work)(void* it), void* it) {
  try {
    work(it);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace hcrc

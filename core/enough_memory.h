// The one place where the core meets an exception: memory that is not to be had becomes a value.
#pragma once

namespace hcrc {

// Calls `work(it)`. False where it ran out of memory; what it had done until then stays done.
bool enough_memory_for(void (*work)(void* it), void* it);

template <typename Work>
bool enough_memory_for(Work work) {
  return enough_memory_for([](void* it) { (*static_cast<Work*>(it))(); }, &work);
}

}  // namespace hcrc

// What a child allocates between its fork and its exec: nothing of the runtime's heap. Each page of that which a forked
// child writes to is first copied for it; and to one that runs in the runtime's own memory the heap is not its own.
#pragma once

namespace hcrc {

// From here on `new` takes from a room of its own, and beyond that from blocks of their own; `delete` gives nothing back.
// For a child that is about to execute.
void leave_heap_alone();

// Ends that, in the runtime: its child has run in its memory and is gone. All that the child allocated is given back.
void return_to_heap();

}  // namespace hcrc

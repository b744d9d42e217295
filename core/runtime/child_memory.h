// What a child allocates between its fork and its exec.
#pragma once

namespace hcrc {

// From here on, in this process, `new` takes from a room that nobody has touched yet, as long as it lasts, and `delete`
// gives nothing back to it. The heap is the runtime's: each of its pages that a child writes to is first copied for it. For
// a child that is about to execute.
void leave_heap_alone();

}  // namespace hcrc

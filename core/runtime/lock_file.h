// `lock`: a file that every process of a service holds locked (flock(2)), so that there is one copy of it, in whatever
// container. The lock belongs to the open file and goes with its last descriptor: no process can forget it.
//
// The file says who holds it, as "HOST PID SINCE\n" (host name, pid in its own PID namespace, time in UTC), where it can be
// written; /proc/locks would hide a holder in another PID namespace. Opened by the service's user, or by root through no
// link that another user could have planted; a regular file with one name.
#pragma once

#include <string>

#include "core/bounds.h"
#include "core/runtime/spawn_answer.h"
#include "core/system/descriptor.h"
#include "core/text.h"

namespace hcrc {

struct LockFile {
  Descriptor file;
  bool taken = false;                           // else somebody else has it
  FixedText<bounds::lock_holder_bytes> holder;  // "pid 7 on 4c1f6a since 2025-11-25T02:15:00Z"; of one that is not taken
};

// Opens or makes the file and tries to lock it, without waiting.
[[nodiscard]] OrFailure<LockFile> try_lock(const std::string& path);

// Writes this process into a file that it has locked.
void name_holder(const LockFile& lock);

// Waits until the lock is free. It is not held afterwards by more than the open file.
void wait_for_lock(const LockFile& lock);

// What a lock file says, in words; "an unknown holder" where it says nothing that can be understood.
FixedText<bounds::lock_holder_bytes> holder_in_words(std::string_view content);

}  // namespace hcrc

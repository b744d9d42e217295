// [stdin]: what a service reads on its descriptor 0, fed afresh at every start and followed by end of file.
//
// The bytes go through a pipe that is written full before the service is there to read, so that nobody has to wait for it;
// a pipe can be read by who has it alone, and what it holds is gone once it is read. Where the kernel grants no pipe of that
// size (a user's pages for pipes are bounded, pipe(7)) they lie in an unnamed file in memory.
#pragma once

#include <string>
#include <string_view>

#include "core/runtime/spawn_answer.h"
#include "core/runtime/trusted_file.h"
#include "core/system/descriptor.h"

namespace hcrc {

// An end to read `text` from, at most bounds::stdin_bytes. The error is an errno.
[[nodiscard]] std::expected<Descriptor, int> feed(std::string_view text);
// The same by the way for too small a pipe.
[[nodiscard]] std::expected<Descriptor, int> feed_from_memory(std::string_view text);

// Feeds the file's content, or `text` where there is no such file and `text` is not null. The content is wiped from memory.
[[nodiscard]] OrFailure<Descriptor> feed_file(const std::string& path, const std::string_view* text, Whose whose);

}  // namespace hcrc

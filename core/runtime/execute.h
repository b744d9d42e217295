// The last step: finding the program and executing it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/spawn_answer.h"

namespace hcrc {

// Where a name without `/` is looked for when PATH is not set, or empty.
inline constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Dispositions to default, of those signals too that the C library keeps to itself: by bit, signal n being bit n - 1.
// Ignored ones would outlive an exec.
void reset_signals(std::uint64_t signals);
// Which of this process are ignored or handled.
std::uint64_t signals_not_by_default();

// Executes `words` with `entries`, which a null ends, for its environment; a name without `/` is looked up in `path`, as
// execvp(3) does, but nothing is ever given to a shell. Unblocks all signals right before. Returns only with a failure.
StartFailure execute(const std::vector<std::string>& words, std::span<const char* const> entries,
                     std::optional<std::string_view> path);

}  // namespace hcrc

// The copier: what takes a logger's place while it is down, so that nobody who writes to it blocks. A fork of the runtime
// that executes nothing: it reads the pipes of the logger and writes whole lines to the console.
#pragma once

#include <sys/types.h>

#include <expected>
#include <span>

namespace hcrc {

// Forks the copier. It ends by itself when all streams have ended (everything written), and on SIGTERM once what it has read
// is written: what is still in a pipe is for the next reader. The error is fork's errno.
[[nodiscard]] std::expected<pid_t, int> start_copier(std::span<const int> streams);

}  // namespace hcrc

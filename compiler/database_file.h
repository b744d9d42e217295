// A database as a file: put in its place whole or not at all, and read back.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>

#include "compiler/system_error.h"
#include "core/database.h"

namespace hcrc::compiler {

// Writes the bytes to a temporary file beside the target, 0644 whatever the umask, syncs it, renames it over the target and
// syncs the folder. A link is followed, and what it names is replaced. A target that is there and no regular file is
// refused. Where anything fails the target is as it was and the temporary file is gone; what an earlier run that was killed
// left there is removed by the next one.
[[nodiscard]] std::expected<void, SystemError> write_database_file(const std::string& path,
                                                                   std::span<const std::byte> bytes);

// The error names the file: one that cannot be read, with its errno; one that is no database, or a damaged one, with code 0
// and what to do.
[[nodiscard]] std::expected<Database, SystemError> read_database_file(const std::string& path);

}  // namespace hcrc::compiler

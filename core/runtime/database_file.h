// The database's way from the disk into memory. Read at start, before the loop runs.
#pragma once

#include <expected>
#include <string>

#include "core/database.h"

namespace hcrc {

// Reads and validates the file. Refused beside what Database::load refuses: what is no regular file, what group or others
// may write, and what belongs to another user than root and our own: whoever can write it can run anything as the runtime.
// The sentence names the path and says what to do.
[[nodiscard]] std::expected<Database, std::string> read_database(const std::string& path);

}  // namespace hcrc

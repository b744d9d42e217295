// The definitions in a folder, as text. The folder belongs to somebody who may not be trusted: nothing outside of it is
// read, whatever links lie in it, and nothing that is no regular file is waited for.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/system_error.h"

namespace hcrc::compiler {

// Every file of the folder that is looked at, in any order. Left out are hidden files, README* and folders without .toml at
// their end. Each definition is read whole, at most bounds::source_file_bytes of it; one that is written to meanwhile is
// read again, a few times. Fails where the folder or a definition in it cannot be read.
[[nodiscard]] std::expected<std::vector<InputFile>, SystemError> read_folder(const std::string& path, std::uint32_t index);

}  // namespace hcrc::compiler

// Definitions written into a folder of their own.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "compiler/dump.h"
#include "compiler/system_error.h"

namespace hcrc::compiler {

// Makes the folder, or takes one that is empty: what lay beside the files would be compiled along with them, so nothing is
// ever added to or written over. Where anything fails nothing that was made stays.
[[nodiscard]] std::expected<void, SystemError> write_dump(const std::string& path, const std::vector<DumpedFile>& files);

// The same as one text for people: a comment `# NAME.toml` in front of each file.
std::string dump_text(const std::vector<DumpedFile>& files);

}  // namespace hcrc::compiler

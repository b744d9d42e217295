// The folders of tests/golden/: definitions, and what the compiler says about them.
#pragma once

#include <filesystem>
#include <vector>

#include "compiler/compile.h"

namespace hcrc::compiler {

std::vector<std::filesystem::path> golden_folders();
// Folders layer1, layer2, ... in it are laid over each other.
//
// A hidden file .golden holds what cannot lie in a repository, one a line:
//   grow NAME BYTES                        a file of so many blanks
//   link-out NAME, folder NAME, special NAME   something that is no file of the folder
//   services N, connections N, graph BYTES     lower limits
Compiled compile_golden(const std::filesystem::path& folder);

}  // namespace hcrc::compiler

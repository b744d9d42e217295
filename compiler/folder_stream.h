// A folder stream with an owner.
#pragma once

#include <dirent.h>

#include <memory>

#include "core/system/descriptor.h"

namespace hcrc::compiler {

// The entries of a folder, for readdir(3).
struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using FolderStream = std::unique_ptr<DIR, CloseFolder>;

}  // namespace hcrc::compiler

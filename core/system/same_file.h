// Whether a name is still that of a file that is open.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

namespace hcrc {

// `name` is looked up in `folder` (AT_FDCWD: as a path) and not followed where it is a link.
inline bool still_names(int folder, const char* name, int file) {
  struct stat named{};
  struct stat opened{};
  return fstat(file, &opened) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace hcrc

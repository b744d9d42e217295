// Opening a file that a process of another user will be fed with, or held by, without letting that user choose it.
//
// The runtime (root) may read what a service's user may not. Where such a path leads through a folder that somebody else may
// write, a link planted there would hand him any file. So the path is walked folder by folder: links are followed as long as
// every folder so far belongs to root or to us and nobody else may write it (that is where secrets are mounted, through
// links of their own); behind the first other folder no link is followed, and the file must have one name only.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "core/runtime/spawn_answer.h"
#include "core/system/descriptor.h"

namespace hcrc {

struct TrustedPath {
  Descriptor folder;     // of the last component
  std::string name;      // the last component; "." where the path ends in a folder
  bool foreign = false;  // a folder on the way is somebody else's to write
};

// The error is an errno; ELOOP where a link stands that must not be followed.
[[nodiscard]] std::expected<TrustedPath, int> walk_trusted(std::string_view path);

enum class Whose { anybodys, trusted };

// A regular file, opened for reading (O_NONBLOCK: a FIFO in its place must not hold us). With `trusted` the path is walked
// as above. The error is an errno: EISDIR, or EINVAL for what else is no regular file; EMLINK for a file of several names
// behind a folder that others may write.
[[nodiscard]] std::expected<Descriptor, int> open_to_read(const std::string& path, Whose whose);

// All of a file of at most `most` bytes; EFBIG for a longer one.
[[nodiscard]] std::expected<std::string, int> read_whole(const std::string& path, std::size_t most, Whose whose);

// The failure in words that fit these errors.
StartFailure cannot_read(Stage stage, const std::string& path, int error);

}  // namespace hcrc

// The run dir: where the runtime's sockets and records lie. Its owner is the runtime's own uid, its mode 0755, and no link
// leads to it. RUN_DIR/lock is locked as long as the runtime lives, and has its pid in it.
//
// The lock is a record lock of fcntl(2): it belongs to this process alone. (A flock would live on in every fork that has not
// executed yet, and one of those can outlive us.) It is gone with the process, however that ends; the file stays.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>

#include "core/system/descriptor.h"

namespace hcrc {

struct RunDirError {
  enum class Kind {
    occupied,     // another runtime lives there: exit 111
    unavailable,  // none can be had: go on without
  };
  Kind kind;
  pid_t pid = 0;         // of occupied: the other runtime's, 0 where it is not known
  std::string sentence;  // for `PROGRAM: sentence`
};

class RunDir {
 public:
  struct Wish {
    std::string_view named;            // --run-dir or HCRC_RUN_DIR; empty: the usual places in turn
    std::string_view xdg_runtime_dir;  // the variable; empty where it is not set
  };

  // Finds, makes and locks it, for the effective uid. Touches the disk: call at start, once. A folder above a named one is
  // made where it is missing. A usual place that cannot be had is passed over; one in which another runtime lives is not.
  // Changes nothing in a place it does not take, a folder just made aside.
  [[nodiscard]] static std::expected<RunDir, RunDirError> take(const Wish& wish);

  const std::string& path() const { return path_; }  // absolute
  int fd() const { return folder_.get(); }           // of the folder, for openat; close-on-exec
  std::string file(std::string_view name) const { return path_ + '/' + std::string(name); }

 private:
  RunDir(std::string path, Descriptor folder, Descriptor lock)
      : path_(std::move(path)), folder_(std::move(folder)), lock_(std::move(lock)) {}
  std::string path_;
  Descriptor folder_;
  Descriptor lock_;
};

}  // namespace hcrc

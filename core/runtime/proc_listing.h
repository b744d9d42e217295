// The processes of this PID namespace, as /proc tells them (proc(5)). Allocates nothing.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/system/descriptor.h"

namespace hcrc {

struct ProcessStat {
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  bool alive = false;        // it, or a thread of it, can still run: no zombie
  bool kernel = false;       // a thread of the kernel
  std::int64_t started = 0;  // clock ticks after the boot
};

// What one read gets of /proc/PID and the name ("/stat"); nothing where it cannot be read.
std::string_view proc_file(pid_t pid, std::string_view name, std::span<char> bytes);

// Nothing where there is no such process, or it cannot be looked at.
std::optional<ProcessStat> stat_of(pid_t pid);

// The user whose process it is (real uid); nothing where there is no such process, or it cannot be looked at.
std::optional<uid_t> user_of(pid_t pid);

// The names in a folder, as getdents64(2) gives them, `.` and `..` too.
class FolderListing {
 public:
  [[nodiscard]] bool open(const char* path);
  // NUL-terminated, valid until the next call; empty behind the last.
  std::string_view next();
  int fd() const { return folder_.get(); }

 private:
  Descriptor folder_;
  alignas(8) std::array<std::byte, 16u << 10> entries_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

// Walks through all processes, in ascending order of pid; one that is made or ends meanwhile may be there or not.
class ProcListing {
 public:
  // False: /proc is missing, cannot be opened, or is that of another PID namespace, whose numbers mean other processes here.
  [[nodiscard]] bool open();
  // The next pid; 0 behind the last.
  pid_t next();

 private:
  FolderListing folder_;
};

// Walks through the children of this process that are not reaped yet, those it was given as orphans too.
class ChildListing {
 public:
  // Before each walk; only the first one opens anything. False: the kernel has no such list (CONFIG_PROC_CHILDREN), or as
  // above.
  [[nodiscard]] bool open();
  pid_t next();

 private:
  int take();  // the next character; -1 at the end

  Descriptor file_;
  off_t offset_ = 0;
  bool all_read_ = false;
  std::array<char, 4096> bytes_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

}  // namespace hcrc

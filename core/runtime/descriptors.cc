#include "core/runtime/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include "core/runtime/spawn.h"
#include "core/system/descriptor.h"

namespace hcrc {

namespace {

// By trying, no further than this: fs.nr_open of most systems, and 100 ms.
constexpr int tried_at_most = 1 << 20;

#ifndef SYS_close_range
constexpr long SYS_close_range = 436;
#endif

std::vector<int> sorted(std::span<const int> kept) {
  std::vector<int> result;
  for (const int fd : kept) {
    if (fd >= 0) result.push_back(fd);
  }
  std::ranges::sort(result);
  const auto twice = std::ranges::unique(result);
  result.erase(twice.begin(), twice.end());
  return result;
}

bool close_ranges(const std::vector<int>& kept) {
  unsigned first = 0;
  for (const int fd : kept) {
    const auto stays = static_cast<unsigned>(fd);
    if (stays > first && syscall(SYS_close_range, first, stays - 1, 0) != 0) return false;
    first = stays + 1;
  }
  return syscall(SYS_close_range, first, UINT_MAX, 0) == 0;
}

bool close_listed(const std::vector<int>& kept) {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return false;
  std::vector<int> open;
  while (const dirent* entry = readdir(folder)) {
    int fd = -1;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, fd).ptr != end || fd == dirfd(folder)) continue;
    open.push_back(fd);
  }
  closedir(folder);
  for (const int fd : open) {
    if (!std::ranges::binary_search(kept, fd)) close(fd);
  }
  return !open.empty();
}

bool close_tried(const std::vector<int>& kept) {
  rlimit limit{};
  int end = tried_at_most;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < tried_at_most) end = static_cast<int>(limit.rlim_max);
  for (int fd = 0; fd < end; ++fd) {
    if (!std::ranges::binary_search(kept, fd)) close(fd);
  }
  return true;
}

int open_null(int flags) {
  const int fd = open("/dev/null", flags | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
  if (fd < 0) return -1;
  struct stat facts{};
  if (fstat(fd, &facts) == 0 && S_ISCHR(facts.st_mode) && facts.st_rdev == makedev(1, 3)) return fd;
  close(fd);
  errno = ENODEV;
  return -1;
}

// Takes no byte and gives none: every read or write of it fails.
int open_nothing() { return open("/", O_PATH | O_CLOEXEC); }

}  // namespace

bool close_all_but(std::span<const int> kept, CloseBy way) {
  const std::vector<int> list = sorted(kept);
  switch (way) {
    case CloseBy::close_range: return close_ranges(list);
    case CloseBy::listing: return close_listed(list);
    case CloseBy::trying: return close_tried(list);
  }
  return false;
}

void close_all_but(std::span<const int> kept) {
  for (const CloseBy way : {CloseBy::close_range, CloseBy::listing, CloseBy::trying}) {
    if (close_all_but(kept, way)) return;
  }
}

int place(std::span<Placement> placements) {
  int end = 0;  // behind every target
  for (const Placement& placement : placements) end = std::max(end, placement.target + 1);
  // Sources that are not in their place yet move behind all targets, so that none is overwritten before it is used.
  for (Placement& placement : placements) {
    if (placement.source >= end || placement.source == placement.target) continue;
    const int away = fcntl(placement.source, F_DUPFD_CLOEXEC, end);
    if (away < 0) return errno;
    placement.source = away;
  }
  for (const Placement& placement : placements) {
    if (placement.target < 0) continue;
    if (placement.source == placement.target) {
      if (fcntl(placement.source, F_SETFD, 0) != 0) return errno;
    } else if (dup2(placement.source, placement.target) < 0) {
      return errno;
    }
  }
  return 0;
}

int open_null_to_read() {
  const int fd = open_null(O_RDONLY);
  if (fd >= 0) return fd;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  close(ends[1]);
  return ends[0];
}

int open_null_to_write() {
  const int fd = open_null(O_WRONLY);
  return fd >= 0 ? fd : open_nothing();
}

void secure_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is this one, but for a pipe's two.
    const int opened = fd == 0 ? open_null_to_read() : open_null_to_write();
    if (opened < 0) continue;
    dup2(opened, fd);
    fcntl(fd, F_SETFD, 0);
    if (opened != fd) close(opened);
  }
}

}  // namespace hcrc

#include "core/runtime/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "core/runtime/trusted_file.h"
#include "core/system/same_file.h"
#include "core/text.h"

namespace hcrc {

namespace {

constexpr int flags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;

// How often a file that somebody else unlinks under our hands is opened again.
constexpr int opened_at_most = 10;

// In `folder` (AT_FDCWD for a path). Nothing is ever truncated or followed.
Descriptor open_lock(int folder, const char* name) {
  Descriptor file(openat(folder, name, O_RDWR | O_CREAT | flags, 0600));
  // A lock that cannot be written can be held all the same: on a read-only file system, or made by another user.
  if (!file && (errno == EACCES || errno == EROFS)) file.reset(openat(folder, name, O_RDONLY | flags));
  return file;
}

struct OpenedAt {
  TrustedPath path;  // of root's
  Descriptor file;
  int error = 0;
};

OpenedAt open_lock_at(const std::string& path) {
  OpenedAt opened;
  if (geteuid() == 0) {
    auto walked = walk_trusted(path);
    if (!walked) {
      opened.error = walked.error();
      return opened;
    }
    opened.path = std::move(*walked);
    opened.file = open_lock(opened.path.folder.get(), opened.path.name.c_str());
  } else {
    opened.file = open_lock(AT_FDCWD, path.c_str());
  }
  if (!opened.file) opened.error = errno;
  return opened;
}

// Whether the path still names the file that is open: a lock on a file that nobody else can find locks nobody out.
bool still_named(const OpenedAt& opened, const std::string& path) {
  if (!opened.path.folder) return still_names(AT_FDCWD, path.c_str(), opened.file.get());
  return still_names(opened.path.folder.get(), opened.path.name.c_str(), opened.file.get());
}

}  // namespace

FixedText<bounds::lock_holder_bytes> holder_in_words(std::string_view content) {
  content = content.substr(0, content.find('\n'));
  const std::string_view host = take_until(' ', content);
  const std::string_view pid = take_until(' ', content);
  const std::string_view since = content;
  const bool right = !host.empty() && !pid.empty() && !since.empty() && pid.size() <= 10 && since.size() <= 32 &&
                     pid.find_first_not_of("0123456789") == std::string_view::npos;
  if (!right) return std::string_view("an unknown holder");
  std::array<char, bounds::lock_holder_bytes> bytes;
  TextWriter words(bytes);
  words.put("pid ").put(pid).put(" on ").put(shown(host, 64)).put(" since ").put(shown(since));
  return words.view();
}

OrFailure<LockFile> try_lock(const std::string& path) {
  for (int tries = 0; tries < opened_at_most; ++tries) {
    OpenedAt opened = open_lock_at(path);
    if (!opened.file) return failed(Stage::lock, opened.error, shown(path));
    struct stat facts{};
    if (fstat(opened.file.get(), &facts) != 0) return failed(Stage::lock, errno, shown(path));
    if (!S_ISREG(facts.st_mode)) return failed(Stage::lock, 0, shown(path) + " is no regular file");
    if (facts.st_nlink > 1) return failed(Stage::lock, 0, shown(path) + " is a file with several names");
    int locked = 0;
    do {
      locked = flock(opened.file.get(), LOCK_EX | LOCK_NB);
    } while (locked != 0 && errno == EINTR);
    if (locked != 0 && errno != EWOULDBLOCK) return failed(Stage::lock, errno, shown(path));
    if (!still_named(opened, path)) continue;
    LockFile lock{.file = std::move(opened.file), .taken = locked == 0, .holder = {}};
    if (!lock.taken) {
      std::array<char, 256> content;
      const ssize_t got = pread(lock.file.get(), content.data(), content.size(), 0);
      lock.holder = holder_in_words({content.data(), got > 0 ? static_cast<std::size_t>(got) : 0});
    }
    return lock;
  }
  return failed(Stage::lock, 0, shown(path) + " is taken away as soon as it is made");
}

void name_holder(const LockFile& lock) {
  utsname names{};
  uname(&names);
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> since;
  const std::size_t length = std::strftime(since.data(), since.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  std::string line = *names.nodename != 0 ? names.nodename : "-";
  for (char& character : line) {
    if (character == ' ') character = '-';
  }
  line += ' ' + std::to_string(getpid()) + ' ' + std::string(since.data(), length) + '\n';
  // One write, then the rest of a longer one before it goes: a reader never sees nothing.
  if (pwrite(lock.file.get(), line.data(), line.size(), 0) == static_cast<ssize_t>(line.size())) {
    [[maybe_unused]] const int cut = ftruncate(lock.file.get(), static_cast<off_t>(line.size()));
  }
}

void wait_for_lock(const LockFile& lock) {
  while (flock(lock.file.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
}

}  // namespace hcrc

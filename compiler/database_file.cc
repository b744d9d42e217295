#include "compiler/database_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/folder_stream.h"
#include "core/bounds.h"

namespace hcrc::compiler {

namespace {

constexpr std::string_view temporary_prefix = ".hcrc-compile-";
constexpr int most_links = 40;  // as the kernel follows (path_resolution(7))
constexpr int tries = 100;

std::unexpected<SystemError> failure(std::string what, int code = errno) {
  return std::unexpected(SystemError{.what = std::move(what), .code = code});
}

// A file's folder, open, and its name in it.
struct Target {
  Descriptor folder;
  std::string folder_path;
  std::string name;
};

// The file that a path names in the end, whether it exists or not.
std::expected<Target, SystemError> find_target(const std::string& path) {
  std::string now = path;
  for (int i = 0; i < most_links; ++i) {
    if (now.ends_with('/')) return failure(path + ": names a folder", 0);
    const std::size_t slash = now.rfind('/');
    Target target{.folder = {},
                  .folder_path = slash == std::string::npos ? "."
                                 : slash == 0               ? "/"
                                                            : now.substr(0, slash),
                  .name = now.substr(slash + 1)};
    target.folder = Descriptor(::open(target.folder_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!target.folder) return failure(target.folder_path + ": cannot be opened as a folder");
    std::vector<char> link(PATH_MAX);
    const ssize_t length = ::readlinkat(target.folder.get(), target.name.c_str(), link.data(), link.size());
    if (length < 0 && errno != EINVAL && errno != ENOENT) return failure(now + ": cannot be looked at");
    if (length < 0) return target;
    const std::string to(link.data(), static_cast<std::size_t>(length));
    now = to.starts_with('/') ? to : target.folder_path + "/" + to;
  }
  return failure(path + ": is a link", ELOOP);
}

// A file under a name of its own that vanishes with its owner unless it was renamed. Its lock, which ends with its owner's
// process, tells a temporary file in use from one that was left behind.
class TemporaryFile {
 public:
  explicit TemporaryFile(const Target& target) : target_(target) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) ::unlinkat(target_.folder.get(), name_.c_str(), 0);
  }

  std::expected<void, SystemError> create();
  std::expected<void, SystemError> write(std::span<const std::byte> bytes) const;
  std::expected<void, SystemError> become_target();

 private:
  std::string path() const { return target_.folder_path + "/" + name_; }

  const Target& target_;
  Descriptor file_;
  std::string name_;
};

std::expected<void, SystemError> TemporaryFile::create() {
  for (int i = 0; i < tries; ++i) {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
      number = static_cast<std::uint64_t>(::getpid()) + static_cast<std::uint64_t>(i);
    std::string name = fmt::format("{}{:016x}", temporary_prefix, number);
    Descriptor file(
        ::openat(target_.folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file && errno == EEXIST) continue;
    if (!file) return failure(target_.folder_path + ": no file can be made in it");
    // A run that tidies up may have been faster: then the name is gone, and another one is taken. Where files cannot be
    // locked nobody tidies up either.
    struct stat state;
    const bool locked = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    if (!locked || ::fstat(file.get(), &state) != 0 || state.st_nlink == 0) {
      ::unlinkat(target_.folder.get(), name.c_str(), 0);
      continue;
    }
    file_ = std::move(file);
    name_ = std::move(name);
    return {};
  }
  return failure(target_.folder_path + ": no file can be made in it", EEXIST);
}

std::expected<void, SystemError> TemporaryFile::write(std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure(path() + ": cannot be written");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  if (::fchmod(file_.get(), 0644) != 0) return failure(path() + ": cannot be made readable");
  if (::fsync(file_.get()) != 0) return failure(path() + ": cannot be written");
  return {};
}

std::expected<void, SystemError> TemporaryFile::become_target() {
  if (::renameat(target_.folder.get(), name_.c_str(), target_.folder.get(), target_.name.c_str()) != 0) {
    return failure(target_.folder_path + "/" + target_.name + ": cannot be replaced");
  }
  name_.clear();
  // Some file systems have no folders to sync.
  if (::fsync(target_.folder.get()) != 0 && errno != EINVAL) return failure(target_.folder_path + ": cannot be written");
  return {};
}

void remove_left_behind(const Target& target) {
  const int copy = ::openat(target.folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return;
  const FolderStream stream(::fdopendir(copy));
  if (stream == nullptr) {
    ::close(copy);
    return;
  }
  while (const dirent* entry = ::readdir(stream.get())) {
    if (!std::string_view(entry->d_name).starts_with(temporary_prefix)) continue;
    const Descriptor file(::openat(target.folder.get(), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat state;
    if (!file || ::fstat(file.get(), &state) != 0 || !S_ISREG(state.st_mode)) continue;
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlinkat(target.folder.get(), entry->d_name, 0);
  }
}

}  // namespace

std::expected<Database, SystemError> read_database_file(const std::string& path) {
  const auto failed = [&](int code) { return std::unexpected(SystemError{path + ": cannot be read", code}); };
  const auto refused = [&](std::string_view why) {
    return std::unexpected(SystemError{fmt::format("{}: {}", path, why), 0});
  };
  // O_NONBLOCK: a FIFO must not keep us waiting for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return failed(errno);
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return failed(errno);
  if (!S_ISREG(facts.st_mode)) {
    return std::unexpected(SystemError{path + ": is no file: name a database, as hcrc-compile -o writes it", 0});
  }
  if (facts.st_size > static_cast<off_t>(bounds::database_bytes))
    return refused("is larger than any database: name the file that hcrc-compile has written");
  std::vector<std::byte> bytes(static_cast<std::size_t>(facts.st_size));
  std::size_t length = 0;
  while (length < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + length, bytes.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  bytes.resize(length);
  auto database = Database::load(std::move(bytes));
  if (!database) return refused(database.error().sentence);
  return std::move(*database);
}

std::expected<void, SystemError> write_database_file(const std::string& path, std::span<const std::byte> bytes) {
  const auto target = find_target(path);
  if (!target) return std::unexpected(target.error());
  struct stat state;
  if (::fstatat(target->folder.get(), target->name.c_str(), &state, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISDIR(state.st_mode)) return failure(path + ": is a folder, and a database is a file", 0);
    if (!S_ISREG(state.st_mode)) return failure(path + ": is no regular file, and is not replaced", 0);
  }
  remove_left_behind(*target);
  TemporaryFile temporary(*target);
  if (auto made = temporary.create(); !made) return made;
  if (auto written = temporary.write(bytes); !written) return written;
  return temporary.become_target();
}

}  // namespace hcrc::compiler

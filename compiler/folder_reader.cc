#include "compiler/folder_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "compiler/folder_stream.h"
#include "compiler/parallel.h"
#include "core/bounds.h"

namespace hcrc::compiler {

namespace {

constexpr std::size_t files_at_once = 512;  // by one thread
constexpr int tries = 5;                    // of a file that changes while it is read

std::unexpected<SystemError> failure(std::string what, int code = errno) {
  return std::unexpected(SystemError{.what = std::move(what), .code = code});
}

// The path without any link in it; none where it leads to nothing.
std::optional<std::string> resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> text(::realpath(path.c_str(), nullptr), &std::free);
  if (text == nullptr) return std::nullopt;
  return std::string(text.get());
}

bool same_state(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

class FolderReader {
 public:
  FolderReader(std::string path, std::uint32_t index) : path_(std::move(path)), index_(index) {}

  std::expected<std::vector<InputFile>, SystemError> run();

 private:
  static constexpr int open_flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

  std::string path_of(std::string_view name) const { return path_ + "/" + std::string(name); }
  // What a name was when the folder was listed: nothing is taken for granted of it before it is open.
  struct Entry {
    std::string name;
    bool regular = false;  // as far as the file system says so by itself
  };
  std::expected<std::vector<Entry>, SystemError> entries() const;
  // None where there is nothing to say about it.
  std::expected<std::optional<InputFile>, SystemError> look_at(const Entry& entry) const;
  std::expected<std::optional<InputFile>, SystemError> open_and_read(InputFile file) const;
  std::expected<Descriptor, int> open_link(const std::string& name) const;
  std::expected<InputFile, SystemError> read(InputFile file, const Descriptor& descriptor, struct stat state) const;

  const std::string path_;
  const std::uint32_t index_;
  Descriptor folder_;
};

std::expected<std::vector<FolderReader::Entry>, SystemError> FolderReader::entries() const {
  const int copy = ::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return failure(path_ + ": cannot be read");
  const FolderStream stream(::fdopendir(copy));
  if (stream == nullptr) {
    const int code = errno;
    ::close(copy);
    return failure(path_ + ": cannot be read", code);
  }
  std::vector<Entry> entries;
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with('.') && !name.starts_with("README"))
      entries.push_back({.name = std::string(name), .regular = entry->d_type == DT_REG});
  }
  if (errno != 0) return failure(path_ + ": cannot be read");
  std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

// Follows a link as far as it stays inside the folder: its target is opened part by part, and none of them may be a link any
// more. The error is an errno; EXDEV where it leads out, or to nothing.
std::expected<Descriptor, int> FolderReader::open_link(const std::string& name) const {
  const auto folder = resolved(path_);
  const auto target = resolved(path_of(name));
  if (!folder || !target) return std::unexpected(EXDEV);
  const std::string prefix = *folder == "/" ? "/" : *folder + "/";
  if (!target->starts_with(prefix)) return std::unexpected(EXDEV);
  std::string rest = target->substr(prefix.size());
  Descriptor at;
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string part = rest.substr(0, slash);
    const int flags = slash == std::string::npos ? open_flags : O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    Descriptor next(::openat(at ? at.get() : folder_.get(), part.c_str(), flags));
    if (!next) return std::unexpected(errno == ELOOP || errno == ENOENT || errno == ENOTDIR ? EXDEV : errno);
    if (slash == std::string::npos) return next;
    at = std::move(next);
    rest.erase(0, slash + 1);
  }
}

std::expected<InputFile, SystemError> FolderReader::read(InputFile file, const Descriptor& descriptor,
                                                         struct stat state) const {
  for (int i = 0; i < tries; ++i) {
    file.text.clear();
    char buffer[16 << 10];
    while (file.text.size() <= bounds::source_file_bytes) {
      const ssize_t got = ::pread(descriptor.get(), buffer, sizeof buffer, static_cast<off_t>(file.text.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failure(path_of(file.name) + ": cannot be read");
      file.text.append(buffer, static_cast<std::size_t>(got));
      // All that its size promised: whether there is more by now is asked below.
      const bool whole = file.text.size() == static_cast<std::size_t>(state.st_size);
      if (got == 0 || (whole && static_cast<std::size_t>(got) < sizeof buffer)) break;
    }
    if (file.text.size() > bounds::source_file_bytes) {
      file.text.clear();
      file.found = Found::too_big;
      return file;
    }
    struct stat now;
    if (::fstat(descriptor.get(), &now) != 0) return failure(path_of(file.name) + ": cannot be read");
    if (same_state(state, now) && file.text.size() == static_cast<std::size_t>(now.st_size)) return file;
    state = now;
  }
  return failure(path_of(file.name) + ": changes all the time", 0);
}

std::expected<std::optional<InputFile>, SystemError> FolderReader::open_and_read(InputFile file) const {
  Descriptor descriptor;
  if (file.found == Found::link_out) {
    auto opened = open_link(file.name);
    if (!opened && opened.error() != EXDEV) return failure(path_of(file.name) + ": cannot be opened", opened.error());
    if (!opened) return file;
    file.found = Found::file;
    descriptor = std::move(*opened);
  } else {
    descriptor = Descriptor(::openat(folder_.get(), file.name.c_str(), open_flags));
    // What it was a moment ago is no promise: a link now, or gone.
    if (!descriptor && errno == ENOENT) return std::nullopt;
    if (!descriptor && errno != ELOOP && errno != ENXIO) return failure(path_of(file.name) + ": cannot be opened");
    if (!descriptor) {
      file.found = Found::special;
      return file;
    }
  }
  struct stat state;
  if (::fstat(descriptor.get(), &state) != 0) return failure(path_of(file.name) + ": cannot be read");
  if (!S_ISREG(state.st_mode)) {
    file.found = S_ISDIR(state.st_mode) ? Found::folder : Found::special;
    return file;
  }
  return read(std::move(file), descriptor, state);
}

std::expected<std::optional<InputFile>, SystemError> FolderReader::look_at(const Entry& entry) const {
  const std::string& name = entry.name;
  InputFile file{.folder = index_, .name = name};
  if (entry.regular && name.ends_with(".toml")) return open_and_read(std::move(file));
  struct stat state;
  if (::fstatat(folder_.get(), name.c_str(), &state, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::nullopt;  // gone since it was listed
    return failure(path_of(name) + ": cannot be read");
  }
  if (!name.ends_with(".toml")) {
    // It is only named in a warning; a link to a folder is as quiet as a folder.
    if (S_ISLNK(state.st_mode) && ::fstatat(folder_.get(), name.c_str(), &state, 0) != 0) return file;
    if (S_ISDIR(state.st_mode)) return std::nullopt;
    return file;
  }
  if (S_ISDIR(state.st_mode)) {
    file.found = Found::folder;
    return file;
  }
  if (!S_ISREG(state.st_mode) && !S_ISLNK(state.st_mode)) {
    file.found = Found::special;
    return file;
  }
  if (S_ISLNK(state.st_mode)) file.found = Found::link_out;
  return open_and_read(std::move(file));
}

std::expected<std::vector<InputFile>, SystemError> FolderReader::run() {
  folder_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_) return failure(path_ + ": cannot be opened as a folder");
  const auto all = entries();
  if (!all) return std::unexpected(all.error());
  using Looked = std::expected<std::optional<InputFile>, SystemError>;
  std::vector<Looked> looked(all->size());
  const std::size_t parts = (all->size() + files_at_once - 1) / files_at_once;
  in_parallel(parts, [&](std::size_t part) {
    const std::size_t begin = part * files_at_once;
    for (std::size_t i = begin; i < std::min(begin + files_at_once, all->size()); ++i) looked[i] = look_at((*all)[i]);
  });
  std::vector<InputFile> files;
  files.reserve(all->size());
  for (Looked& file : looked) {
    if (!file) return std::unexpected(std::move(file.error()));
    if (*file) files.push_back(std::move(**file));
  }
  return files;
}

}  // namespace

std::expected<std::vector<InputFile>, SystemError> read_folder(const std::string& path, std::uint32_t index) {
  return FolderReader(path, index).run();
}

}  // namespace hcrc::compiler

#include "compiler/dump_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "compiler/folder_stream.h"

namespace hcrc::compiler {

namespace {

std::unexpected<SystemError> failure(std::string what, int code = errno) {
  return std::unexpected(SystemError{.what = std::move(what), .code = code});
}

// Takes back what was made, unless it is kept.
class NewFolder {
 public:
  explicit NewFolder(std::string path) : path_(std::move(path)) {}
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder();

  std::expected<void, SystemError> open();
  std::expected<void, SystemError> write(const DumpedFile& file);
  void keep() { kept_ = true; }

 private:
  std::expected<void, SystemError> is_empty() const;

  const std::string path_;
  Descriptor folder_;
  std::vector<std::string> made_;
  bool folder_is_new_ = false;
  bool kept_ = false;
};

NewFolder::~NewFolder() {
  if (kept_) return;
  for (const std::string& name : made_) ::unlinkat(folder_.get(), name.c_str(), 0);
  if (folder_is_new_) ::rmdir(path_.c_str());
}

std::expected<void, SystemError> NewFolder::is_empty() const {
  const int copy = ::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return failure(path_ + ": cannot be read");
  const FolderStream stream(::fdopendir(copy));
  if (stream == nullptr) {
    const int code = errno;
    ::close(copy);
    return failure(path_ + ": cannot be read", code);
  }
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return failure(path_ + ": is not empty, and a dump takes a folder of its own", 0);
  }
  if (errno != 0) return failure(path_ + ": cannot be read");
  return {};
}

std::expected<void, SystemError> NewFolder::open() {
  folder_is_new_ = ::mkdir(path_.c_str(), 0777) == 0;
  if (!folder_is_new_ && errno != EEXIST) return failure(path_ + ": cannot be made");
  folder_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_) return failure(path_ + ": cannot be opened as a folder");
  return folder_is_new_ ? std::expected<void, SystemError>() : is_empty();
}

std::expected<void, SystemError> NewFolder::write(const DumpedFile& file) {
  const auto failed = [&] { return failure(path_ + "/" + file.name + ": cannot be written"); };
  const Descriptor out(
      ::openat(folder_.get(), file.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!out) return failed();
  made_.push_back(file.name);
  for (std::string_view rest = file.text; !rest.empty();) {
    const ssize_t written = ::write(out.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed();
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

std::expected<void, SystemError> write_dump(const std::string& path, const std::vector<DumpedFile>& files) {
  NewFolder folder(path);
  if (auto opened = folder.open(); !opened) return opened;
  for (const DumpedFile& file : files) {
    if (auto written = folder.write(file); !written) return written;
  }
  folder.keep();
  return {};
}

std::string dump_text(const std::vector<DumpedFile>& files) {
  std::string text;
  for (const DumpedFile& file : files) {
    text.append(text.empty() ? "# " : "\n# ").append(file.name).append("\n").append(file.text);
  }
  return text;
}

}  // namespace hcrc::compiler

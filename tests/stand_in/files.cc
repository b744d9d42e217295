#include "tests/stand_in/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace stand_in {
namespace {

bool put(const std::string& path, std::string_view text, int flags, mode_t mode) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode);
  if (fd < 0) return false;
  const bool written = write_all(fd, text);
  close(fd);
  return written;
}

}  // namespace

std::optional<std::string> read_file(const std::string& path) {
  constexpr std::size_t most = 1 << 20;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer;
  ssize_t size = 0;
  while (text.size() < most && (size = read(fd, buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  const int error = errno;
  close(fd);
  errno = error;
  return size < 0 ? std::nullopt : std::optional(std::move(text));
}

bool write_file(const std::string& path, std::string_view text, mode_t mode) { return put(path, text, O_TRUNC, mode); }

bool append_file(const std::string& path, std::string_view text) { return put(path, text, O_APPEND, 0644); }

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

bool make_folders(const std::string& path, mode_t mode) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), mode) != 0 && errno != EEXIST) return false;
    if (slash == std::string::npos) break;
  }
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return false;
  errno = ENOTDIR;
  return S_ISDIR(status.st_mode);
}

void say(std::string_view line) { write_all(STDOUT_FILENO, std::string(line) + '\n'); }

void complain(std::string_view line) { write_all(STDERR_FILENO, std::string(line) + '\n'); }

}  // namespace stand_in

#include "core/runtime/trusted_file.h"

#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

namespace hcrc {

namespace {

constexpr int links_at_most = 40;  // as the kernel (path_resolution(7))

bool writable_by_others(const struct stat& folder) {
  return (folder.st_uid != 0 && folder.st_uid != geteuid()) || (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

// What a link that is open with O_PATH says.
std::expected<std::string, int> link_text(int link) {
  std::array<char, PATH_MAX> text;
  const ssize_t length = readlinkat(link, "", text.data(), text.size());
  if (length < 0) return std::unexpected(errno);
  if (length == 0 || static_cast<std::size_t>(length) == text.size()) return std::unexpected(ENAMETOOLONG);
  return std::string(text.data(), static_cast<std::size_t>(length));
}

// Takes the first component off a path; "" once only slashes are left.
std::string take_component(std::string& path) {
  const std::size_t begin = path.find_first_not_of('/');
  if (begin == std::string::npos) {
    path.clear();
    return {};
  }
  const std::size_t end = path.find('/', begin);
  std::string component = path.substr(begin, end == std::string::npos ? end : end - begin);
  path.erase(0, end == std::string::npos ? path.size() : end);
  return component;
}

int open_start(std::string_view path) { return open(path.starts_with('/') ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC); }

}  // namespace

std::expected<TrustedPath, int> walk_trusted(std::string_view path) {
  if (path.empty()) return std::unexpected(ENOENT);
  if (path.size() >= PATH_MAX) return std::unexpected(ENAMETOOLONG);
  std::string rest(path);
  TrustedPath walked{.folder = Descriptor(open_start(path)), .name = ".", .foreign = false};
  for (int links = 0;;) {
    struct stat facts{};
    if (!walked.folder || fstat(walked.folder.get(), &facts) != 0) return std::unexpected(errno);
    walked.foreign = walked.foreign || writable_by_others(facts);
    walked.name = take_component(rest);
    if (walked.name.empty()) walked.name = ".";
    const bool last = rest.find_first_not_of('/') == std::string::npos;
    Descriptor next(openat(walked.folder.get(), walked.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next && errno == ENOENT && last) return walked;  // the caller may want to make it
    if (!next || fstat(next.get(), &facts) != 0) return std::unexpected(errno);
    if (S_ISLNK(facts.st_mode)) {
      if (walked.foreign || ++links > links_at_most) return std::unexpected(ELOOP);
      auto target = link_text(next.get());
      if (!target) return std::unexpected(target.error());
      const bool absolute = target->starts_with('/');
      rest = std::move(*target) + rest;
      if (absolute) walked.folder.reset(open_start("/"));
      continue;
    }
    if (last) return walked;
    if (!S_ISDIR(facts.st_mode)) return std::unexpected(ENOTDIR);
    walked.folder = std::move(next);
  }
}

std::expected<Descriptor, int> open_to_read(const std::string& path, Whose whose) {
  constexpr int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  Descriptor file;
  bool foreign = false;
  if (whose == Whose::anybodys) {
    file.reset(open(path.c_str(), flags));
  } else {
    const auto walked = walk_trusted(path);
    if (!walked) return std::unexpected(walked.error());
    foreign = walked->foreign;
    file.reset(openat(walked->folder.get(), walked->name.c_str(), flags | O_NOFOLLOW));
  }
  struct stat facts{};
  if (!file || fstat(file.get(), &facts) != 0) return std::unexpected(errno);
  if (S_ISDIR(facts.st_mode)) return std::unexpected(EISDIR);
  if (!S_ISREG(facts.st_mode)) return std::unexpected(EINVAL);
  if (foreign && facts.st_nlink != 1) return std::unexpected(EMLINK);
  return file;
}

std::expected<std::string, int> read_whole(const std::string& path, std::size_t most, Whose whose) {
  const auto file = open_to_read(path, whose);
  if (!file) return std::unexpected(file.error());
  // One byte more than allowed tells a longer file. In one piece from the start, so that no copy of it stays behind.
  std::string content(most + 1, '\0');
  std::size_t length = 0;
  int error = 0;
  while (length < content.size()) {
    const ssize_t got = read(file->get(), content.data() + length, content.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (error == 0 && length > most) error = EFBIG;
  if (error != 0) {
    explicit_bzero(content.data(), content.size());
    return std::unexpected(error);
  }
  content.resize(length);
  return content;
}

StartFailure cannot_read(Stage stage, const std::string& path, int error) {
  StartFailure failure{.stage = stage, .error = 0, .permanent = false, .detail = shown(path)};
  switch (error) {
    case EINVAL: failure.detail += " is no regular file"; break;
    case EMLINK: failure.detail += " has several names in a folder that others may write"; break;
    case ELOOP: failure.detail += " leads through a link in a folder that others may write"; break;
    default: failure.error = error; break;
  }
  return failure;
}

}  // namespace hcrc

#include "core/runtime/standard_input.h"

#include <fcntl.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/bounds.h"

namespace hcrc {

namespace {

// Whether all of `text` found room in the pipe. Nothing is read meanwhile, so what does not fit at once never does.
bool fill(int pipe, std::string_view text) {
  if (fcntl(pipe, F_SETFL, O_NONBLOCK) != 0) return false;
  while (!text.empty()) {
    const ssize_t written = write(pipe, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

std::expected<Descriptor, int> feed_from_memory(std::string_view text) {
  Descriptor file(memfd_create("stdin", MFD_CLOEXEC));
  if (!file) return std::unexpected(errno);
  while (!text.empty()) {
    const ssize_t written = write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return std::unexpected(written < 0 ? errno : EIO);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return std::unexpected(errno);
  return file;
}

std::expected<Descriptor, int> feed(std::string_view text) {
  if (text.size() > bounds::stdin_bytes) return std::unexpected(EFBIG);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno);
  Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  const int room = fcntl(write_end.get(), F_GETPIPE_SZ);
  if (room < 0 || static_cast<std::size_t>(room) < text.size()) {
    fcntl(write_end.get(), F_SETPIPE_SZ, static_cast<int>(bounds::stdin_bytes));
  }
  if (fill(write_end.get(), text)) return read_end;
  return feed_from_memory(text);
}

OrFailure<Descriptor> feed_file(const std::string& path, const std::string_view* text, Whose whose) {
  auto content = read_whole(path, bounds::stdin_bytes, whose);
  if (!content && text != nullptr && (content.error() == ENOENT || content.error() == ENOTDIR)) {
    auto fed = feed(*text);
    if (!fed) return failed(Stage::standard_input, fed.error(), {});
    return std::move(*fed);
  }
  if (!content) return std::unexpected(cannot_read(Stage::standard_input, path, content.error()));
  auto fed = feed(*content);
  explicit_bzero(content->data(), content->size());
  if (!fed) return failed(Stage::standard_input, fed.error(), shown(path));
  return std::move(*fed);
}

}  // namespace hcrc

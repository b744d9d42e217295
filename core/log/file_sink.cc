#include "core/log/file_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace hcrc::log {

namespace {

constexpr std::chrono::milliseconds first_retry(250);
constexpr std::chrono::milliseconds longest_retry(30'000);

std::string_view last_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// The folder of a path, opened name by name through no link; -1 with errno.
int open_folder(std::string_view path) {
  Descriptor at(open(path.starts_with('/') ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string_view rest = path.substr(0, path.size() - last_name(path).size());
  while (at) {
    while (rest.starts_with('/')) rest.remove_prefix(1);
    if (rest.empty()) break;
    const std::string name(rest.substr(0, rest.find('/')));
    rest.remove_prefix(name.size());
    at.reset(openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  return at.release();
}

// Since it was made, where the file system knows; otherwise it counts as made now.
std::chrono::milliseconds age_of(int file) {
  struct statx facts{};
  timespec now{};
  if (statx(file, "", AT_EMPTY_PATH, STATX_BTIME, &facts) != 0 || (facts.stx_mask & STATX_BTIME) == 0 ||
      clock_gettime(CLOCK_REALTIME, &now) != 0) {
    return {};
  }
  const std::int64_t since = (now.tv_sec - facts.stx_btime.tv_sec) * 1'000 +
                             (now.tv_nsec - static_cast<std::int64_t>(facts.stx_btime.tv_nsec)) / 1'000'000;
  return std::chrono::milliseconds(std::max<std::int64_t>(0, since));
}

}  // namespace

// One attempt: who reads our stderr must not keep the log waiting.
void FileSink::complain(std::string_view what) {
  const std::string line = fmt::format("hcrc-log: {}: {}\n", settings_.path, what);
  (void)complaints_.write_once(line);
}

void FileSink::fail(int error, const char* doing, Clock::time_point now) {
  retry_delay_ = retry_delay_.count() == 0 ? first_retry : std::min(longest_retry, retry_delay_ * 2);
  retry_at_ = now + retry_delay_;
  if (told_) return;
  told_ = true;
  // What open(2) answers to a link, or to what is no folder, is no help to a person.
  const bool link = error == ELOOP || error == ENOTDIR;
  complain(fmt::format("{}: {}: trying again", doing,
                       link ? "a link or something that is no folder is in the way" : std::strerror(error)));
}

bool FileSink::open_file(Clock::time_point now) {
  file_.reset();
  line_was_cut_ = line_was_cut_ || mid_line_;
  mid_line_ = false;
  folder_.reset(open_folder(settings_.path));
  if (!folder_) return fail(errno, "its folder cannot be opened", now), false;
  const std::string name(last_name(settings_.path));
  // O_NONBLOCK: a FIFO in its place must not keep us waiting for a reader.
  Descriptor file(openat(folder_.get(), name.c_str(),
                         O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0644));
  if (!file) return fail(errno, "cannot be opened", now), false;
  struct stat facts{};
  if (fstat(file.get(), &facts) != 0) return fail(errno, "cannot be looked at", now), false;
  if (!S_ISREG(facts.st_mode) || facts.st_nlink != 1) {
    return fail(EINVAL, S_ISREG(facts.st_mode) ? "has a second name" : "is no regular file", now), false;
  }
  file_ = std::move(file);
  device_ = facts.st_dev;
  inode_ = facts.st_ino;
  written_ = static_cast<std::uint64_t>(facts.st_size);
  first_line_at_.reset();
  if (written_ > 0) first_line_at_ = now - age_of(file_.get());
  return true;
}

// Also takes over the size: somebody may have cut the file, or written to it.
bool FileSink::still_named() {
  struct stat named{};
  if (lstat(settings_.path.c_str(), &named) != 0 || named.st_dev != device_ || named.st_ino != inode_) return false;
  written_ = static_cast<std::uint64_t>(named.st_size);
  if (written_ == 0) first_line_at_.reset();
  return true;
}

bool FileSink::ready(Clock::time_point now) {
  if (retry_at_ && now < *retry_at_) return false;
  return (file_ && still_named()) || open_file(now);
}

void FileSink::reopen(Clock::time_point now) {
  file_.reset();
  retry_at_.reset();
  retry_delay_ = {};
  open_file(now);
}

bool FileSink::rename_all() {
  const std::string name(last_name(settings_.path));
  if (settings_.keep == 0) return unlinkat(folder_.get(), name.c_str(), 0) == 0;
  for (unsigned number = settings_.keep; number > 1; --number) {
    const std::string from = fmt::format("{}.{}", name, number - 1);
    const std::string to = fmt::format("{}.{}", name, number);
    if (renameat(folder_.get(), from.c_str(), folder_.get(), to.c_str()) != 0 && errno != ENOENT) return false;
  }
  return renameat(folder_.get(), name.c_str(), folder_.get(), fmt::format("{}.1", name).c_str()) == 0;
}

void FileSink::rotate(Clock::time_point now) {
  if (!ready(now)) return;
  rotation_asked_ = written_ > 0;
  if (rotation_asked_ && !mid_line_) rename_and_open(now);
}

void FileSink::rename_and_open(Clock::time_point now) {
  rotation_asked_ = false;
  if (rename_all()) {
    rotate_again_at_.reset();
    open_file(now);
    return;
  }
  const int error = errno;
  if (!rotate_again_at_) complain(fmt::format("cannot be rotated: {}: going on with it", std::strerror(error)));
  rotate_again_at_ = now + longest_retry;
}

// Between lines only: no line is split over two files, unless it is longer than a file may be.
void FileSink::rotate_if_due(const LineQueue& queue, Clock::time_point now) {
  if (mid_line_ || written_ == 0) return;
  if (rotation_asked_) return rename_and_open(now);
  if (rotate_again_at_ && now < *rotate_again_at_) return;
  const std::uint64_t line = queue.front().find('\n') + 1;
  const bool full = settings_.size && (written_ >= *settings_.size || line > *settings_.size - written_);
  const bool old = settings_.age && first_line_at_ && now - *first_line_at_ >= *settings_.age;
  if (full || old) rename_and_open(now);
}

// How much of the front goes into this file: whole lines as far as they fit.
std::size_t FileSink::piece(std::string_view front) const {
  if (!settings_.size) return front.size();
  const std::uint64_t room = *settings_.size > written_ ? *settings_.size - written_ : 0;
  if (front.size() <= room || rotate_again_at_) return front.size();
  if (room > 0) {
    const std::size_t end = front.rfind('\n', static_cast<std::size_t>(room) - 1);
    if (end != std::string_view::npos) return end + 1;
  }
  // A line longer than a file may be.
  return std::min<std::uint64_t>(front.size(), std::max<std::uint64_t>(room, 1));
}

void FileSink::write_some(LineQueue& queue, Clock::time_point now) {
  while (!queue.empty()) {
    if (!ready(now)) return;
    rotate_if_due(queue, now);
    if (!file_) return;
    if (line_was_cut_) queue.rewind();
    line_was_cut_ = false;
    const std::string_view front = queue.front();
    const std::size_t length = piece(front);
    const ssize_t written = write(file_.get(), front.data(), length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(written < 0 ? errno : ENOSPC, "cannot be written", now);
    if (!first_line_at_) first_line_at_ = now;
    written_ += static_cast<std::uint64_t>(written);
    const char last = front[static_cast<std::size_t>(written) - 1];
    const bool over = settings_.size && written_ >= *settings_.size;
    mid_line_ = last != '\n' && !(over && static_cast<std::size_t>(written) == length);
    queue.take(static_cast<std::size_t>(written));
    queue.tell_dropped();
    if (told_) complain("is written again");
    told_ = false;
    retry_at_.reset();
    retry_delay_ = {};
  }
}

}  // namespace hcrc::log

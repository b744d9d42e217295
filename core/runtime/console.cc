#include "core/runtime/console.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/bounds.h"
#include "core/text.h"

namespace hcrc {

static_assert(bounds::story_line_bytes + 16 <= PIPE_BUF, "a line is written by one write");

void Console::line(std::string_view text) {
  std::array<char, bounds::story_line_bytes> bytes;
  TextWriter writer(std::span<char>(bytes).first(bytes.size() - 1));
  writer.put("hcrc: ").put(text);
  TextWriter(std::span<char>(bytes).subspan(writer.view().size())).put('\n');
  const std::string_view whole(bytes.data(), writer.view().size() + 1);
  if (!room_for(whole.size())) {
    ++dropped_;
  } else {
    add(whole);
  }
  flush();
}

void Console::add(std::string_view text) {
  for (const char character : text) buffer_[(first_ + count_++) % capacity] = character;
}

// One write of whole or part lines; false where nothing more can be written now.
bool Console::write_some() {
  pollfd poll_fd{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&poll_fd, 1, 0) != 1 || (poll_fd.revents & POLLOUT) == 0) {
    // Nobody will ever read it: what waits is dropped, so that the watcher does not spin.
    if ((poll_fd.revents & (POLLERR | POLLNVAL)) != 0) count_ = 0;
    return false;
  }
  const std::size_t piece = std::min({count_, capacity - first_, std::size_t{PIPE_BUF}});
  const ssize_t written = write(STDERR_FILENO, buffer_.data() + first_, piece);
  if (written < 0) {
    if (errno != EINTR && errno != EAGAIN) count_ = 0;
    return errno == EINTR;
  }
  first_ = (first_ + static_cast<std::size_t>(written)) % capacity;
  count_ -= static_cast<std::size_t>(written);
  return true;
}

void Console::flush() {
  while (count_ > 0 && write_some()) {
  }
  if (count_ == 0 && dropped_ > 0) {
    std::array<char, 80> bytes;
    TextWriter writer(bytes);
    writer.put("hcrc: ").number(dropped_).put(" lines were dropped: the console took no more\n");
    dropped_ = 0;
    add(writer.view());
    while (count_ > 0 && write_some()) {
    }
  }
  if (loop_ == nullptr) return;
  if (count_ == 0) {
    watcher_.stop();
  } else {
    watcher_.start(
        *loop_, STDERR_FILENO, {.readable = false, .writable = true},
        [](void* console, Readiness) { static_cast<Console*>(console)->flush(); }, this);
  }
}

void Console::finish(int milliseconds) {
  watcher_.stop();  // the loop may go before the console
  loop_ = nullptr;
  flush();
  while (count_ > 0) {
    pollfd poll_fd{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (poll(&poll_fd, 1, milliseconds) != 1 || !write_some()) return;
  }
}

}  // namespace hcrc

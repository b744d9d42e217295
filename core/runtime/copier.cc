#include "core/runtime/copier.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/descriptors.h"
#include "core/runtime/execute.h"

namespace hcrc {

namespace {

volatile sig_atomic_t told_to_end = 0;

constexpr std::size_t read_bytes = 16u << 10;
constexpr std::size_t line_bytes = 64u << 10;  // a longer line is written in pieces

struct CopiedStream {
  int fd;
  std::string unfinished;
};

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      pollfd console{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      poll(&console, 1, -1);
      continue;
    }
    if (written < 0) return;  // the console is gone, the producers live on
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Writes the whole lines, keeps what is unfinished.
void pass_on(CopiedStream& stream, std::string_view bytes) {
  stream.unfinished.append(bytes);
  const std::size_t end = stream.unfinished.rfind('\n');
  std::size_t whole = end == std::string::npos ? 0 : end + 1;
  if (stream.unfinished.size() - whole > line_bytes) whole = stream.unfinished.size();
  write_all(std::string_view(stream.unfinished).substr(0, whole));
  stream.unfinished.erase(0, whole);
}

void finish(CopiedStream& stream) {
  if (!stream.unfinished.empty()) write_all(stream.unfinished + '\n');
  stream.unfinished.clear();
}

[[noreturn]] void copy(std::vector<CopiedStream> streams, const sigset_t& outside) {
  std::vector<pollfd> polled;
  std::vector<char> buffer(read_bytes);
  while (!streams.empty() && told_to_end == 0) {
    polled.clear();
    for (const CopiedStream& stream : streams) polled.push_back({.fd = stream.fd, .events = POLLIN, .revents = 0});
    // SIGTERM is let in here only: never between a read and its write.
    if (ppoll(polled.data(), polled.size(), nullptr, &outside) < 0) continue;
    for (std::size_t i = streams.size(); i-- > 0;) {
      if (polled[i].revents == 0) continue;
      const ssize_t got = read(streams[i].fd, buffer.data(), buffer.size());
      if (got > 0) {
        pass_on(streams[i], {buffer.data(), static_cast<std::size_t>(got)});
      } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        finish(streams[i]);
        streams.erase(streams.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }
  for (CopiedStream& stream : streams) finish(stream);
  _exit(0);
}

}  // namespace

std::expected<pid_t, int> start_copier(std::span<const int> fds) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t child = fork();
  const int error = errno;
  if (child == 0) {
    setsid();
    reset_signals(signals_not_by_default());
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGTERM, [](int) { told_to_end = 1; });
    // Every other descriptor of the runtime goes: a write end that stayed open here would keep a stream from ending.
    std::vector<CopiedStream> streams;
    for (const int fd : fds) streams.push_back({.fd = fd, .unfinished = {}});
    std::vector<int> kept = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    kept.insert(kept.end(), fds.begin(), fds.end());
    close_all_but(kept);
    sigset_t outside;
    sigfillset(&outside);
    sigdelset(&outside, SIGTERM);
    copy(std::move(streams), outside);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) return std::unexpected(error);
  return child;
}

}  // namespace hcrc

#include "core/log/tee.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

namespace hcrc::log {

namespace {

constexpr std::size_t read_bytes = 64u << 10;
constexpr std::size_t queue_bytes = 4u << 20;
constexpr std::chrono::milliseconds console_retry(1'000);
constexpr std::chrono::milliseconds last_patience(1'000);

std::int64_t wall_clock_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000 + now.tv_nsec / 1'000'000;
}

class Tee {
 public:
  Tee(const TeeSettings& settings, const std::vector<InputStream>& streams)
      : formatter_(settings.form, settings.timestamp, settings.prefix), buffer_(read_bytes) {
    for (const InputStream& stream : streams) {
      inputs_.push_back(
          {.fd = stream.fd, .name = streams.size() > 1 ? stream.name : std::string(), .lines = LineAssembler(line_bytes)});
    }
    if (settings.file) {
      file_.emplace(*settings.file);
      file_queue_.emplace(queue_bytes, "the file");
    }
    if (settings.tee || !settings.file) {
      console_.emplace();
      console_queue_.emplace(queue_bytes, "the console");
    }
    polled_.reserve(inputs_.size() + 2);
  }

  int run(int signals) {
    while (!inputs_.empty() && !told_to_end_) {
      poll_all(signals);
      if ((polled_[0].revents & POLLIN) != 0) take_signals(signals);
      read_inputs();
      write_all();
    }
    drain();
    return 0;
  }

 private:
  struct Input {
    int fd;
    std::string name;
    LineAssembler lines;
  };

  void poll_all(int signals) {
    polled_.clear();
    polled_.push_back({.fd = signals, .events = POLLIN, .revents = 0});
    for (const Input& input : inputs_) polled_.push_back({.fd = input.fd, .events = POLLIN, .revents = 0});
    const bool wants_console = console_ && !console_queue_->empty() && !console_->full();
    polled_.push_back({.fd = wants_console ? console_->fd() : -1, .events = POLLOUT, .revents = 0});
    std::optional<Clock::time_point> wake;
    if (file_) wake = file_->next(*file_queue_);
    if (console_ && console_->full() && !console_queue_->empty()) {
      const Clock::time_point again = Clock::now() + console_retry;
      wake = wake ? std::min(*wake, again) : again;
    }
    int timeout = -1;
    if (wake)
      timeout = static_cast<int>(
          std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(*wake - Clock::now()).count()));
    if (poll(polled_.data(), polled_.size(), timeout) < 0) {
      for (pollfd& one : polled_) one.revents = 0;
    }
  }

  void take_signals(int signals) {
    signalfd_siginfo info{};
    while (read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      switch (static_cast<int>(info.ssi_signo)) {
        case SIGTERM:
        case SIGINT: told_to_end_ = true; break;
        case SIGHUP:
          if (file_) file_->reopen();
          break;
        case SIGUSR1:
          if (file_) file_->rotate(Clock::now());
          break;
        default: break;
      }
    }
  }

  void put(const Input& input, std::string_view text) {
    const std::string_view line = formatter_.line(input.name, text);
    if (file_) file_queue_->push(line);
    if (console_ && !console_->gone()) console_queue_->push(line);
  }

  // False: the stream has ended.
  bool read_some(Input& input) {
    const ssize_t got = read(input.fd, buffer_.data(), buffer_.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got <= 0) {
      input.lines.finish([&](std::string_view line) { put(input, line); });
      return false;
    }
    input.lines.feed({buffer_.data(), static_cast<std::size_t>(got)}, [&](std::string_view line) { put(input, line); });
    return true;
  }

  void read_inputs() {
    formatter_.set_time(wall_clock_ms());
    for (std::size_t i = inputs_.size(); i-- > 0;) {
      if (polled_[i + 1].revents == 0) continue;
      if (!read_some(inputs_[i])) inputs_.erase(inputs_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  std::size_t write_all() {
    std::size_t progress = 0;
    if (file_) {
      const std::size_t before = file_queue_->size();
      file_->write_some(*file_queue_, Clock::now());
      progress += before - file_queue_->size();
    }
    if (console_) progress += console_->write_some(*console_queue_);
    return progress;
  }

  bool all_written() const { return (!file_ || file_queue_->empty()) && (!console_ || console_queue_->empty()); }

  // The end: what is in the streams now, then what is in the queues, as long as a sink takes any of it.
  void drain() {
    formatter_.set_time(wall_clock_ms());
    for (Input& input : inputs_) {
      pollfd polled{.fd = input.fd, .events = POLLIN, .revents = 0};
      // A producer that writes without end is not waited for: what a pipe holds, and a bit.
      for (int turns = 0; turns < 64 && poll(&polled, 1, 0) == 1; ++turns) {
        if (!read_some(input)) break;
        write_all();
      }
      input.lines.finish([&](std::string_view line) { put(input, line); });
    }
    if (file_) file_queue_->tell_dropped();
    if (console_) console_queue_->tell_dropped();
    Clock::time_point last_progress = Clock::now();
    while (!all_written() && Clock::now() - last_progress < last_patience) {
      if (write_all() > 0) {
        last_progress = Clock::now();
        continue;
      }
      pollfd polled{.fd = console_ && !console_queue_->empty() && !console_->full() ? console_->fd() : -1,
                    .events = POLLOUT,
                    .revents = 0};
      poll(&polled, 1, 50);
    }
  }

  Formatter formatter_;
  std::vector<Input> inputs_;
  std::vector<char> buffer_;
  std::vector<pollfd> polled_;
  std::optional<FileSink> file_;
  std::optional<LineQueue> file_queue_;
  std::optional<ConsoleSink> console_;
  std::optional<LineQueue> console_queue_;
  bool told_to_end_ = false;
};

}  // namespace

std::vector<InputStream> handed_over_streams(const char* listen_fds, const char* listen_names) {
  std::vector<InputStream> streams;
  int count = 0;
  if (listen_fds != nullptr) {
    const std::string_view text(listen_fds);
    if (std::from_chars(text.data(), text.data() + text.size(), count).ec != std::errc()) count = 0;
  }
  std::string_view names = listen_names == nullptr ? std::string_view() : std::string_view(listen_names);
  for (int i = 0; i < count; ++i) {
    const std::string_view name = names.substr(0, names.find(':'));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    streams.push_back({.fd = 3 + i, .name = std::string(name)});
  }
  if (streams.empty()) streams.push_back({.fd = STDIN_FILENO, .name = {}});
  return streams;
}

int run_tee(const TeeSettings& settings, const std::vector<InputStream>& streams) {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&taken, signal);
  ::signal(SIGPIPE, SIG_IGN);
  if (sigprocmask(SIG_BLOCK, &taken, nullptr) != 0) return errno;
  const Descriptor signals(signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return errno;
  return Tee(settings, streams).run(signals.get());
}

}  // namespace hcrc::log

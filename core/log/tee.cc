#include "core/log/tee.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <utility>

namespace hcrc::log {

namespace {

constexpr std::size_t read_bytes = 64u << 10;
constexpr std::size_t queue_bytes = 4u << 20;
constexpr std::size_t notice_bytes = 256;
// At the end: how long a sink may take nothing until it is given up. The streams' end leaves a slow reader some time;
// SIGTERM comes from somebody who waits.
constexpr std::chrono::milliseconds patience_at_end(3'000);
constexpr std::chrono::milliseconds patience_when_told(1'000);
// The same, before SIGTERM: bytes that are read from each stream. More than a pipe holds by default (64 KiB), up to what it
// may hold (1 MiB).
constexpr std::size_t last_bytes = 4u << 20;

std::int64_t wall_clock_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000 + now.tv_nsec / 1'000'000;
}

// A pipe's end of our own, which may have O_NONBLOCK: should somebody else read from this one too, we never wait for what he
// has taken. -1 where it cannot be had; then poll(2) is trusted.
int own_end(int fd) {
  struct statfs facts{};
  // One that has a name is left alone: opened anew after its last writer has gone, it would never tell of its end.
  if (fstatfs(fd, &facts) != 0 || facts.f_type != PIPEFS_MAGIC) return -1;
  return open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

class Tee {
 public:
  Tee(const TeeSettings& settings, const std::vector<InputStream>& streams)
      : formatter_(settings.form, settings.timestamp, settings.prefix),
        notices_(settings.form, settings.timestamp, settings.prefix, notice_bytes),
        complaints_(STDERR_FILENO),
        buffer_(read_bytes) {
    const bool named = streams.size() > 1 || settings.form == Form::json;
    for (const InputStream& stream : streams) {
      Descriptor own(own_end(stream.fd));
      const int fd = own ? own.get() : stream.fd;
      inputs_.push_back(
          {.fd = fd, .own = std::move(own), .name = named ? stream.name : "", .lines = LineAssembler(line_bytes)});
    }
    if (settings.file) {
      file_.emplace(*settings.file, complaints_);
      file_queue_.emplace(queue_bytes, "the file", notices_);
    }
    if (settings.tee || !settings.file) {
      console_.emplace(STDOUT_FILENO);
      console_queue_.emplace(queue_bytes, "the console", notices_);
    }
    polled_.reserve(inputs_.size() + 2);
  }

  int run(int signals) {
    signals_ = signals;
    if (file_) file_->reopen(Clock::now());
    while (!inputs_.empty() && !told_to_end_) {
      poll_all(wake());
      set_time();
      take_signals();
      read_inputs();
      write_all();
    }
    drain();
    return 0;
  }

 private:
  struct Input {
    int fd;
    Descriptor own;
    std::string name;
    LineAssembler lines;
  };

  std::optional<Clock::time_point> wake() const {
    const auto file = file_ ? file_->next(*file_queue_) : std::nullopt;
    const auto console = console_ ? console_->next(*console_queue_) : std::nullopt;
    return file && console ? std::min(*file, *console) : file ? file : console;
  }

  // Signals first, then the streams, then the console. Without `until`, it waits for them alone.
  void poll_all(std::optional<Clock::time_point> until) {
    polled_.clear();
    polled_.push_back({.fd = signals_, .events = POLLIN, .revents = 0});
    for (const Input& input : inputs_) polled_.push_back({.fd = input.fd, .events = POLLIN, .revents = 0});
    polled_.push_back({.fd = console_ ? console_->fd(*console_queue_) : -1, .events = POLLOUT, .revents = 0});
    int timeout = -1;
    if (until) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
      timeout = static_cast<int>(std::max<std::int64_t>(0, left));
    }
    if (poll(polled_.data(), polled_.size(), timeout) < 0) {
      for (pollfd& one : polled_) one.revents = 0;
    }
  }

  void set_time() {
    const std::int64_t now = wall_clock_ms();
    formatter_.set_time(now);
    notices_.set_time(now);
  }

  void take_signals() {
    if ((polled_[0].revents & POLLIN) == 0) return;
    signalfd_siginfo info{};
    while (read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      switch (static_cast<int>(info.ssi_signo)) {
        case SIGTERM:
        case SIGINT: told_to_end_ = true; break;
        case SIGHUP:
          if (file_) file_->reopen(Clock::now());
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

  // Bytes read; -1: the stream has ended.
  ssize_t read_some(Input& input) {
    const ssize_t got = read(input.fd, buffer_.data(), buffer_.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    if (got <= 0) {
      input.lines.finish([&](std::string_view line) { put(input, line); });
      return -1;
    }
    input.lines.feed({buffer_.data(), static_cast<std::size_t>(got)}, [&](std::string_view line) { put(input, line); });
    return got;
  }

  void read_inputs() {
    for (std::size_t i = inputs_.size(); i-- > 0;) {
      if (polled_[i + 1].revents == 0) continue;
      if (read_some(inputs_[i]) < 0) inputs_.erase(inputs_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  // Whether a sink has taken anything.
  bool write_all() {
    const Clock::time_point now = Clock::now();
    bool progress = false;
    if (file_) {
      const std::size_t before = file_queue_->size();
      file_->write_some(*file_queue_, now);
      progress = file_queue_->size() < before;
    }
    if (console_ && console_->write_some(*console_queue_, now) > 0) progress = true;
    return progress;
  }

  // What is in the streams now. Who writes without end is not waited for.
  void read_rest() {
    for (Input& input : inputs_) {
      std::size_t taken = 0;
      pollfd polled{.fd = input.fd, .events = POLLIN, .revents = 0};
      while (taken < last_bytes && poll(&polled, 1, 0) == 1) {
        const ssize_t got = read_some(input);
        if (got <= 0) break;
        taken += static_cast<std::size_t>(got);
        write_all();
      }
      input.lines.finish([&](std::string_view line) { put(input, line); });
    }
    inputs_.clear();
  }

  bool owes() const { return (file_ && !file_queue_->empty()) || (console_ && !console_queue_->empty()); }

  void drain() {
    set_time();
    read_rest();
    if (file_) file_queue_->tell_dropped();
    if (console_) console_queue_->tell_dropped();
    Clock::time_point last_progress = Clock::now();
    write_all();
    while (owes()) {
      const Clock::time_point give_up = last_progress + (told_to_end_ ? patience_when_told : patience_at_end);
      if (Clock::now() >= give_up) break;
      poll_all(std::min(give_up, wake().value_or(give_up)));
      take_signals();
      if (write_all()) last_progress = Clock::now();
    }
    if (file_) tell_loss(*file_queue_, "the file");
    if (console_) tell_loss(*console_queue_, "the console");
  }

  void tell_loss(const LineQueue& queue, std::string_view sink) {
    if (queue.empty()) return;
    const std::string line = fmt::format("hcrc-log: {} took no more: its last {} bytes and {} lines are lost\n", sink,
                                         queue.size(), queue.dropped());
    (void)complaints_.write_once(line);
  }

  Formatter formatter_;
  Formatter notices_;  // of our own lines
  Outlet complaints_;
  int signals_ = -1;
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
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size()) count = 0;
  }
  const int most = static_cast<int>(std::min<long>(sysconf(_SC_OPEN_MAX), 1 << 20)) - 3;
  std::string_view names = listen_names == nullptr ? std::string_view() : std::string_view(listen_names);
  for (int i = 0; i < std::min(count, most); ++i) {
    const std::string_view name = names.substr(0, names.find(':'));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    if (fcntl(3 + i, F_GETFD) >= 0) streams.push_back({.fd = 3 + i, .name = std::string(name)});
  }
  if (streams.empty()) streams.push_back({.fd = STDIN_FILENO, .name = {}});
  return streams;
}

int run_tee(const TeeSettings& settings, const std::vector<InputStream>& streams) {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&taken, signal);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // EFBIG then, as trouble with the file
  if (sigprocmask(SIG_BLOCK, &taken, nullptr) != 0) return errno;
  const Descriptor signals(signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return errno;
  return Tee(settings, streams).run(signals.get());
}

}  // namespace hcrc::log

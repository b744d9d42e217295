// A stand-in for `holochain --piped --config-path FILE`, for machines that have none: everything a supervisor can see of a
// conductor, and nothing else. It reads a passphrase line, opens data folder and keystore, listens on the admin port, says
// `Conductor ready.`, sends READY=1, and ends on SIGINT; its exit codes are the conductor's: 42 for a configuration that
// cannot work, 101 for what makes the conductor panic. In two things it is better than what it stands for: it says goodbye,
// and its data folder is locked, so that a second copy on the same data is noticed: that copy ends with 75 and leaves a line
// in DATA/stand-in-second-copy. Tests look for that file.
//
// It can be told to misbehave: see mischief.h.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tests/stand_in/admin_interface.h"
#include "tests/stand_in/configuration.h"
#include "tests/stand_in/files.h"
#include "tests/stand_in/keystore.h"
#include "tests/stand_in/mischief.h"

namespace stand_in {
namespace {

constexpr int exit_configuration = 42;
constexpr int exit_panic = 101;
constexpr int exit_second_copy = 75;
constexpr int exit_usage = 100;

constexpr std::string_view version = "holochain 0.5.6 (hcrc's stand-in)";

std::array<int, 2> interrupt_pipe{-1, -1};

extern "C" void on_interrupt(int) {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(interrupt_pipe[1], "i", 1);
  errno = error;
}

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

int panic(std::string_view what) {
  complain("thread 'main' panicked: " + std::string(what));
  return exit_panic;
}

[[noreturn]] void crash(const Ending& ending) {
  if (ending.kind == Ending::Kind::code) _exit(ending.value);
  std::signal(ending.value, SIG_DFL);
  raise(ending.value);
  _exit(exit_panic);  // a signal that ends nobody, such as SIGCHLD
}

// Locks the data folder and writes who has it. Nothing where another copy has it.
std::optional<int> lock_data(const std::string& data) {
  const std::string path = data + "/stand-in-lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const std::string line =
        "pid " + std::to_string(getpid()) + " came while the data was in use by " + read_file(path).value_or("?");
    append_file(data + "/stand-in-second-copy", line);
    complain("SECOND COPY on " + data + ": " + line);
    close(fd);
    return std::nullopt;
  }
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  [[maybe_unused]] const int emptied = ftruncate(fd, 0);
  write_all(fd, "pid " + std::to_string(getpid()) + " on " + host.data() + '\n');
  return fd;
}

// sd_notify(3), for a socket with a path: the real conductor's library knows no abstract ones.
void notify_ready() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path == nullptr || path[0] != '/' || std::strlen(path) >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  constexpr std::string_view message = "READY=1";
  sendto(fd, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  close(fd);
}

// A child that does nothing and stays. It holds the output streams and whatever it was handed, not the port and the witness.
void fork_leftover(AdminInterface& admin, int witness, bool own_session, bool stubborn) {
  if (fork() != 0) return;
  admin.close_all();
  close(witness);
  if (own_session) setsid();
  prctl(PR_SET_NAME, own_session ? "stand-in-far" : "stand-in-near");
  for (int signal : {SIGTERM, SIGHUP}) std::signal(signal, stubborn ? SIG_IGN : SIG_DFL);
  std::signal(SIGINT, SIG_IGN);
  for (;;) pause();
}

// Each page is written to: only then it is there.
void take_memory(long mib) {
  constexpr std::size_t page = 4096;
  const std::size_t size = static_cast<std::size_t>(std::max(0L, mib)) << 20;
  const std::unique_ptr<volatile char[]> memory(new volatile char[size]);
  for (std::size_t at = 0; at < size; at += page) memory[at] = 1;
}

void flood(long lines) {
  const std::string filler(80, '.');
  for (long i = 1; lines < 0 || i <= lines; ++i) say("flood " + std::to_string(i) + ' ' + filler);
}

class Conductor {
 public:
  Conductor(Mischief mischief, int port, int witness) : mischief_(mischief), port_(port), witness_(witness) {}

  int run() {
    const Clock::time_point started = Clock::now();
    if (mischief_.crash.kind != Ending::Kind::none && mischief_.crash_at == Phase::start) {
      crash_at_ = started + milliseconds(mischief_.crash_after_ms);
    }
    take_memory(mischief_.memory_mib);
    const int delay = mischief_.ready_after_ms;
    serve_until(delay == Mischief::never ? Clock::time_point::max() : started + milliseconds(delay));
    auto admin = AdminInterface::open(port_);
    if (!admin) return panic(admin.error());
    admin_ = std::move(*admin);
    become_ready();
    while (!serve_until(Clock::time_point::max()) || mischief_.ignore_stop) {
    }
    serve_until(Clock::now() + milliseconds(mischief_.stop_after_ms));
    say("Sending shutdown signal to all managed tasks.");
    say("stand-in-conductor: goodbye");
    return 0;
  }

 private:
  void become_ready() {
    std::signal(SIGINT, on_interrupt);
    for (int i = 0; i < mischief_.leftovers; ++i) fork_leftover(admin_, witness_, false, mischief_.stubborn);
    for (int i = 0; i < mischief_.leftovers_session; ++i) fork_leftover(admin_, witness_, true, mischief_.stubborn);
    say("Conductor ready.");
    notify_ready();
    const Clock::time_point now = Clock::now();
    if (mischief_.crash.kind != Ending::Kind::none && mischief_.crash_at == Phase::ready) {
      crash_at_ = now + milliseconds(mischief_.crash_after_ms);
    }
    if (mischief_.hang_after_ms != Mischief::never) hang_at_ = now + milliseconds(mischief_.hang_after_ms);
    flood(mischief_.flood_lines);
  }

  // Serves clients, if any can come yet, until `end` (false) or SIGINT (true). Crashes and hangs fall into this time.
  bool serve_until(Clock::time_point end) {
    for (;;) {
      const Clock::time_point now = Clock::now();
      if (now >= crash_at_) crash(mischief_.crash);
      while (now >= hang_at_) pause();
      if (now >= end) return false;
      const Clock::time_point next = std::min({end, crash_at_, hang_at_});
      const auto wait = std::chrono::ceil<milliseconds>(next - now);
      const bool bounded = next != Clock::time_point::max();
      if (admin_.serve(interrupt_pipe[0], bounded ? static_cast<int>(wait.count()) : -1)) {
        char c = 0;
        if (read(interrupt_pipe[0], &c, 1) == 1) return true;
      }
    }
  }

  Mischief mischief_;
  AdminInterface admin_;  // opened when all else is done
  int port_;
  int witness_;
  Clock::time_point crash_at_ = Clock::time_point::max();
  Clock::time_point hang_at_ = Clock::time_point::max();
};

int start(const std::string& configuration_path) {
  const auto configuration = read_configuration(configuration_path);
  if (!configuration) {
    complain("The conductor configuration is not usable: " + configuration.error());
    return exit_configuration;
  }
  const std::string& data = configuration->data_root;
  if (!make_folders(data, 0755)) {
    complain(data + ": the data folder cannot be made: " + std::strerror(errno));
    return exit_configuration;
  }
  const auto witness = lock_data(data);
  if (!witness) return exit_second_copy;
  if (*witness < 0) return panic(data + ": " + std::strerror(errno));
  const auto mischief = read_mischief(data);
  if (!mischief) {
    complain(mischief.error());
    return exit_usage;
  }
  const std::string passphrase = read_passphrase(STDIN_FILENO);
  if (const auto opened = open_keystore(configuration->keystore_root, passphrase); !opened) return panic(opened.error());
  // Databases write when they are opened: on a full disk the real one panics.
  const std::string opening = data + "/stand-in-opening";
  if (!write_file(opening, std::string(16'384, '.'), 0644)) return panic(opening + ": " + std::strerror(errno));
  unlink(opening.c_str());
  if (pipe(interrupt_pipe.data()) != 0) return panic(std::strerror(errno));
  for (int fd : interrupt_pipe) fcntl(fd, F_SETFD, FD_CLOEXEC);
  std::signal(SIGPIPE, SIG_IGN);  // as every program written in Rust does
  return Conductor(*mischief, configuration->admin_port, *witness).run();
}

int usage(int code) {
  const std::string text =
      "usage: stand-in-conductor --piped --config-path FILE | --version | --help\n"
      "Behaves as a Holochain conductor does towards whoever supervises it. What it does wrong is set by variables such as\n"
      "STAND_IN_READY_AFTER=2s, or by lines such as `ready-after = 2s` in the file `stand-in` of its data folder:\n" +
      std::string(mischief_usage);
  write_all(code == 0 ? STDOUT_FILENO : STDERR_FILENO, text);
  return code;
}

}  // namespace
}  // namespace stand_in

int main(int count, char** words) {
  std::string configuration;
  bool piped = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--version" || word == "-V") {
      stand_in::say(stand_in::version);
      return 0;
    }
    if (word == "--help" || word == "-h") return stand_in::usage(0);
    if (word == "--piped" || word == "-p") {
      piped = true;
    } else if ((word == "--config-path" || word == "-c") && i + 1 < count) {
      configuration = words[++i];
    } else {
      return stand_in::usage(stand_in::exit_usage);
    }
  }
  if (!piped || configuration.empty()) return stand_in::usage(stand_in::exit_usage);
  return stand_in::start(configuration);
}

// What supervising costs at least, and the services that are supervised meanwhile: see node_benchmark.py.
//
//   bare-loop exec PROGRAM ARG...   writes the time to descriptor 3, then becomes the program
//   bare-loop start COUNT           starts so many of `hold`, writes a newline to descriptor 4; SIGTERM: ends them
//   bare-loop restart GO DONE       starts ten, one of them `die GO DONE`, and starts again what ends
//   bare-loop hold                  a service: stays until SIGTERM
//   bare-loop die GO DONE           a service: writes the time to DONE; for a byte in GO writes it again, and gets SIGKILL
//
// Times are CLOCK_MONOTONIC in nanoseconds, a line each.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

void write_time(int fd) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  char line[32];
  const int length =
      std::snprintf(line, sizeof line, "%lld\n", static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec);
  if (write(fd, line, static_cast<std::size_t>(length)) != length) _exit(111);
}

sigset_t only(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

int hold() {
  const sigset_t stop = only(SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  int signal = 0;
  sigwait(&stop, &signal);
  return 0;
}

int die(const char* go, const char* done) {
  const int bytes = open(go, O_RDWR | O_CLOEXEC);
  const int times = open(done, O_WRONLY | O_CLOEXEC);
  write_time(times);
  char byte = 0;
  if (read(bytes, &byte, 1) != 1) return 111;
  write_time(times);
  raise(SIGKILL);
  return 111;
}

pid_t spawn(const char* const* words) {
  const pid_t child = vfork();
  if (child == 0) {
    execv("/proc/self/exe", const_cast<char* const*>(words));
    _exit(111);
  }
  return child;
}

constexpr const char* holding[] = {"bare-loop", "hold", nullptr};

int start(int count) {
  const sigset_t stop = only(SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  std::vector<pid_t> children;
  children.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) children.push_back(spawn(holding));
  if (write(4, "\n", 1) != 1) return 111;
  int signal = 0;
  sigwait(&stop, &signal);
  for (const pid_t child : children) kill(child, SIGTERM);
  while (waitpid(-1, nullptr, 0) > 0) {
  }
  return 0;
}

int restart(const char* go, const char* done) {
  const char* dying[] = {"bare-loop", "die", go, done, nullptr};
  for (int i = 0; i < 9; ++i) spawn(holding);
  for (;;) {
    const pid_t child = spawn(dying);
    while (waitpid(-1, nullptr, 0) != child) {
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto is = [&](const char* word, int words) { return argc >= words && std::strcmp(argv[1], word) == 0; };
  if (is("hold", 2)) return hold();
  if (is("die", 4)) return die(argv[2], argv[3]);
  if (is("start", 3)) return start(std::atoi(argv[2]));
  if (is("restart", 4)) return restart(argv[2], argv[3]);
  if (is("exec", 3)) {
    write_time(3);
    close(3);
    execv(argv[2], argv + 2);
  }
  std::fputs("bare-loop: exec, start, restart, hold or die: see its source\n", stderr);
  return 100;
}

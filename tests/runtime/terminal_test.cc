#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <sstream>

#include "tests/runtime/one_service.h"

using namespace hcrc;
using namespace hcrc::test;

namespace {

// Fields of /proc/PID/stat that say how a process is to its terminal.
struct Standing {
  pid_t pid = 0, group = 0, session = 0, foreground = 0;
  int terminal = 0;
};

volatile sig_atomic_t hang_ups = 0;

// In a session that has a new terminal for its own, as 0 to 2. The master, for who wants to live on with it.
int lead_terminal() {
  setsid();
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) _exit(90);
  const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) != 0) _exit(91);
  for (int fd = 0; fd <= 2; ++fd) dup2(terminal, fd);
  return master;
}

// As the runtime does it: CMD tells how it stands, over a pipe that is its stdout.
Standing run_command() {
  std::string word = "cat";
  std::string file = "/proc/self/stat";
  char* const argv[] = {word.data(), file.data(), nullptr};
  Pipe output;
  const int stdout_before = fcntl(1, F_DUPFD_CLOEXEC, 3);
  dup2(output.write.get(), 1);
  SpawnRequest request;
  request.role = ProcessRole::command;
  request.command = std::span(argv).first(2);
  const RuntimeFacts facts = facts_of();
  const auto spawned = Spawner(facts).spawn(request);
  dup2(stdout_before, 1);
  output.write.reset();
  std::istringstream stat(read_to_end(output.read.get()));
  wait_for(spawned->pid);
  Standing standing;
  std::string name, state, parent;
  stat >> standing.pid >> name >> state >> parent >> standing.group >> standing.session >> standing.terminal >>
      standing.foreground;
  return standing;
}

void count_hang_ups() {
  struct sigaction counting{};
  counting.sa_handler = [](int) { hang_ups = hang_ups + 1; };
  sigaction(SIGHUP, &counting, nullptr);
}

}  // namespace

TEST_CASE("where the runtime leads the terminal's session, CMD takes the terminal") {
  const int code = in_a_child([] {
    lead_terminal();
    count_hang_ups();
    const Standing command = run_command();
    if (command.session != command.pid || command.group != command.pid) return 1;
    if (command.terminal == 0 || command.foreground != command.pid) return 2;
    if (hang_ups != 0) return 3;
    // A later SIGHUP is heard.
    raise(SIGHUP);
    return hang_ups == 1 ? 0 : 4;
  });
  CHECK(code == 0);
}

TEST_CASE("where it does not, CMD is the session's foreground group") {
  const int code = in_a_child([] {
    lead_terminal();
    const pid_t session = getpid();
    signal(SIGTTOU, SIG_IGN);
    return in_a_child([session] {
      setpgid(0, 0);
      tcsetpgrp(0, getpid());
      const Standing command = run_command();
      if (command.session != session || command.group != command.pid) return 1;
      return command.terminal != 0 && command.foreground == command.pid ? 0 : 2;
    });
  });
  CHECK(code == 0);
}

TEST_CASE("a runtime in the background leaves the foreground to who has it") {
  const int code = in_a_child([] {
    lead_terminal();
    const pid_t session = getpid();
    return in_a_child([session] {
      setpgid(0, 0);
      const Standing command = run_command();
      return command.session == session && command.group == command.pid && command.foreground == session ? 0 : 1;
    });
  });
  CHECK(code == 0);
}

TEST_CASE("without a terminal CMD has a session of its own") {
  const int code = in_a_child([] {
    setsid();
    for (int fd = 0; fd <= 2; ++fd) dup2(open("/dev/null", O_RDWR | O_CLOEXEC), fd);
    const Standing command = run_command();
    return command.session == command.pid && command.group == command.pid && command.terminal == 0 ? 0 : 1;
  });
  CHECK(code == 0);
}

TEST_CASE("a service never gets the terminal") {
  const int code = in_a_child([] {
    lead_terminal();
    Service service = shell_service("");
    service.command = words({"cat", "/proc/self/stat"});
    std::istringstream stat(run(service).output);
    std::string pid, name, state, parent, group, session, terminal;
    stat >> pid >> name >> state >> parent >> group >> session >> terminal;
    return session == pid && terminal == "0" ? 0 : 1;
  });
  CHECK(code == 0);
}

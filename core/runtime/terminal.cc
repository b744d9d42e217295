#include "core/runtime/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "core/system/descriptor.h"

namespace hcrc {

namespace {

// The controlling terminal of this process: /dev/tty, or one of 0 to 2 where that is missing. -1: there is none.
int controlling_terminal(Descriptor& opened) {
  opened.reset(open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (opened) return opened.get();
  for (int fd = 0; fd <= 2; ++fd) {
    if (tcgetsid(fd) == getsid(0)) return fd;
  }
  return -1;
}

}  // namespace

TerminalRole give_up_terminal() {
  Descriptor opened;
  const int terminal = controlling_terminal(opened);
  if (terminal < 0) return TerminalRole::none;
  if (getsid(0) != getpid()) return TerminalRole::stay;
  if (ioctl(terminal, TIOCNOTTY) != 0) return TerminalRole::none;
  // Ignoring a signal throws away what is pending of it (signal(7)).
  struct sigaction ignored{};
  struct sigaction before{};
  ignored.sa_handler = SIG_IGN;
  if (sigaction(SIGHUP, &ignored, &before) == 0) sigaction(SIGHUP, &before, nullptr);
  return TerminalRole::gave_up;
}

void take_terminal(TerminalRole role) {
  if (role == TerminalRole::stay) {
    const pid_t group_of_the_runtime = getpgrp();
    setpgid(0, 0);
    Descriptor opened;
    const int terminal = controlling_terminal(opened);
    // A job in the background stays there. SIGTTOU is blocked, or this would stop us.
    if (terminal >= 0 && tcgetpgrp(terminal) == group_of_the_runtime) tcsetpgrp(terminal, getpgrp());
    return;
  }
  setsid();
  for (int fd = 0; fd <= 2; ++fd) {
    if (isatty(fd) != 0 && ioctl(fd, TIOCSCTTY, 0) == 0) return;
  }
}

}  // namespace hcrc

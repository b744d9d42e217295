#include "tests/sweep/tracer.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace sweep {

namespace {

[[noreturn]] void die(const char* what) {
  std::perror(what);
  _exit(1);
}

// As fork(2), in namespaces of its own.
pid_t fork_into_namespaces() {
  const long pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid != 0) return static_cast<pid_t>(pid);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) die("mount private");
  if (mount("proc", "/proc", "proc", 0, nullptr) != 0) die("mount /proc");
  return 0;
}

class Tracer {
 public:
  Tracer(const Plan& plan, int told) : plan_(plan), told_(told) {}

  [[noreturn]] void run(pid_t child, int go) {
    if (ptrace(PTRACE_SEIZE, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) != 0)
      die("seize");
    if (write(go, "g", 1) != 1) die("go");
    close(go);
    for (;;) {
      int status = 0;
      rusage usage{};
      const pid_t pid = wait4(-1, &status, __WALL, &usage);
      if (pid < 0) die("wait4");
      if (pid != child) continue;  // an orphan, where the tracer is PID 1
      if (WIFSTOPPED(status)) {
        stopped(child, status);
        continue;
      }
      tell({.kind = Told::Kind::ended,
            .fault = {},
            .number = 0,
            .status = status,
            .cpu_ms = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000 +
                      (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1'000});
      _exit(0);
    }
  }

 private:
  void tell(const Told& told) const {
    if (write(told_, &told, sizeof told) != static_cast<ssize_t>(sizeof told)) _exit(1);
  }

  void stopped(pid_t child, int status) {
    const int signal = WSTOPSIG(status);
    if (signal == (SIGTRAP | 0x80)) return at_call(child);
    const bool event = status >> 16 != 0;  // the exec, or a group's stop
    ptrace(PTRACE_SYSCALL, child, nullptr, event ? 0 : signal);
  }

  // Stops come in pairs, before and after a call.
  void at_call(pid_t child) {
    user_regs_struct registers{};
    if (ptrace(PTRACE_GETREGS, child, nullptr, &registers) != 0) return;  // killed at this moment
    inside_ = !inside_;
    if (inside_) {
      before(child, registers);
    } else if (chosen_ != nullptr) {
      // Programs find their registers as they left them.
      registers.rdi = saved_.rdi;
      registers.rdx = saved_.rdx;
      if (fault_.kind != Fault::Kind::is_short && chosen_->number != SYS_brk) {
        registers.rax = static_cast<unsigned long long>(-static_cast<long long>(fault_.error));
      }
      ptrace(PTRACE_SETREGS, child, nullptr, &registers);
      tell({.kind = Told::Kind::failed, .fault = fault_, .number = chosen_->number, .status = 0, .cpu_ms = 0});
      ptrace(PTRACE_DETACH, child, nullptr, 0);
      return;
    }
    ptrace(PTRACE_SYSCALL, child, nullptr, 0);
  }

  void before(pid_t child, user_regs_struct& registers) {
    // What the C library does before main() is its own affair; the runtime begins with its signals.
    if (registers.orig_rax == SYS_rt_sigprocmask) begun_ = true;
    const Call* made = call(static_cast<long>(registers.orig_rax));
    if (made == nullptr || !begun_) return;
    const bool duplicates = registers.rsi == F_DUPFD || registers.rsi == F_DUPFD_CLOEXEC;
    if (made->number == SYS_fcntl && !duplicates) return;
    ++count_;
    if (plan_.at == 0) tell({.kind = Told::Kind::counted, .fault = {}, .number = made->number, .status = 0, .cpu_ms = 0});
    if (count_ != plan_.at) return;
    chosen_ = made;
    saved_ = registers;
    fault_ = made->faults[plan_.which % made->faults.size()];
    switch (fault_.kind) {
      case Fault::Kind::fails:
        if (made->number == SYS_brk) {
          registers.rdi = 0;  // the kernel answers with the break as it is: brk(2)
        } else {
          registers.orig_rax = static_cast<unsigned long long>(-1);
        }
        break;
      case Fault::Kind::is_short: registers.rdx = registers.rdx > 1 ? 1 : registers.rdx; break;
      case Fault::Kind::done_yet: return;
    }
    ptrace(PTRACE_SETREGS, child, nullptr, &registers);
  }

  const Plan& plan_;
  const int told_;
  bool inside_ = true;  // its exec is the first that it comes back from
  std::uint32_t count_ = 0;
  const Call* chosen_ = nullptr;
  Fault fault_;
  user_regs_struct saved_{};
  bool begun_ = false;
};

// Waits until it is traced, and becomes the runtime.
[[noreturn]] void become(const Plan& plan, int go, int out, int err, int notify) {
  char byte = 0;
  if (read(go, &byte, 1) != 1) _exit(1);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  // First out of the way of one another.
  const int high_out = fcntl(out, F_DUPFD_CLOEXEC, 100);
  const int high_err = fcntl(err, F_DUPFD_CLOEXEC, 100);
  const int high_notify = fcntl(notify, F_DUPFD_CLOEXEC, 100);
  dup2(null, 0);
  dup2(high_out, 1);
  dup2(high_err, 2);
  dup2(high_notify, 3);
  std::vector<char*> words;
  for (const std::string& word : plan.command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execv(words.front(), words.data());
  die("exec");
}

}  // namespace

pid_t start(const Plan& plan, int told, int out, int err, int notify) {
  const pid_t tracer = plan.pid1 ? fork() : fork_into_namespaces();
  if (tracer != 0) return tracer;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int go[2];
  if (pipe2(go, O_CLOEXEC) != 0) die("pipe");
  const pid_t child = plan.pid1 ? fork_into_namespaces() : fork();
  if (child < 0) die("fork");
  if (child == 0) {
    close(go[1]);
    if (!plan.pid1) setsid();
    become(plan, go[0], out, err, notify);
  }
  close(out);
  close(err);
  close(notify);
  close(go[0]);
  Tracer(plan, told).run(child, go[1]);
}

}  // namespace sweep

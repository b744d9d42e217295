#include "core/runtime/spawn.h"

#include <fcntl.h>
#include <linux/time_types.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>

#include "core/graph.h"
#include "core/runtime/child.h"
#include "core/runtime/child_memory.h"
#include "core/runtime/environment.h"
#include "core/runtime/event_loop.h"
#include "core/runtime/execute.h"
#include "core/runtime/expand.h"
#include "core/runtime/raw_fork.h"
#include "core/runtime/terminal.h"

namespace hcrc {

RuntimeFacts RuntimeFacts::capture() {
  RuntimeFacts facts;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) facts.environment.emplace_back(*entry);
  return facts;
}

namespace {

// Sanitizers know no stack like that of a child in our memory.
#ifdef HCRC_SANITIZED
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

// SIGKILL to this process, even if it is stopped, unless it has executed a program by then: timers do not outlive that
// (timer_create(2)). Without the C library, which brings its threads along for other kinds of timers.
bool end_in(Milliseconds time) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  int timer = 0;
  if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) != 0) return false;
  __kernel_itimerspec end{};
  end.it_value.tv_sec = time.count() / 1'000;
  end.it_value.tv_nsec = time.count() % 1'000 * 1'000'000;
  return syscall(SYS_timer_settime, timer, 0, &end, nullptr) == 0;
}

// Before Linux 5.16 a child in our memory that gets a signal with a core dump takes us along ("coredump: Limit coredumps to
// a single thread group"). The out-of-memory killer lets it be (mm/oom_kill.c, in_vfork).
bool kernel_is_new_enough() {
  utsname names{};
  if (uname(&names) != 0) return false;
  const std::string_view release(names.release);
  const char* const end = release.data() + release.size();
  unsigned major = 0;
  unsigned minor = 0;
  const auto [dot, error] = std::from_chars(release.data(), end, major);
  if (error != std::errc() || dot == end || std::from_chars(dot + 1, end, minor).ec != std::errc()) return false;
  return std::pair(major, minor) >= std::pair(5u, 16u);
}

// What this kernel and sandbox let a child in our memory do.
struct Trial {
  const pid_t runtime = getpid();
  bool lends = false;
  bool steps_aside = false;
};

// Whether the child truly has our memory, and can see to its own end there. An emulator may take a vfork for a fork
// (qemu-user does), and a sandbox may know no timers.
Trial try_it() {
  Trial trial;
  if (sanitized || !kernel_is_new_enough()) return trial;
  const auto begin = [](void* context) {
    auto& seen = *static_cast<Trial*>(context);
    seen.lends = end_in(Spawner::longest_loan);
    seen.steps_aside = StepAside::is_possible(seen.runtime);
    _exit(0);
  };
  const pid_t child = raw_vfork(-1, begin, &trial);
  if (child < 0) return trial;
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(child), &info, WEXITED) != 0 && errno == EINTR) {
  }
  return trial;
}

// What a child in our memory is begun with, and what it says there.
struct Loan {
  const SpawnRequest& request;
  const RuntimeFacts& facts;
  const AtFork& at_fork;
  int answer_fd;
  const StepAside* place = nullptr;  // that it takes from us
  bool begun = false;                // it is where it may be, and has seen to its own end
};

void begin_in_our_memory(void* context) {
  auto& loan = *static_cast<Loan*>(context);
  loan.begun =
      (loan.place == nullptr || loan.place->change_places(loan.at_fork.runtime_pid)) && end_in(Spawner::longest_loan);
  if (!loan.begun) _exit(0);
  run_child(loan.request, loan.facts, loan.at_fork, loan.answer_fd);
}

// Takes a child that has come to nothing in our memory out of the way. False where it has executed its program, if late. We
// go on a little before either can be seen: an end shows itself at once.
bool came_to_nothing(pid_t child, const Loan& loan) {
  constexpr int at_once_ms = 50;
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  pollfd end{.fd = process.get(), .events = POLLIN, .revents = 0};
  if (process) poll(&end, 1, at_once_ms);
  const auto id = static_cast<id_t>(child);
  siginfo_t info{};
  if (waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != child) return false;
  const bool by_its_timer = info.si_code == CLD_KILLED && info.si_status == SIGKILL;
  return (by_its_timer || !loan.begun) && waitid(P_PID, id, &info, WEXITED | WNOHANG) == 0;
}

}  // namespace

Spawner::Spawner(const RuntimeFacts& facts) : facts_(facts), environment_(facts.environment) {
  const Trial trial = try_it();
  if (!trial.lends) return;
  steps_aside_ = trial.steps_aside;
  auto pipe = answer_pipe();
  lends_ = pipe.has_value();
  if (lends_) lent_answers_ = std::move(*pipe);
}

// Where the start has nothing to wait for but the program itself, no less of the processor than we, and stays who we are:
// another user's processes may stop theirs, and are not to come near our memory.
bool Spawner::lends_to(const SpawnRequest& request) const {
  if (!lends_ || request.role == ProcessRole::command) return false;
  const format::ServiceRecord& service = request.database->service(request.service);
  const bool stays_as_we_are = service.user == format::none && service.group == format::none && service.groups_set == 0 &&
                               service.capabilities_set == 0;
  const bool reads_nothing = service.environment_files.count == 0 && service.stdin_file == format::none &&
                             service.lock == format::none && (!request.judge_paths || service.conditions.count == 0);
  const bool runs_as_fast =
      service.nice_set == 0 && service.cpu_max_quota_us == Resources::none && service.memory_max == Resources::none;
  return stays_as_we_are && reads_nothing && runs_as_fast;
}

// Nothing where the child came to nothing in our memory, or could not be made there.
std::optional<std::expected<Spawned, int>> Spawner::lend(const SpawnRequest& request, const AtFork& at_fork) {
  Loan loan{.request = request, .facts = facts_, .at_fork = at_fork, .answer_fd = lent_answers_.write_end.get()};
  // For the first of a turn, most often the only one, it is not worth its calls.
  if (std::exchange(lent_this_turn_, true) && steps_aside_ && place_.stay_here()) loan.place = &place_;
  const Instant before = EventLoop::now();
  const pid_t child = raw_vfork(request.cgroup, begin_in_our_memory, &loan);
  const int error = errno;
  return_to_heap();
  place_.come_back();
  if (child < 0 && (error == EAGAIN || error == ENOMEM)) return std::unexpected(error);
  const bool in_time = child > 0 && loan.begun && EventLoop::now() - before < longest_loan;
  lends_ = in_time;
  if (in_time || (child > 0 && !came_to_nothing(child, loan))) return Spawned{.pid = child, .answer = {}};
  while (take_answer()) {
  }
  return std::nullopt;
}

std::expected<Spawner::AnswerPipe, int> Spawner::answer_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno);
  AnswerPipe pipe{.read_end = Descriptor(ends[0]), .write_end = Descriptor(ends[1])};
  if (fcntl(pipe.read_end.get(), F_SETFL, O_NONBLOCK) != 0) return std::unexpected(errno);
  return pipe;
}

std::expected<Spawned, int> Spawner::fork_child(const SpawnRequest& request, const AtFork& at_fork) const {
  auto answers = answer_pipe();
  if (!answers) return std::unexpected(answers.error());
  AtFork forked_so = at_fork;
  pid_t child = raw_fork(request.cgroup);
  // For a cgroup an older kernel, or a sandbox that knows no clone3, may fail otherwise: the child goes there itself.
  if (child < 0 && request.cgroup >= 0 && errno != EAGAIN && errno != ENOMEM) {
    forked_so.in_cgroup = false;
    child = raw_fork(-1);
  }
  if (child < 0) return std::unexpected(errno);
  if (child == 0) run_child(request, facts_, forked_so, answers->write_end.get());
  return Spawned{.pid = child, .answer = std::move(answers->read_end)};
}

std::expected<Spawned, int> Spawner::spawn(const SpawnRequest& request) {
  // A signal that came between fork and exec would run our handlers in the child and be lost to it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  if (!signals_to_reset_) signals_to_reset_ = signals_not_by_default();
  AtFork at_fork{.environment = environment_,
                 .runtime_pid = getpid(),
                 .signals_to_reset = *signals_to_reset_,
                 .terminal = {},
                 .in_cgroup = request.cgroup >= 0};
  if (request.role == ProcessRole::command) at_fork.terminal = give_up_terminal();
  auto spawned = lends_to(request) ? lend(request, at_fork) : std::nullopt;
  if (!spawned) spawned = fork_child(request, at_fork);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return std::move(*spawned);
}

void Spawner::end_turn() {
  lent_this_turn_ = false;
  place_.come_back();
}

std::optional<SpawnAnswer> Spawner::take_answer() const {
  SpawnAnswer answer;
  if (read_answer(lent_answers_.read_end.get(), answer) != AnswerRead::answer) return std::nullopt;
  return answer;
}

std::string Spawner::address(const Database& database, std::uint32_t service, format::OptionalTemplate address) const {
  const auto pieces = database.pieces_of(address);
  if (!pieces) return {};
  const format::ServiceRecord& record = database.service(service);
  const auto no_file = [](const std::string&) -> OrFailure<std::string> { return std::string(); };
  const ComposedEnvironment composed = compose_environment(database, record, environment_, nullptr, no_file);
  const Variables variables{composed.environment, environment_, database.string(record.instance)};
  return expand(database, *pieces, variables).value_or(std::string());
}

}  // namespace hcrc

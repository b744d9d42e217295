#include "core/runtime/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "core/runtime/child.h"
#include "core/runtime/environment.h"
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

struct Forked {
  pid_t pid;
  bool in_cgroup;  // of the request, from the first moment on
};

Forked fork_child(int cgroup) {
  const pid_t pid = raw_fork(cgroup);
  if (pid >= 0 || errno == EAGAIN || errno == ENOMEM) return {.pid = pid, .in_cgroup = true};
  // An older kernel, or a sandbox that knows no clone3: the child goes there itself.
  return {.pid = fork(), .in_cgroup = false};
}

}  // namespace

std::expected<Spawned, int> Spawner::spawn(const SpawnRequest& request) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno);
  Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  if (fcntl(read_end.get(), F_SETFL, O_NONBLOCK) != 0) return std::unexpected(errno);
  // A signal that came between fork and exec would run our handlers in the child and be lost to it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const TerminalRole terminal = request.role == ProcessRole::command ? give_up_terminal() : TerminalRole::none;
  if (!signals_to_reset_) signals_to_reset_ = signals_not_by_default();
  const pid_t runtime_pid = getpid();
  const auto [child, in_cgroup] = fork_child(request.cgroup);
  const int error = errno;
  if (child == 0) {
    run_child(
        request, facts_,
        {.runtime_pid = runtime_pid, .signals_to_reset = *signals_to_reset_, .terminal = terminal, .in_cgroup = in_cgroup},
        write_end.get());
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) return std::unexpected(error);
  return Spawned{.pid = child, .answer = std::move(read_end)};
}

std::string Spawner::address(const Database& database, std::uint32_t service, format::OptionalTemplate address) const {
  const auto pieces = database.pieces_of(address);
  if (!pieces) return {};
  const format::ServiceRecord& record = database.service(service);
  const Environment runtime(facts_.environment);
  const auto no_file = [](const std::string&) -> OrFailure<std::string> { return std::string(); };
  const ComposedEnvironment composed = compose_environment(database, record, runtime, nullptr, no_file);
  const Variables variables{composed.environment, runtime, database.string(record.instance)};
  return expand(database, *pieces, variables).value_or(std::string());
}

}  // namespace hcrc

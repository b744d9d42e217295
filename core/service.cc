#include "core/service.h"

namespace hcrc {

std::string_view text(ServiceType type) {
  switch (type) {
    case ServiceType::longrun: return "longrun";
    case ServiceType::oneshot: return "oneshot";
    case ServiceType::periodic: return "periodic";
    case ServiceType::bundle: return "bundle";
  }
  return "";
}

std::string_view text(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::requires_: return "requires";
    case EdgeKind::wants: return "wants";
    case EdgeKind::after: return "after";
    case EdgeKind::binds_to: return "binds-to";
    case EdgeKind::log_to: return "log-to";
  }
  return "";
}

std::string_view text(State state) {
  switch (state) {
    case State::down: return "down";
    case State::waiting: return "waiting";
    case State::starting: return "starting";
    case State::up: return "up";
    case State::stopping: return "stopping";
    case State::backoff: return "backoff";
    case State::held: return "held";
    case State::failed: return "failed";
    case State::skipped: return "skipped";
  }
  return "";
}

std::string_view text(RestartPolicy policy) {
  switch (policy) {
    case RestartPolicy::always: return "always";
    case RestartPolicy::on_failure: return "on-failure";
    case RestartPolicy::never: return "never";
  }
  return "";
}

std::string_view text(Exhausted exhausted) {
  switch (exhausted) {
    case Exhausted::fail: return "fail";
    case Exhausted::hold: return "hold";
    case Exhausted::shutdown: return "shutdown";
  }
  return "";
}

std::string_view text(ReadyKind kind) {
  switch (kind) {
    case ReadyKind::spawned: return "spawned";
    case ReadyKind::notify: return "notify";
    case ReadyKind::fd: return "fd";
    case ReadyKind::tcp: return "tcp";
    case ReadyKind::http: return "http";
    case ReadyKind::exec: return "exec";
  }
  return "";
}

std::string_view text(HealthKind kind) {
  switch (kind) {
    case HealthKind::none: return "none";
    case HealthKind::tcp: return "tcp";
    case HealthKind::http: return "http";
    case HealthKind::exec: return "exec";
  }
  return "";
}

std::string_view text(ConditionKind kind) {
  switch (kind) {
    case ConditionKind::env_set: return "env-set";
    case ConditionKind::env_unset: return "env-unset";
    case ConditionKind::env_equals: return "env";
    case ConditionKind::env_differs: return "env-not";
    case ConditionKind::path: return "path";
    case ConditionKind::path_not: return "path-not";
  }
  return "";
}

std::string_view text(LimitKind kind) {
  switch (kind) {
    case LimitKind::nofile: return "nofile";
    case LimitKind::nproc: return "nproc";
    case LimitKind::core: return "core";
    case LimitKind::as: return "as";
    case LimitKind::memlock: return "memlock";
    case LimitKind::stack: return "stack";
  }
  return "";
}

namespace {

// Linux's numbers on amd64 and arm64 (signal(7)). Real-time signals count from 34: what glibc and musl both leave to
// programs begins there or one later, and SIGRTMIN+3 is 37 on either by the convention of container engines.
constexpr std::array<std::string_view, signals::highest + 1> names = [] {
  std::array<std::string_view, signals::highest + 1> table{
      "",          "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
      "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
      "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
      "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS"};
  constexpr std::array<std::string_view, 31> realtime{
      "SIGRTMIN",    "SIGRTMIN+1",  "SIGRTMIN+2",  "SIGRTMIN+3",  "SIGRTMIN+4",  "SIGRTMIN+5",  "SIGRTMIN+6",  "SIGRTMIN+7",
      "SIGRTMIN+8",  "SIGRTMIN+9",  "SIGRTMIN+10", "SIGRTMIN+11", "SIGRTMIN+12", "SIGRTMIN+13", "SIGRTMIN+14", "SIGRTMIN+15",
      "SIGRTMIN+16", "SIGRTMIN+17", "SIGRTMIN+18", "SIGRTMIN+19", "SIGRTMIN+20", "SIGRTMIN+21", "SIGRTMIN+22", "SIGRTMIN+23",
      "SIGRTMIN+24", "SIGRTMIN+25", "SIGRTMIN+26", "SIGRTMIN+27", "SIGRTMIN+28", "SIGRTMIN+29", "SIGRTMIN+30"};
  for (std::size_t i = 0; i < realtime.size(); ++i) table[34 + i] = realtime[i];
  return table;
}();

}  // namespace

std::string_view signal_name(int number) {
  return number > 0 && number <= signals::highest ? names[static_cast<std::size_t>(number)] : std::string_view();
}

std::optional<int> signal_number(std::string_view name) {
  for (std::size_t i = 1; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    if (name == names[i] || name == names[i].substr(3)) return static_cast<int>(i);
  }
  return std::nullopt;
}

}  // namespace hcrc

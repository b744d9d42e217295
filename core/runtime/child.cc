#include "core/runtime/child.h"

#include <fcntl.h>
#include <signal.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "core/runtime/cgroups.h"
#include "core/runtime/child_memory.h"
#include "core/runtime/descriptors.h"
#include "core/runtime/environment.h"
#include "core/runtime/execute.h"
#include "core/runtime/expand.h"
#include "core/runtime/identity.h"
#include "core/runtime/leftovers.h"
#include "core/runtime/lock_file.h"
#include "core/runtime/notify_socket.h"
#include "core/runtime/resource_limits.h"
#include "core/runtime/standard_input.h"
#include "core/runtime/trusted_file.h"

namespace hcrc {

namespace {

constexpr int exit_unheard = 111;  // nobody looks at it

constexpr std::size_t environment_file_bytes = 1u << 20;

// The lock's number: above what shells use for redirections, low enough for every limit.
constexpr int first_lock_number = 10;

class Child {
 public:
  // `answer_fd` changes where it has to make room for another.
  Child(const SpawnRequest& request, const RuntimeFacts& facts, const AtFork& at_fork, int& answer_fd, int cgroup_error)
      : request_(request),
        facts_(facts),
        runtime_(at_fork.environment),
        answer_fd_(answer_fd),
        runtime_pid_(at_fork.runtime_pid),
        cgroup_error_(cgroup_error) {}

  // They return only with a failure.
  StartFailure become_command(TerminalRole terminal);
  StartFailure become_service();

 private:
  // What is known once all variables are filled in.
  struct Plan {
    Environment environment;
    Identity identity;
    std::vector<std::string> words;
    std::optional<std::string> lock;
    Descriptor input;
  };

  void only_intended_descriptors() const;
  OrFailure<Plan> plan();
  OrFailure<void> look_up(Plan& plan, const Variables& variables);
  OrFailure<void> judge_paths(const Variables& variables) const;
  OrFailure<void> send_addresses(const Variables& variables, bool read_by_child) const;
  OrFailure<Descriptor> open_input(const Variables& variables) const;
  OrFailure<std::optional<std::string>> path_of(format::OptionalTemplate index, const Variables& variables) const;
  OrFailure<void> set_priorities() const;
  OrFailure<void> take_lock(const std::string& path);
  [[noreturn]] void wait_for(const LockFile& lock) const;
  OrFailure<void> place_descriptors(const Plan& plan);
  void set_runtime_variables(Environment& environment) const;
  format::Range command_range() const;
  std::string absolute(std::string path) const;

  bool main() const { return request_.role == ProcessRole::main; }
  bool takes_lock() const { return main() || request_.role == ProcessRole::cleanup; }
  const Database& database() const { return *request_.database; }
  const format::ServiceRecord& service() const { return database().service(request_.service); }
  // Files that the runtime reads with its own rights for a process that will have others.
  Whose whose() const { return geteuid() == 0 && service().user != format::none ? Whose::trusted : Whose::anybodys; }

  void say(SpawnAnswer::Kind kind, std::string_view detail) const {
    send_answer(answer_fd_, {.kind = kind, .stage = {}, .permanent = false, .error = 0, .detail = detail});
  }
  void tell(const std::vector<std::string>& notes) const {
    if (!request_.judge_paths) return;
    for (const std::string& note : notes) say(SpawnAnswer::Kind::note, note);
  }

  const SpawnRequest& request_;
  const RuntimeFacts& facts_;
  const Environment& runtime_;
  int& answer_fd_;
  pid_t runtime_pid_;
  int cgroup_error_;  // why it is not in its cgroup; 0: it is, or has none
  ResourceLimits limits_;
  std::string directory_ = "/";  // the service's, once it is known
  std::optional<LockFile> lock_;
};

// Everything else goes at once: the runtime's own, and what it was itself given by accident.
void Child::only_intended_descriptors() const {
  std::vector<int> kept = {0, 1, 2, answer_fd_, request_.output, request_.ready_fd};
  for (const Stream& stream : request_.streams) kept.push_back(stream.fd);
  close_all_but(kept);
  secure_standard_descriptors();
}

format::Range Child::command_range() const {
  switch (request_.role) {
    case ProcessRole::cleanup: return service().cleanup;
    case ProcessRole::stop_command: return service().stop_command;
    case ProcessRole::ready_probe: return service().ready_command;
    case ProcessRole::health_probe: return service().health_command;
    case ProcessRole::main:
    case ProcessRole::command: break;
  }
  return service().command;
}

// Relative paths begin at the service's directory, which is its own only later.
std::string Child::absolute(std::string path) const {
  if (path.starts_with('/')) return path;
  return directory_ + (directory_.ends_with('/') ? "" : "/") + path;
}

OrFailure<std::optional<std::string>> Child::path_of(format::OptionalTemplate index, const Variables& variables) const {
  const auto pieces = database().pieces_of(index);
  if (!pieces) return std::nullopt;
  auto path = expand(database(), *pieces, variables);
  if (!path) return std::unexpected(std::move(path.error()));
  return absolute(std::move(*path));
}

// Environment, user and directory, which everything else depends on; `variables` stay those of `plan`. What
// fails is told after the conditions: what they leave out need not be right.
OrFailure<void> Child::look_up(Plan& plan, const Variables& variables) {
  const FileReader read = [this](const std::string& path) -> OrFailure<std::string> {
    // A relative one begins at the root: what the directory is may depend on what is read here.
    auto content = read_whole(absolute(path), environment_file_bytes, whose());
    if (!content) return std::unexpected(cannot_read(Stage::environment_file, path, content.error()));
    return std::move(*content);
  };
  ComposedEnvironment composed = compose_environment(database(), service(), runtime_, nullptr, read);
  plan.environment = std::move(composed.environment);
  auto identity = resolve_identity(database(), service(), variables, facts_.accounts);
  // The user's own variables depend on who the user is, which may depend on variables.
  if (identity && identity->variables) {
    composed = compose_environment(database(), service(), runtime_, &*identity->variables, read);
    plan.environment = std::move(composed.environment);
  }
  auto directory = path_of(service().directory, variables);
  if (directory && *directory) directory_ = std::move(**directory);
  if (main() && request_.judge_paths) {
    if (auto judged = judge_paths(variables); !judged) return judged;
  }
  if (composed.failure) return std::unexpected(std::move(*composed.failure));
  if (!identity) return std::unexpected(std::move(identity.error()));
  if (!directory) return std::unexpected(std::move(directory.error()));
  plan.identity = std::move(*identity);
  return {};
}

// All that needs no change of this process.
OrFailure<Child::Plan> Child::plan() {
  Plan plan;
  const Variables variables{plan.environment, runtime_, database().string(service().instance)};
  if (auto done = look_up(plan, variables); !done) return std::unexpected(std::move(done.error()));
  auto words = expand_all(database(), command_range(), variables);
  if (!words) return std::unexpected(std::move(words.error()));
  if (words->empty()) return failed(Stage::command, ENOENT, "of no words");
  auto lock = path_of(service().lock, variables);
  if (!lock) return std::unexpected(std::move(lock.error()));
  auto sent = send_addresses(variables, plan.identity.variables.has_value());
  if (!sent) return std::unexpected(std::move(sent.error()));
  auto input = open_input(variables);
  if (!input) return std::unexpected(std::move(input.error()));
  plan.words = std::move(*words);
  plan.lock = std::move(*lock);
  plan.input = std::move(*input);
  return plan;
}

OrFailure<void> Child::judge_paths(const Variables& variables) const {
  for (const format::ConditionRecord& condition : database().conditions(service().conditions)) {
    const auto kind = static_cast<ConditionKind>(condition.kind);
    if (kind != ConditionKind::path && kind != ConditionKind::path_not) continue;
    auto path = expand(database(), database().pieces(condition.value), variables);
    if (!path) return std::unexpected(std::move(path.error()));
    struct stat facts{};
    const bool there = stat(absolute(*path).c_str(), &facts) == 0;
    // What cannot be found is not there; a disk that fails is another thing.
    const bool unknown =
        !there && errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ELOOP && errno != ENAMETOOLONG;
    if (unknown) return failed(Stage::condition, errno, shown(*path));
    if (there == (kind == ConditionKind::path)) continue;
    say(SpawnAnswer::Kind::skipped, shown(*path) + (there ? " exists" : " does not exist"));
    _exit(exit_unheard);
  }
  return {};
}

// An address that cannot be filled in fails the start. The runtime knows it already unless files have a say.
OrFailure<void> Child::send_addresses(const Variables& variables, bool read_by_child) const {
  if (!main()) return {};
  const std::pair<format::OptionalTemplate, SpawnAnswer::Kind> addresses[] = {
      {service().ready_address, SpawnAnswer::Kind::ready_address},
      {service().health_address, SpawnAnswer::Kind::health_address}};
  for (const auto& [index, kind] : addresses) {
    const auto pieces = database().pieces_of(index);
    if (!pieces || !has_variables(*pieces)) continue;
    const auto address = expand(database(), *pieces, variables);
    if (!address) return std::unexpected(address.error());
    if (read_by_child || service().environment_files.count != 0) say(kind, *address);
  }
  return {};
}

OrFailure<Descriptor> Child::open_input(const Variables& variables) const {
  if (main() && request_.streams.size() == 1) {
    Descriptor stream(fcntl(request_.streams.front().fd, F_DUPFD_CLOEXEC, 3));
    if (!stream) return failed(Stage::descriptors, errno, {});
    return stream;
  }
  const std::string_view text = database().string(service().stdin_text);
  const bool has_text = service().stdin_text_set != 0;
  if (main() && service().stdin_file != format::none) {
    const auto path = path_of(service().stdin_file, variables);
    if (!path) return std::unexpected(path.error());
    return feed_file(**path, has_text ? &text : nullptr, whose());
  }
  if (main() && has_text) {
    auto fed = feed(text);
    if (!fed) return failed(Stage::standard_input, fed.error(), {});
    return std::move(*fed);
  }
  Descriptor nothing(open_null_to_read());
  if (!nothing) return failed(Stage::standard_input, errno, {});
  return nothing;
}

OrFailure<void> Child::set_priorities() const {
  if (service().nice_set != 0 && setpriority(PRIO_PROCESS, 0, service().nice) != 0) {
    return failed(Stage::nice, errno, std::to_string(service().nice));
  }
  if (service().oom_score_adj_set != 0) {
    const std::string value = std::to_string(service().oom_score_adj);
    const Descriptor file(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    if (!file || write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
      return failed(Stage::oom_score_adj, errno, value);
    }
  }
  return {};
}

OrFailure<void> Child::take_lock(const std::string& path) {
  auto lock = try_lock(path);
  if (!lock) return std::unexpected(std::move(lock.error()));
  if (!lock->taken) wait_for(*lock);
  name_holder(*lock);
  lock_ = std::move(*lock);
  return {};
}

// Another copy lives. An orphan of our own is ended; then this process is nothing but the one that waits.
void Child::wait_for(const LockFile& lock) const {
  if (request_.children) {
    const std::size_t killed = kill_orphans_that_hold(lock.file.get(), runtime_pid_, *request_.children);
    if (killed != 0) {
      say(SpawnAnswer::Kind::note, "SIGKILL to " + std::to_string(killed) +
                                       (killed == 1 ? " orphan that holds its lock" : " orphans that hold its lock"));
    }
  }
  say(SpawnAnswer::Kind::lock_busy, lock.holder.view());
  // A log pipe's end that stayed open here would keep a logger from seeing the end of its stream.
  const int kept[] = {lock.file.get()};
  close_all_but(kept);
  // If the runtime is killed nobody is waited for any more.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != runtime_pid_) _exit(exit_unheard);
  wait_for_lock(lock);
  _exit(0);
}

OrFailure<void> Child::place_descriptors(const Plan& plan) {
  const bool logs = request_.output >= 0;
  std::vector<Placement> placements = {{.source = answer_fd_, .target = -1},
                                       {.source = plan.input.get(), .target = 0},
                                       {.source = logs ? request_.output : 1, .target = 1},
                                       {.source = logs ? request_.output : 2, .target = 2}};
  int next = 3;
  for (const Stream& stream : request_.streams) placements.push_back({.source = stream.fd, .target = next++});
  const int ready = request_.ready_fd >= 0 ? static_cast<int>(service().ready_fd) : -1;
  if (ready >= 0) {
    if (ready < next) return failed(Stage::ready_fd, 0, std::to_string(ready) + " is taken already");
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && static_cast<rlim_t>(ready) >= limit.rlim_cur) {
      return failed(Stage::ready_fd, EMFILE, std::to_string(ready));
    }
    placements.push_back({.source = request_.ready_fd, .target = ready});
  }
  if (lock_) {
    int number = std::max(next, first_lock_number);
    if (number == ready) ++number;
    placements.push_back({.source = lock_->file.get(), .target = number});
  }
  const int error = place(placements);
  // If it moved, a failure is told by its new number.
  answer_fd_ = placements.front().source;
  if (error != 0) return failed(Stage::descriptors, error, {});
  return {};
}

void Child::set_runtime_variables(Environment& environment) const {
  if (!main()) return;
  if (has_notify_socket(service()) && request_.notify_path != nullptr) {
    environment.set("NOTIFY_SOCKET", request_.notify_path);
    if (service().watchdog_ms >= 0) environment.set("WATCHDOG_USEC", std::to_string(service().watchdog_ms * 1'000));
  }
  if (request_.streams.empty()) return;
  std::string names;
  for (const Stream& stream : request_.streams) {
    if (!names.empty()) names += ':';
    names += stream.name;
  }
  environment.set("LISTEN_PID", std::to_string(getpid()));
  environment.set("LISTEN_FDS", std::to_string(request_.streams.size()));
  environment.set("LISTEN_FDNAMES", names);
}

StartFailure Child::become_service() {
  only_intended_descriptors();
  setsid();
  auto plan = this->plan();
  if (!plan) return std::move(plan.error());
  std::vector<std::string> notes;
  if (cgroup_error_ != 0 && service().resources_required != 0) {
    return {.stage = Stage::cgroup, .error = cgroup_error_, .permanent = false, .detail = {}};
  }
  if (cgroup_error_ != 0) notes.push_back(std::string("it is in no cgroup of its own: ") + std::strerror(cgroup_error_));
  if (auto done = set_priorities(); !done) return std::move(done.error());
  limits_.raise(database(), service(), notes);
  if (auto done = assume_identity(plan->identity); !done) return std::move(done.error());
  tell(plan->identity.notes);
  tell(notes);
  if (chdir(directory_.c_str()) != 0) {
    return {.stage = Stage::directory, .error = errno, .permanent = false, .detail = shown(directory_)};
  }
  if (plan->lock && takes_lock()) {
    if (auto done = take_lock(*plan->lock); !done) return std::move(done.error());
  }
  umask(service().umask);
  if (auto done = place_descriptors(*plan); !done) return std::move(done.error());
  if (service().no_new_privileges != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return {.stage = Stage::no_new_privileges, .error = errno, .permanent = false, .detail = {}};
  }
  set_runtime_variables(plan->environment);
  const std::vector<const char*> entries = plan->environment.entries();
  if (auto done = limits_.set(database(), service()); !done) return std::move(done.error());
  return execute(plan->words, entries, plan->environment.find("PATH"));
}

// CMD is as the runtime is, but for its signals and its terminal.
StartFailure Child::become_command(TerminalRole terminal) {
  only_intended_descriptors();
  for (int fd = 0; fd <= 2; ++fd) fcntl(fd, F_SETFD, 0);
  take_terminal(terminal);
  std::vector<std::string> words(request_.command.begin(), request_.command.end());
  std::vector<const char*> entries;
  for (const std::string_view entry : facts_.environment) entries.push_back(entry.data());
  entries.push_back(nullptr);
  if (words.empty()) return {.stage = Stage::command, .error = ENOENT, .permanent = false, .detail = "of no words"};
  limits_.restore();
  return execute(words, entries, runtime_.find("PATH"));
}

}  // namespace

void run_child(const SpawnRequest& request, const RuntimeFacts& facts, const AtFork& at_fork, int answer_fd) noexcept {
  if (request.record != nullptr && !request.record->enter(at_fork.runtime_pid)) _exit(exit_unheard);
  const int cgroup_error = at_fork.in_cgroup || request.cgroup < 0 ? 0 : join_cgroup(request.cgroup);
  leave_heap_alone();
  reset_signals(at_fork.signals_to_reset);
  StartFailure failure;
  try {
    Child child(request, facts, at_fork, answer_fd, cgroup_error);
    failure = request.role == ProcessRole::command ? child.become_command(at_fork.terminal) : child.become_service();
  } catch (...) {  // only want of memory throws here
    failure = {.stage = Stage::memory, .error = ENOMEM, .permanent = false, .detail = {}};
  }
  send_answer(answer_fd, {.kind = SpawnAnswer::Kind::failed,
                          .stage = failure.stage,
                          .permanent = failure.permanent,
                          .error = failure.error,
                          .detail = std::string_view(failure.detail)});
  _exit(exit_unheard);
}

}  // namespace hcrc

// The shell's children: from the spawn to the reaping, and what they say in between.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/runtime/leftovers.h"
#include "core/runtime/panic.h"
#include "core/runtime/shell.h"

namespace hcrc {

namespace {

// Children reaped in one turn: 20,000 at once must not make timers late.
constexpr std::size_t reaped_at_once = 256;

// Full batches reaped before what may be left of somebody is looked for all the same.
constexpr std::uint32_t batches_per_look = 64;

// And of ours that ended behind a crowd of orphans.
constexpr std::size_t ours_at_once = 64;

constexpr Milliseconds orphan_look(20);

Role role_of(ProcessRole role) {
  switch (role) {
    case ProcessRole::cleanup: return Role::cleanup;
    case ProcessRole::stop_command: return Role::stop_command;
    case ProcessRole::main:
    case ProcessRole::command:
    case ProcessRole::ready_probe:
    case ProcessRole::health_probe: return Role::main;
  }
  return Role::main;
}

bool is_probe(ProcessRole role) { return role == ProcessRole::ready_probe || role == ProcessRole::health_probe; }

// Where a child is recorded; those that belong to no service, and copiers, are not.
std::optional<RecordKind> record_kind(ChildKind kind) {
  switch (kind) {
    case ChildKind::main:
    case ChildKind::lock_waiter: return RecordKind::main;
    case ChildKind::helper: return RecordKind::helper;
    case ChildKind::probe: return RecordKind::probe;
    case ChildKind::copier:
    case ChildKind::reader:
    case ChildKind::drain: break;
  }
  return std::nullopt;
}

ExitStatus status_of(const siginfo_t& info) {
  ExitStatus status;
  status.kind = info.si_code == CLD_EXITED ? ExitStatus::Kind::code : ExitStatus::Kind::signal;
  status.value = static_cast<std::uint8_t>(info.si_status);
  return status;
}

}  // namespace

std::string_view Shell::name(Slot slot) const { return supervisor_.name(slot); }

void Shell::spawn_role(Slot slot, Run run, ProcessRole role, bool judge_paths) {
  Service& one = service(slot);
  const bool main = role == ProcessRole::main || role == ProcessRole::command;
  const ChildKind kind = main ? ChildKind::main : is_probe(role) ? ChildKind::probe : ChildKind::helper;
  refresh(slot);
  Process* process = process_of(slot, kind);
  if (process == nullptr) return no_process(slot, run, role_of(role), ENOMEM);
  SpawnRequest request;
  // CMD has no definition, and no use for one.
  const Definition& definition = supervisor_.definition(slot);
  request.database = definition.database ? definition.database.get() : &supervisor_.database();
  request.service = definition.index;
  request.role = role;
  request.judge_paths = judge_paths;
  request.command = setup_.command;
  request.record = record_for(slot, role, kind);
  if (role != ProcessRole::command) {
    const auto output = pipes_.output(slot);
    if (!output) return no_process(slot, run, role_of(role), output.error());
    request.output = *output;
  }
  Given given;
  if (role == ProcessRole::main) {
    if (const auto equipped = equip(slot, request, given); !equipped) {
      const NoStart& why = equipped.error();
      if (why.error != 0) return no_process(slot, run, Role::main, why.error);
      return dispatch(event::StartFailed{
          .slot = slot, .run = run, .role = Role::main, .permanent = false, .reason = why.sentence.view()});
    }
  }
  if (const auto begun = begin(*process, request, slot, run, kind); !begun) {
    return no_process(slot, run, role_of(role), begun.error());
  }
  if (main) one.session = process->pid;
  if (role == ProcessRole::main && one.ready && one.ready->read_end) watch_ready_fd(slot);
  if (process->answer) {
    watch_answers(*process);
  } else {
    while (const auto answer = spawner_.take_answer()) take_answer(*process, *answer);
    spawned(*process);
  }
}

// What only a service's own process gets: a cgroup with limits, a logger's streams, the ways to say that it is ready.
std::expected<void, Shell::NoStart> Shell::equip(Slot slot, SpawnRequest& request, Given& given) {
  Service& one = service(slot);
  if (one.cgroup_used_up) one.cgroup_used_up = !cgroups_.remove(name(slot));
  if (!one.cgroup_used_up) given.cgroup = cgroups_.group(name(slot));
  request.cgroup = given.cgroup.get();
  if (const auto limited = limit(slot, given.cgroup, request.judge_paths); !limited) return limited;
  if (supervisor_.unit(slot).logger) {
    const auto streams = pipes_.streams(slot);
    if (!streams) return std::unexpected(NoStart{.error = streams.error(), .sentence = {}});
    request.streams = *streams;
  }
  if (supervisor_.rule(slot).lock != format::none) request.children = children();
  if (one.notify) {
    if (const auto opened = open_notify_socket(slot); !opened) {
      return std::unexpected(NoStart{.error = 0, .sentence = std::string_view(opened.error())});
    }
    one.notify->socket.begin_anew();
    one.notify->status.clear();
    if (one.notify->socket.usable()) request.notify_path = one.notify->socket.path().c_str();
  }
  if (static_cast<ReadyKind>(supervisor_.rule(slot).ready_kind) == ReadyKind::fd) {
    int ends[2];
    if (!one.ready) return std::unexpected(NoStart{.error = ENOMEM, .sentence = {}});
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return std::unexpected(NoStart{.error = errno, .sentence = {}});
    one.ready->watcher.stop();
    one.ready->read_end.reset(ends[0]);
    given.ready_write.reset(ends[1]);
    request.ready_fd = given.ready_write.get();
  }
  return {};
}

// Sets what the service may have. An error where it must not start without.
std::expected<void, Shell::NoStart> Shell::limit(Slot slot, const Descriptor& cgroup, bool first_start) {
  const format::ServiceRecord& rule = supervisor_.rule(slot);
  std::array<char, bounds::story_line_bytes> refused_bytes;
  TextWriter refused(refused_bytes);
  if (cgroups_.limit(cgroup, rule, refused)) {
    if (const auto& memory = service(slot).memory; memory && cgroup) memory->open(cgroup.get(), true);
    return {};
  }
  if (rule.resources_required != 0) return std::unexpected(NoStart{.error = 0, .sentence = refused.view()});
  std::array<char, bounds::story_line_bytes> bytes;
  TextWriter line(bytes);
  if (first_start) console_.line(line.put(name(slot)).put(": [resources] is not in force: ").put(refused.view()).view());
  return {};
}

KnownChildren Shell::known_children() {
  return {
      .knows = [](const void* table, pid_t pid) { return static_cast<const ProcessTable*>(table)->find(pid).has_value(); },
      .context = &table_,
      .listing = &child_listing_,
      .numbers = &numbers_};
}

std::span<const pid_t> Shell::children() {
  spared_.clear();
  table_.each([this](const Child& child) { spared_.push_back(child.pid); });
  return spared_;
}

// CMD has no definition: it starts after everything, so it is ended before.
ProcessRecord* Shell::record_for(Slot slot, ProcessRole role, ChildKind kind) {
  RecordedRule rule{
      .name = name(slot), .level = UINT32_MAX, .stop_signal = SIGTERM, .stop_timeout = setup_.supervisor.stop_deadline};
  if (role != ProcessRole::command) {
    const format::ServiceRecord& definition = supervisor_.rule(slot);
    rule.level = definition.level;
    rule.stop_signal = definition.stop_signal;
    rule.stop_timeout = Milliseconds(definition.stop_timeout_ms);
  }
  return records_.prepare(slot, *record_kind(kind), rule);
}

// The children, and the sessions that have lost their leaders.
std::span<const pid_t> Shell::owned() {
  children();
  for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
    if (service(slot).leftovers) spared_.push_back(service(slot).session);
  }
  return spared_;
}

void Shell::forget(const Child& child) {
  if (const auto kind = record_kind(child.kind)) records_.clear(child.slot, *kind, child.pid);
}

// Makes the child; the error is an errno.
std::expected<void, int> Shell::begin(Process& process, const SpawnRequest& request, Slot slot, Run run, ChildKind kind) {
  auto child = spawner_.spawn(request);
  if (!child) return std::unexpected(child.error());
  process.run = run;
  process.role = request.role;
  process.pid = child->pid;
  process.answered = false;
  process.failed = false;
  process.reaped = false;
  process.killed = false;
  process.untouchable = false;
  process.answer = std::move(child->answer);
  // The table has room for every child that the services can have.
  if (!table_.add({.pid = process.pid, .slot = slot, .run = run, .kind = kind})) panic("the process table is full");
  return {};
}

void Shell::watch_answers(Process& process) {
  process.watcher.start(
      loop_, process.answer.get(), {.readable = true, .writable = false},
      [](void* context, Readiness) {
        auto* answering = static_cast<Process*>(context);
        answering->shell->read_answers(*answering);
      },
      &process);
}

// No process could be made. A probe that cannot run says nothing about its service.
void Shell::no_process(Slot slot, Run run, Role role, int error) {
  const Service& one = service(slot);
  if (one.probe_run == run && supervisor_.unit(slot).probe_out) {
    return dispatch(event::ProbeDone{.slot = slot, .run = run, .probe = one.probe_number, .good = true, .reason = {}});
  }
  dispatch(event::NoResource{.slot = slot, .run = run, .role = role, .reason = std::strerror(error)});
}

// Reads what the child has said so far. The end of the stream without a failure means that its exec went well.
void Shell::read_answers(Process& process) {
  while (process.answer) {
    SpawnAnswer answer;
    switch (read_answer(process.answer.get(), answer)) {
      case AnswerRead::nothing_yet: return;
      case AnswerRead::answer: take_answer(process, answer); break;
      case AnswerRead::end:
        process.watcher.stop();
        process.answer.reset();
        spawned(process);
        break;
    }
  }
}

void Shell::spawned(Process& process) {
  if (process.answered) return;
  process.answered = true;
  if (is_probe(process.role)) return;
  dispatch(event::Spawned{.slot = process.slot, .run = process.run, .role = role_of(process.role), .pid = process.pid});
}

void Shell::take_answer(Process& process, const SpawnAnswer& answer) {
  const Role role = role_of(process.role);
  std::array<char, bounds::story_line_bytes> bytes;
  TextWriter text(bytes);
  switch (answer.kind) {
    case SpawnAnswer::Kind::note:
      console_.line(text.put(name(process.slot)).put(": ").put(answer.detail.view()).view());
      return;
    case SpawnAnswer::Kind::ready_address:
    case SpawnAnswer::Kind::health_address:
      if (const auto& checks = service(process.slot).checks) {
        const bool ready = answer.kind == SpawnAnswer::Kind::ready_address;
        (ready ? checks->ready_address : checks->health_address).assign(answer.detail.view());
      }
      return;
    case SpawnAnswer::Kind::skipped:
      process.answered = process.failed = true;
      return dispatch(event::Skipped{.slot = process.slot, .run = process.run, .reason = answer.detail.view()});
    case SpawnAnswer::Kind::lock_busy: {
      process.answered = process.failed = true;
      // From here on it only waits; the process of the next start takes its place.
      Service& one = service(process.slot);
      table_.change(process.pid, ChildKind::lock_waiter);
      one.lock_waiter = process.pid;
      const Run run = process.run;
      process.watcher.stop();
      process.answer.reset();
      process.pid = 0;
      return dispatch(event::LockBusy{.slot = process.slot, .run = run, .role = role, .holder = answer.detail.view()});
    }
    case SpawnAnswer::Kind::failed:
      process.answered = process.failed = true;
      if (is_probe(process.role)) return;  // its exit says that the probe failed
      write_failure(answer, text);
      if (lacks_resource(answer)) {
        return dispatch(event::NoResource{.slot = process.slot, .run = process.run, .role = role, .reason = text.view()});
      }
      return dispatch(event::StartFailed{
          .slot = process.slot, .run = process.run, .role = role, .permanent = answer.permanent, .reason = text.view()});
  }
}

void Shell::reap() {
  std::array<siginfo_t, reaped_at_once + ours_at_once> ends;
  std::size_t count = 0;
  const auto take = [&ends, &count](idtype_t which, pid_t pid) {
    ends[count] = {};
    int answer = 0;
    do {
      answer = waitid(which, static_cast<id_t>(pid), &ends[count], WEXITED | WNOHANG);
    } while (answer != 0 && errno == EINTR);
    if (answer != 0) return ExpectedEnds::Found::no_child;
    if (ends[count].si_pid == 0) return ExpectedEnds::Found::lives;
    ++count;
    return ExpectedEnds::Found::ended;
  };
  expected_ends_.take([&](pid_t pid) { return count < reaped_at_once ? take(P_PID, pid) : ExpectedEnds::Found::lives; });
  while (count < reaped_at_once && take(P_ALL, 0) == ExpectedEnds::Found::ended) {
  }
  const bool more = count == reaped_at_once;
  // The kernel tells of the oldest child first: behind thousands of orphans a service's end would be noticed late.
  if (more) {
    table_.each([&](const Child& child) {
      if (count < ends.size()) take(P_PID, child.pid);
    });
  }
  for (const siginfo_t& info : std::span(ends).first(count)) {
    // From here on its number may be anybody's: nothing that its end sets off signals it.
    if (const auto child = table_.find(info.si_pid)) {
      if (Process* process = process_of(child->slot, child->kind)) {
        process->reaped = true;
        process->reaped_of = info.si_uid;
      }
    }
  }
  for (const siginfo_t& info : std::span(ends).first(count)) {
    const auto child = table_.find(info.si_pid);
    if (!child) continue;
    table_.remove(info.si_pid);
    ended(*child, info);
    // Of a session that is not empty yet the record stays.
    if (child->kind != ChildKind::main || !service(child->slot).leftovers) forget(*child);
  }
  // Each look may go through all of /proc. In a crowd of the dead they wait for its end, or for every so many batches of one
  // that has none.
  full_batches_ = more ? full_batches_ + 1 : 0;
  if (full_batches_ % batches_per_look == 0) {
    if (leftovers_ > 0) look_for_leftovers();
    if (sweeping_) look_for_orphans();
  }
  // There may be more: come back in the next turn, after timers and sockets have had theirs.
  if (more) kill(getpid(), SIGCHLD);
}

Shell::Process* Shell::process_of(Slot slot, ChildKind kind) {
  Service& one = service(slot);
  switch (kind) {
    case ChildKind::main: return &one.main;
    case ChildKind::helper: return one.helper.get();
    case ChildKind::probe: return one.probe.get();
    case ChildKind::lock_waiter:
    case ChildKind::copier:
    case ChildKind::reader:
    case ChildKind::drain: break;
  }
  return nullptr;
}

void Shell::ended(const Child& child, const siginfo_t& info) {
  Service& one = service(child.slot);
  if (Process* process = process_of(child.slot, child.kind)) return process_ended(*process, child.kind, status_of(info));
  switch (child.kind) {
    case ChildKind::main:
    case ChildKind::helper:
    case ChildKind::probe: return;
    case ChildKind::lock_waiter:
      if (one.lock_waiter == child.pid) one.lock_waiter = 0;
      return dispatch(event::LockFree{.slot = child.slot, .run = child.run});
    case ChildKind::copier: return dispatch(event::CopierEnded{.slot = child.slot});
    case ChildKind::reader: return reader_.reaped(child.pid);
    case ChildKind::drain: return;
  }
}

void Shell::process_ended(Process& process, ChildKind kind, ExitStatus status) {
  const pid_t pid = process.pid;
  // First what it said itself: its end must not overtake its answer.
  read_answers(process);
  if (service(process.slot).lock_waiter == pid) {  // it said so just now
    service(process.slot).lock_waiter = 0;
    return dispatch(event::LockFree{.slot = process.slot, .run = process.run});
  }
  if (process.answer) {
    process.watcher.stop();
    process.answer.reset();
  }
  if (!process.failed) spawned(process);
  // What it said before it died counts.
  if (kind == ChildKind::main && service(process.slot).notify) service(process.slot).notify->socket.drain();
  process.pid = 0;
  if (kind == ChildKind::probe) {
    const Service& one = service(process.slot);
    const bool good = !process.failed && status.kind == ExitStatus::Kind::code && status.value == 0;
    return dispatch(event::ProbeDone{.slot = process.slot,
                                     .run = process.run,
                                     .probe = one.probe_number,
                                     .good = good,
                                     .reason = "the check command failed"});
  }
  if (process.failed) return;
  if (status.kind == ExitStatus::Kind::signal && status.value == SIGKILL && !process.killed) {
    service(process.slot).cgroup_used_up = true;
    // What the service's own group counts, the node's counts, too.
    const auto& own = service(process.slot).memory;
    const auto by_node = memory_.explains(loop_.now());
    const auto by_own = own && kind == ChildKind::main ? own->explains(loop_.now()) : std::nullopt;
    if (const auto& explained = by_own ? by_own : by_node) {
      status.out_of_memory = true;
      status.memory_limit = explained->limit;
    }
  }
  bool leftovers = false;
  if (kind == ChildKind::main) {
    Service& one = service(process.slot);
    read_ready_fd(process.slot);
    if (one.ready) {
      one.ready->watcher.stop();
      one.ready->read_end.reset();
    }
    leftovers = anything_left(process.slot);
    if (leftovers) await_leftovers(process.slot);
  }
  dispatch(event::Exited{
      .slot = process.slot, .run = process.run, .role = role_of(process.role), .status = status, .leftovers = leftovers});
}

// Of its cgroup, in whatever session. While the node stops these are the sweep's, as they are where there is no cgroup.
bool Shell::strays_left(Slot slot) const {
  return in_cgroup(slot) && !supervisor_.shutting_down() && cgroups_.populated(name(slot));
}

bool Shell::anything_left(Slot slot) { return any_left(services_[slot].session, known_children()) || strays_left(slot); }

void Shell::await_leftovers(Slot slot) {
  if (service(slot).leftovers) return;
  service(slot).leftovers = true;
  ++leftovers_;
}

// The last of a session that has lost its leader ends as a child of ours, since orphans come to us; the last of a cgroup may
// be somebody else's child, and the kernel tells of it.
void Shell::look_for_leftovers() {
  if (cgroups_.changes() >= 0) cgroups_.take_changes();
  for (Slot slot = 0; slot < supervisor_.slots() && leftovers_ > 0; ++slot) {
    Service& one = service(slot);
    if (!one.leftovers) continue;
    if (in_cgroup(slot)) cgroups_.ask(name(slot));
    if (anything_left(slot)) continue;
    one.leftovers = false;
    --leftovers_;
    records_.clear(slot, RecordKind::main, one.session);
    dispatch(event::LeftoversGone{.slot = slot, .run = one.main.run});
  }
}

// Signals what no service owns; 0 only counts. How many there are.
std::int32_t Shell::sweep(int signal) { return static_cast<std::int32_t>(signal_orphans(owned(), signal)); }

void Shell::look_for_orphans() {
  look_again_ = end_of_time;
  if (!sweeping_) return;
  if (sweep(0) > 0) {
    look_again_ = EventLoop::now() + orphan_look;
    return;
  }
  sweeping_ = false;
  dispatch(event::OrphansGone{});
}

void Shell::watch_ready_fd(Slot slot) {
  Service& one = service(slot);
  one.ready->watcher.start(
      loop_, one.ready->read_end.get(), {.readable = true, .writable = false},
      [](void* context, Readiness) {
        const auto* process = static_cast<Process*>(context);
        process->shell->read_ready_fd(process->slot);
      },
      &one.main);
}

// Ready with the first newline (s6's notification-fd); what comes before it does not count, nor does an end without one.
void Shell::read_ready_fd(Slot slot) {
  Service& one = service(slot);
  if (!one.ready || !one.ready->read_end) return;
  std::array<char, 256> bytes;
  for (;;) {
    const ssize_t got = read(one.ready->read_end.get(), bytes.data(), bytes.size());
    if (got < 0) return;  // nothing yet
    const bool newline = got > 0 && std::memchr(bytes.data(), '\n', static_cast<std::size_t>(got)) != nullptr;
    if (got > 0 && !newline) continue;
    one.ready->watcher.stop();
    one.ready->read_end.reset();
    if (newline) dispatch(event::Ready{.slot = slot, .run = one.main.run});
    return;
  }
}

// No-op where there is no run dir to open it in, or it is open.
std::expected<void, std::string> Shell::open_notify_socket(Slot slot) {
  Service& one = service(slot);
  if (!run_dir_ || !supervisor_.notify_usable() || !one.notify || one.notify->socket.usable()) return {};
  const auto on_message = [](void* context, pid_t pid, uid_t uid, const NotifyMessage& message) {
    const auto* process = static_cast<Process*>(context);
    if (process->shell->speaks_for(process->slot, pid, uid)) process->shell->notified(process->slot, message);
  };
  auto opened = one.notify->socket.open(loop_, *run_dir_, slot, on_message, &one.main);
  if (opened) notify_sockets_.push_back(&one.notify->socket);
  return opened;
}

// Who lives is to be of the service's session, whose leader is its own process. Who is gone already, as a helper that a
// script starts to say it is ready, is to have been of its user.
bool Shell::speaks_for(Slot slot, pid_t pid, uid_t uid) const {
  const Process& leader = services_[slot].main;
  if (leader.pid == 0 || pid == 0) return false;
  if (pid == leader.pid) return true;
  const pid_t session = getsid(pid);
  if (session > 0) return session == leader.pid;
  return uid == (leader.reaped ? leader.reaped_of : user_of(leader.pid));
}

void Shell::notified(Slot slot, const NotifyMessage& message) {
  Service& one = service(slot);
  const Run run = one.main.run;
  if (message.status) {
    one.notify->status.assign(*message.status);
    changed_ = true;
  }
  if (message.extend_timeout) dispatch(event::ExtendTimeout{.slot = slot, .run = run, .by = *message.extend_timeout});
  if (message.watchdog) dispatch(event::Watchdog{.slot = slot, .run = run});
  if (message.ready) dispatch(event::Ready{.slot = slot, .run = run});
  if (message.stopping) dispatch(event::Stopping{.slot = slot, .run = run});
}

}  // namespace hcrc

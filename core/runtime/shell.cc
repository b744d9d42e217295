#include "core/runtime/shell.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/runtime/copier.h"
#include "core/runtime/leftovers.h"
#include "core/runtime/panic.h"
#include "core/story.h"

namespace hcrc {

namespace {

// What a panic still knows: the children, which it asks to end.
const ProcessTable* panicking_table = nullptr;
pid_t panicking_pid = 0;  // a fork of ours that panics before its exec must end nobody

void end_children() {
  if (getpid() != panicking_pid) return;
  panicking_table->each([](const Child& child) {
    kill(child.pid, SIGTERM);
    kill(child.pid, SIGCONT);
  });
}

}  // namespace

Shell::Shell(std::shared_ptr<const Database> database, Setup setup, const RuntimeFacts& facts, Console& console)
    : setup_(std::move(setup)),
      facts_(facts),
      first_path_(setup_.db_path),
      console_(console),
      supervisor_(std::move(database), setup_.supervisor),
      spawner_(facts),
      pipes_(supervisor_),
      table_(0),
      answers_(*this) {
  panicking_table = &table_;
  panicking_pid = getpid();
  set_panic_hook(end_children);
  if (const auto made = make_room(supervisor_.slots(), nullptr); !made) panic("there is not enough memory for the services");
  for (Slot slot = 0; slot < supervisor_.slots(); ++slot) refresh(slot);
}

Shell::~Shell() {
  set_panic_hook(nullptr);
  console_.finish(0);
}

std::expected<void, std::string> Shell::open(std::optional<RunDir> run_dir) {
  if (!loop_.open()) return std::unexpected(std::string("the event loop cannot be made: ") + std::strerror(errno));
  console_.attach(loop_);
  run_dir_ = std::move(run_dir);
  if (run_dir_) {
    open_notify_sockets();
    if (const auto opened = control_.open(loop_, *run_dir_, answers_); !opened) {
      if (opened.error().occupied) return std::unexpected(opened.error().sentence);
      console_.line(opened.error().sentence);
    }
  }
  if (supervisor_.database().header().socket_group_set != 0) {
    console_.line("socket-group is not honoured yet: the control socket is for root and the runtime's own user alone");
  }
  if (!run_dir_) supervisor_.without_notify();
  memory_.open();
  cgroups_.open();
  cgroups_.prepare_limits(supervisor_.database(), {});
  if (run_dir_ && !setup_.pid1) {
    if (const auto opened = records_.open(*run_dir_, supervisor_.slots()); !opened) console_.line(opened.error());
    records_.set_cgroup(cgroups_.folder(), cgroups_.inode());
  }
  if (cgroups_.changes() >= 0) {
    const auto on_change = [](void* shell, Readiness) { static_cast<Shell*>(shell)->look_for_leftovers(); };
    cgroup_changes_.start(loop_, cgroups_.changes(), {.readable = true, .writable = false}, on_change, this);
  }
  // A write to a pipe or socket whose other end is gone is an error to us, never our end.
  ::signal(SIGPIPE, SIG_IGN);
  const auto on_signal = [](void* shell, int signal) {
    static_cast<Shell*>(shell)->dispatch(event::Shutdown{.signal = signal, .code = 0});
  };
  // Those of the stop are the first.
  std::size_t next = 0;
  for (const int signal : stop_signals) signals_[next++].start(loop_, signal, on_signal, this);
  signals_[next++].start(loop_, SIGCHLD, [](void* shell, int) { static_cast<Shell*>(shell)->reap(); }, this);
  signals_[next++].start(
      loop_, SIGHUP,
      [](void* self, int signal) {
        auto* shell = static_cast<Shell*>(self);
        // Who loses his terminal is asked to stop, unless he is PID 1; while stopping it is told what is waited for.
        if (shell->supervisor_.shutting_down() ||
            (!shell->setup_.pid1 && Descriptor(::open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY)))) {
          return shell->dispatch(event::Shutdown{.signal = signal, .code = 0});
        }
        shell->update_by_signal();
      },
      this);
  signals_[next++].start(loop_, SIGUSR1, [](void* shell, int) { static_cast<Shell*>(shell)->tell_status(); }, this);
  if (!setup_.pid1 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    console_.line("orphans cannot be taken in (PR_SET_CHILD_SUBREAPER): what a service leaves behind may outlive it");
  }
  numbers_.open();
  loop_.set_turn_end([](void* shell) { static_cast<Shell*>(shell)->turn_end(); }, this);
  return {};
}

// A line a service, for who has no client at hand: "web is in backoff: killed by SIGSEGV, next try in 2s".
void Shell::tell_status() {
  for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
    if (!supervisor_.is_service(slot)) continue;
    if (static_cast<ServiceType>(supervisor_.rule(slot).type) == ServiceType::bundle) continue;
    std::array<char, bounds::story_line_bytes> bytes;
    TextWriter line(bytes);
    line.put(supervisor_.name(slot)).put(" is ").put(state_in_words(supervisor_.unit(slot)));
    std::array<char, bounds::story_line_bytes> reason_bytes;
    TextWriter reason(reason_bytes);
    why(supervisor_, slot, EventLoop::now(), reason);
    if (!reason.view().empty()) line.put(": ").put(reason.view());
    console_.line(line.view());
  }
}

int Shell::run() {
  const Instant now = EventLoop::now();
  performing_ = true;
  supervisor_.boot(now);
  loop_.let_signals_in();
  perform_all();
  performing_ = false;
  reap();  // children that we were given before our handler stood
  if (!exited_) loop_.run();
  control_.close();
  // The cgroup of a PID 1 ends with its namespace; whoever made it takes it away.
  if (!setup_.pid1) cgroups_.close();
  console_.finish(200);
  return exit_code_;
}

void Shell::dispatch(const Event& event) {
  supervisor_.handle(event, EventLoop::now());
  changed_ = true;
  // An answer that is known while an effect is performed only changes the state; its effects come in their turn.
  if (performing_) return;
  performing_ = true;
  perform_all();
  performing_ = false;
}

// A stop signal does not wait until a large graph has started: it is taken between two starts. Nothing else takes long.
void Shell::perform_all() {
  bool time_has_passed = true;
  for (;;) {
    if (time_has_passed) take_stop_signals();
    const auto effect = supervisor_.next(EventLoop::now());
    if (!effect) return;
    perform(*effect);
    time_has_passed = std::holds_alternative<effect::Spawn>(*effect);
  }
}

void Shell::take_stop_signals() {
  loop_.collect_signals();
  for (SignalWatcher& signal : std::span(signals_).first(stop_signals.size())) {
    if (!signal.take()) continue;
    supervisor_.handle(event::Shutdown{.signal = signal.number(), .code = 0}, EventLoop::now());
    changed_ = true;
  }
}

void Shell::perform(const Effect& effect) {
  std::visit([this](const auto& one) { do_it(one); }, effect);
}

// Some of them and not others would be no service's to rely on.
void Shell::open_notify_sockets() {
  for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
    const auto opened = open_notify_socket(slot);
    if (opened) continue;
    console_.line(opened.error());
    notify_sockets_.clear();
    for (Service& one : services_) one.notify.reset();
    return supervisor_.without_notify();
  }
}

Instant Shell::notify_deadline() const {
  Instant earliest = end_of_time;
  for (const NotifySocket* socket : notify_sockets_) earliest = std::min(earliest, socket->next_deadline());
  return earliest;
}

void Shell::turn_end() {
  spawner_.end_turn();
  if (updating_ && supervisor_.departing() == 0) end_update();
  if (supervisor_.shutting_down() && !std::exchange(strays_left_to_sweep_, true)) look_for_leftovers();
  if (changed_) {
    changed_ = false;
    control_.poke();
  }
  const Instant next =
      std::min({supervisor_.deadline(), control_.next_deadline(), notify_deadline(), reader_.deadline(), look_again_});
  loop_.set_deadline(next, [](void* shell) { static_cast<Shell*>(shell)->tick(); }, this);
}

void Shell::tick() {
  const Instant now = EventLoop::now();
  while (supervisor_.deadline() <= now) dispatch(event::Tick{});
  control_.expire(now);
  for (NotifySocket* socket : notify_sockets_) socket->expire(now);
  reader_.expire(now);
  if (look_again_ <= now) look_for_orphans();
}

void Shell::do_it(const effect::Spawn& effect) {
  ProcessRole role = ProcessRole::main;
  switch (effect.role) {
    case Role::main: role = effect.slot == supervisor_.command_slot() ? ProcessRole::command : ProcessRole::main; break;
    case Role::cleanup: role = ProcessRole::cleanup; break;
    case Role::stop_command: role = ProcessRole::stop_command; break;
  }
  spawn_role(effect.slot, effect.run, role, effect.judge_paths);
}

// A pid in hand is one that is not reaped yet: it cannot be anybody else's.
void Shell::do_it(const effect::SignalProcess& effect) {
  Process& process = service(effect.slot).main;
  if (!process.alive() || process.run != effect.run) return;
  process.killed = process.killed || effect.signal == SIGKILL;
  expected_ends_.add(process.pid);
  if (kill(process.pid, effect.signal) == 0 || errno != EPERM || process.untouchable) return;
  process.untouchable = true;
  std::array<char, bounds::story_line_bytes> bytes;
  TextWriter line(bytes);
  line.put(name(effect.slot)).put(": pid ").number(process.pid);
  console_.line(line.put(" is another user's, whom this runtime may not signal: it needs CAP_KILL").view());
}

void Shell::do_it(const effect::SignalLeftovers& effect) {
  Service& one = service(effect.slot);
  if (one.session == 0) return;
  signal_left(one.session, effect.signal, one.main.alive() ? Leader::may_live : Leader::reaped);
  if (effect.signal == SIGKILL ? in_cgroup(effect.slot) : strays_left(effect.slot)) {
    cgroups_.signal(name(effect.slot), effect.signal, one.session);
    one.cgroup_used_up = one.cgroup_used_up || effect.signal == SIGKILL;
  }
  if (one.main.pid != 0) return;
  await_leftovers(effect.slot);
  look_for_leftovers();
}

void Shell::do_it(const effect::KillHelper& effect) {
  const auto& process = service(effect.slot).helper;
  if (!process || !process->alive() || process->run != effect.run) return;
  kill(-process->pid, SIGKILL);
  kill(process->pid, SIGKILL);  // it may not have its session yet
}

void Shell::do_it(const effect::EndLockWait& effect) {
  const pid_t waiter = service(effect.slot).lock_waiter;
  if (waiter != 0) kill(waiter, SIGKILL);
}

void Shell::do_it(const effect::Probe& effect) {
  Service& one = service(effect.slot);
  const format::ServiceRecord& rule = supervisor_.rule(effect.slot);
  one.probe_number = effect.probe;
  one.probe_run = effect.run;
  const bool by_command = effect.health ? static_cast<HealthKind>(rule.health_kind) == HealthKind::exec
                                        : static_cast<ReadyKind>(rule.ready_kind) == ReadyKind::exec;
  if (by_command) {
    return spawn_role(effect.slot, effect.run, effect.health ? ProcessRole::health_probe : ProcessRole::ready_probe, false);
  }
  const bool http = effect.health ? static_cast<HealthKind>(rule.health_kind) == HealthKind::http
                                  : static_cast<ReadyKind>(rule.ready_kind) == ReadyKind::http;
  struct Answered {
    static void by(void* context, const ProbeResult& result) {
      auto* process = static_cast<Process*>(context);
      const Service& service = process->shell->services_[process->slot];
      // What cannot be asked says nothing about the service; the next probe may be luckier.
      process->shell->dispatch(event::ProbeDone{.slot = process->slot,
                                                .run = service.probe_run,
                                                .probe = service.probe_number,
                                                .good = result.outcome != ProbeResult::Outcome::bad,
                                                .reason = result.text.view()});
    }
  };
  if (!one.checks) {  // there was no memory for it: nothing is known
    return dispatch(
        event::ProbeDone{.slot = effect.slot, .run = effect.run, .probe = effect.probe, .good = true, .reason = {}});
  }
  const auto known = one.checks->probe.start(loop_, http ? ProbeKind::http : ProbeKind::tcp,
                                             (effect.health ? one.checks->health_address : one.checks->ready_address).view(),
                                             Answered::by, &one.main);
  if (known) Answered::by(&one.main, *known);
}

void Shell::do_it(const effect::CancelProbe& effect) {
  Service& one = service(effect.slot);
  if (one.checks) one.checks->probe.cancel();
  if (!one.probe || !one.probe->alive()) return;
  kill(-one.probe->pid, SIGKILL);
  kill(one.probe->pid, SIGKILL);
}

void Shell::do_it(const effect::StartCopier& effect) {
  const auto copier = start_copier(pipes_.read_ends(effect.slot));
  if (!copier || !table_.add({.pid = *copier, .slot = effect.slot, .run = 0, .kind = ChildKind::copier})) {
    dispatch(event::CopierEnded{.slot = effect.slot});
    return;
  }
}

void Shell::do_it(const effect::StopCopier& effect) {
  table_.each([&effect](const Child& child) {
    if (child.kind == ChildKind::copier && child.slot == effect.slot) kill(child.pid, SIGTERM);
  });
}

void Shell::do_it(const effect::CloseStreams& effect) { pipes_.close_streams(effect.slot); }

void Shell::do_it(const effect::Sweep& effect) {
  sweeping_ = true;
  sweep(effect.signal);
  if (effect.signal == SIGTERM) {
    sweep(SIGHUP);
    sweep(SIGCONT);
  }
  look_for_orphans();
}

void Shell::do_it(const effect::Report& effect) {
  const Loudness loud = loudness(effect.kind);
  if (console_.verbosity() == Verbosity::quiet && loud != Loudness::trouble) return;
  if (console_.verbosity() != Verbosity::verbose && loud == Loudness::detail) return;
  std::array<char, bounds::story_line_bytes> bytes;
  TextWriter line(bytes);
  tell(supervisor_, effect, line);
  console_.line(line.view());
}

void Shell::do_it(const effect::NodeReport& effect) {
  if (console_.verbosity() == Verbosity::quiet && loudness(effect.kind) != Loudness::trouble) return;
  std::array<char, bounds::story_line_bytes> bytes;
  TextWriter line(bytes);
  tell(supervisor_, effect, line);
  console_.line(line.view());
}

void Shell::do_it(const effect::Outward& effect) {
  if (effect.ready && setup_.notify_fd >= 0) {
    [[maybe_unused]] const ssize_t written = ::write(setup_.notify_fd, "\n", 1);
    close(setup_.notify_fd);
    setup_.notify_fd = -1;
  }
  if (setup_.notify_socket.empty()) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (setup_.notify_socket.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, setup_.notify_socket.data(), setup_.notify_socket.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return;
  const std::string_view message = effect.ready ? "READY=1" : "STOPPING=1";
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + setup_.notify_socket.size());
  sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length);
}

void Shell::do_it(const effect::Exit& effect) {
  exit_code_ = effect.code;
  exited_ = true;
  loop_.stop();
}

}  // namespace hcrc

// The shell: it performs the supervisor's effects with processes, pipes and sockets, and reports what happens as events. It
// decides nothing about order or time.
//
//   event loop -> callback -> dispatch(event) -> supervisor -> effects -> perform() -> ...
//
// Every event is dispatched on its own and all of its effects are performed before the next one is taken. At the end of a
// turn the earliest deadline of all parts is set, and whoever waits on the control socket is asked again if anything
// changed.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bounds.h"
#include "core/database.h"
#include "core/event.h"
#include "core/runtime/cgroups.h"
#include "core/runtime/console.h"
#include "core/runtime/control_answers.h"
#include "core/runtime/control_socket.h"
#include "core/runtime/database_reader.h"
#include "core/runtime/event_loop.h"
#include "core/runtime/expected_ends.h"
#include "core/runtime/fork_memory.h"
#include "core/runtime/leftovers.h"
#include "core/runtime/log_pipes.h"
#include "core/runtime/memory_counter.h"
#include "core/runtime/notify_socket.h"
#include "core/runtime/probe.h"
#include "core/runtime/process_records.h"
#include "core/runtime/process_table.h"
#include "core/runtime/run_dir.h"
#include "core/runtime/spawn.h"
#include "core/supervisor.h"
#include "core/system/descriptor.h"
#include "core/text.h"

namespace hcrc {

class Shell final : public NodeView {
 public:
  struct Setup {
    Supervisor::Options supervisor;
    std::string db_path;
    bool stop_deadline_given = false;  // by option or variable, which go before node.toml
    std::span<char* const> command;    // CMD, NULL-terminated
    int notify_fd = -1;                // outward readiness
    std::string notify_socket;         // the runtime's own NOTIFY_SOCKET; empty where there is none
    bool pid1 = false;
  };

  Shell(std::shared_ptr<const Database> database, Setup setup, const RuntimeFacts& facts, Console& console);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  // Opens loop, sockets and signals. Without a run dir (none could be had) there is neither control nor notify socket. An
  // error is a sentence; nothing was started.
  [[nodiscard]] std::expected<void, std::string> open(std::optional<RunDir> run_dir);

  // Runs the node until it has stopped; the exit code.
  int run();

  // NodeView: what the control socket's answers are made from.
  const Supervisor& supervisor() const override { return supervisor_; }
  std::string_view status_text(Slot slot) const override {
    const auto& notify = services_[slot].notify;
    return notify ? notify->status.view() : std::string_view();
  }
  std::string_view db_path() const override { return setup_.db_path; }
  void command(const Event& event) override { dispatch(event); }
  std::uint32_t begin_update(std::string_view path, bool only_tell) override;
  const UpdateJob& update_job() const override { return update_job_; }
  std::size_t orphans(std::span<Orphan> out) override { return list_orphans(known_children(), owned(), out); }

 private:
  // A child before and after its exec: its answer comes over a pipe.
  struct Process {
    Shell* shell = nullptr;
    Slot slot = 0;
    Run run = 0;
    ProcessRole role = ProcessRole::main;
    pid_t pid = 0;  // 0: none
    bool answered = false;
    bool failed = false;       // it did not come to its exec; its exit says nothing
    bool reaped = false;       // its pid is nobody's, or somebody else's
    uid_t reaped_of = 0;       // whose it was
    bool killed = false;       // by a SIGKILL of ours
    bool untouchable = false;  // we may not signal it, and have said so
    bool alive() const { return pid != 0 && !reaped; }
    Descriptor answer;
    FdWatcher watcher;
  };

  // Checks by socket. Addresses have their variables filled in; a child sends them where it alone knows the values.
  struct Checks {
    Probe probe;
    FixedText<Probe::address_bytes> ready_address;
    FixedText<Probe::address_bytes> health_address;
  };

  // Of [ready] notify and [health] watchdog. What the service says of itself is forgotten when it is started again.
  struct Notify {
    NotifySocket socket;
    FixedText<bounds::status_text_bytes> status;
  };

  // Of [ready] fd.
  struct ReadyStream {
    Descriptor read_end;
    FdWatcher watcher;
  };

  // What only some services need they have room for from the start, or from the update that gives them a use for it.
  struct Service {
    Process main;
    std::unique_ptr<Process> helper;            // where there is a stop or a cleanup command
    std::unique_ptr<Process> probe;             // where [ready] or [health] is exec
    std::unique_ptr<ReadyStream> ready;         // where [ready] is fd
    std::unique_ptr<MemoryCounter> memory;      // where there is a memory-max
    std::unique_ptr<Notify> notify;             // where it is given a NOTIFY_SOCKET
    std::unique_ptr<Checks> checks;             // where [ready] or [health] is tcp or http
    std::shared_ptr<const Database> checks_of;  // the database that they were taken from
    std::uint32_t probe_number = 0;
    Run probe_run = 0;
    pid_t session = 0;  // of the last run's own process
    pid_t lock_waiter = 0;
    bool cgroup_used_up = false;  // something in it was killed: see Cgroups::remove()
    bool leftovers = false;       // of a dead leader; the supervisor waits for their end
  };

  // What a child is given by descriptor, until it is made.
  struct Given {
    Descriptor cgroup;
    Descriptor ready_write;  // of [ready] fd
  };

  // Why there is no start: for want of a resource, or because of something else.
  struct NoStart {
    int error = 0;  // an errno; 0: see `sentence`
    FixedText<bounds::story_line_bytes> sentence;
  };

  // shell.cc: the loop, events and effects.
  void dispatch(const Event& event);
  void perform_all();
  void take_stop_signals();
  void perform(const Effect& effect);
  void do_it(const effect::Spawn& effect);
  void do_it(const effect::SignalProcess& effect);
  void do_it(const effect::SignalLeftovers& effect);
  void do_it(const effect::KillHelper& effect);
  void do_it(const effect::EndLockWait& effect);
  void do_it(const effect::Probe& effect);
  void do_it(const effect::CancelProbe& effect);
  void do_it(const effect::StartCopier& effect);
  void do_it(const effect::StopCopier& effect);
  void do_it(const effect::CloseStreams& effect);
  void do_it(const effect::Sweep& effect);
  void do_it(const effect::Report& effect);
  void do_it(const effect::NodeReport& effect);
  void do_it(const effect::Outward& effect);
  void do_it(const effect::Exit& effect);
  void tell_status();  // SIGUSR1
  void open_notify_sockets();
  Instant notify_deadline() const;
  void turn_end();
  void tick();

  // shell_update.cc: another database.
  void update_by_signal();
  void database_read(DatabaseReader::Read result);
  std::expected<void, std::string> take_over(const std::shared_ptr<const Database>& next);
  std::expected<void, std::string> make_room(Slot slots, const Database* next);
  void refresh(Slot slot);
  void make_places(Slot slot);
  void end_update();
  void begin_reading(std::string_view path);
  void update_failed(std::string_view sentence);
  void no_memory();

  // shell_processes.cc: children.
  void reap();
  void ended(const Child& child, const siginfo_t& info);
  Process* process_of(Slot slot, ChildKind kind);
  void process_ended(Process& process, ChildKind kind, ExitStatus status);
  void no_process(Slot slot, Run run, Role role, int error);
  ProcessRecord* record_for(Slot slot, ProcessRole role, ChildKind kind);
  void forget(const Child& child);
  void spawn_role(Slot slot, Run run, ProcessRole role, bool judge_paths);
  bool in_cgroup(Slot slot) const { return cgroups_.usable() && slot != supervisor_.command_slot(); }
  bool strays_left(Slot slot) const;
  bool anything_left(Slot slot);
  void await_leftovers(Slot slot);
  std::expected<void, NoStart> equip(Slot slot, SpawnRequest& request, Given& given);
  std::expected<void, NoStart> limit(Slot slot, const Descriptor& cgroup, bool first_start);
  std::expected<void, int> begin(Process& process, const SpawnRequest& request, Slot slot, Run run, ChildKind kind);
  void watch_answers(Process& process);
  void read_answers(Process& process);
  void take_answer(Process& process, const SpawnAnswer& answer);
  void spawned(Process& process);
  void look_for_leftovers();
  void look_for_orphans();
  std::int32_t sweep(int signal);
  KnownChildren known_children();
  std::span<const pid_t> children();
  std::span<const pid_t> owned();
  Service& service(Slot slot) { return services_[slot]; }
  std::string_view name(Slot slot) const;
  void watch_ready_fd(Slot slot);
  void read_ready_fd(Slot slot);
  std::expected<void, std::string> open_notify_socket(Slot slot);
  bool speaks_for(Slot slot, pid_t pid, uid_t uid) const;
  void notified(Slot slot, const NotifyMessage& message);

  Setup setup_;
  const RuntimeFacts& facts_;
  std::string first_path_;  // of the database that the runtime was started with: SIGHUP reads it again
  Console& console_;
  EventLoop loop_;
  Supervisor supervisor_;
  Spawner spawner_;
  LogPipes pipes_;
  ProcessTable table_;
  ChildListing child_listing_;
  HeldNumbers numbers_;
  ExpectedEnds expected_ends_;
  ProcessRecords records_;
  std::optional<RunDir> run_dir_;
  MemoryCounter memory_;
  Cgroups cgroups_;
  FdWatcher cgroup_changes_;
  ControlAnswers answers_;
  ControlServer control_;
  // By slot; they do not move when an update adds some, and none is ever given back.
  std::pmr::monotonic_buffer_resource service_memory_{&own_memory()};
  std::pmr::deque<Service> services_{&service_memory_};
  DatabaseReader reader_;
  std::string reading_;  // its path
  UpdateJob update_job_;
  bool update_again_ = false;  // SIGHUP came while a database was being read
  bool updating_ = false;      // what the last update stops is not down yet
  std::array<SignalWatcher, 8> signals_;
  std::vector<NotifySocket*> notify_sockets_;  // those that are open
  std::vector<pid_t> spared_;                  // sessions that the sweep leaves alone
  std::uint32_t full_batches_ = 0;             // reaped one after the other, up to now
  std::uint32_t leftovers_ = 0;                // services whose leftovers the supervisor waits for
  bool sweeping_ = false;
  bool changed_ = false;
  bool strays_left_to_sweep_ = false;
  bool performing_ = false;
  Instant look_again_ = end_of_time;  // during the sweep: what is not our child tells nobody of its end
  bool exited_ = false;
  int exit_code_ = 111;
};

}  // namespace hcrc

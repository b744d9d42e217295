// The supervisor: the graph of services as a state machine without I/O. Pure: time comes in with each event, what is to be
// done goes out as effects, and nothing is allocated after construction.
//
// What is wanted and what is are two things. `wanted` is what the graph or an operator asks for; `state` is what is so. Each
// service tells its neighbours a few facts, and only those:
//
//   to what depends on it         satisfied (up or skipped) · settled · passed (what merely comes after need not wait) ·
//                                 gone (dependents must go down) · dead (failed or ended, or waits for one that is) ·
//                                 parked (stopped by an operator, or along with one that was) · log_open (a logger was
//                                 tried)
//   to what it depends on         active (has, or may have, processes) · leaving (active, and is to go down)
//
// A service counts how many neighbours on each kind of edge hold a fact; what it may do depends on its own state and these
// counts alone. So an event costs what it touches, never the size of the graph. The order of work is fixed:
//   1. facts are published until none changes (they flow along the edges, which have no cycle, so this ends);
//   2. one service acts on its state and counts, which may change its facts: back to 1;
//   3. when no service has anything left to do, the node looks at itself: CMD, readiness outward, the steps of a shutdown.
// Publishing before acting is what makes a stop safe: when a service looks whether its dependents are gone, each of them
// already knows that it has to leave.
//
// A process of a service goes through phases, which say what happens next when a timer or an exit comes:
//
//   before -> spawning -> running -> [stop_waits -> [stop_command ->] terminating -> leftovers -> killing -> after]
//                            '-- its own exit -> killing of what is left -> after
//
// An update puts another graph in force in one step. A service keeps its slot, by name, and so its process. What it goes by
// changes at once, unless that decides how its process runs: then it departs. A departing service goes down by the
// definition and the edges that its process was started with, and takes the new ones when nothing of it is left; where there
// are none, its slot becomes vacant. So an update is no state of the node: each service that departs is one that must go
// down, and everything else follows from facts and counts.
//
// docs/state-machine.md has the table of states.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/bounds.h"
#include "core/database.h"
#include "core/event.h"
#include "core/links.h"
#include "core/random.h"
#include "core/restart.h"
#include "core/text.h"
#include "core/timers.h"
#include "core/update_plan.h"

namespace hcrc {

// What the last attempt ended by.
enum class Cause : std::uint8_t {
  none,
  exited,
  start_failed,
  ready_timeout,
  run_timeout,
  health,
  watchdog,
  lingers,
  no_resource
};

enum class StopReason : std::uint8_t { none, condemned, operator_, requirement, binding, restart, update, shutdown };

enum class Phase : std::uint8_t {
  none,      // no process
  lock,      // waiting: another copy holds the lock
  before,    // cleanup before the start
  spawning,  // the child has not yet answered
  running,
  stop_waits,  // for dependents to go first
  stop_command,
  terminating,  // the stop signal is sent
  draining,     // a logger at shutdown: its streams are closed, it ends by itself
  leftovers,    // its own process is gone, the rest was asked to end
  killing,      // SIGKILL is sent
  after,        // cleanup after the last process
};

// What follows once the processes of a run are gone.
enum class Next : std::uint8_t { none, backoff, failed, ended, held, shutdown };

enum class Copier : std::uint8_t { off, on, ending };

// How many of what a service depends on hold a fact, or do not (see above).
struct CountsBelow {
  std::uint32_t unmet = 0;  // requirements that are not up or skipped
  std::uint32_t gone_requirements = 0;
  std::uint32_t dead_requirements = 0;
  std::uint32_t parked_requirements = 0;
  std::uint32_t stuck_requirements = 0;  // settled without being up
  std::uint32_t unpassed = 0;            // of `wants` and `after`
  std::uint32_t log_closed = 0;          // loggers that were not tried yet
  std::uint32_t bound_unmet = 0;         // of `binds-to`
};

// The same of what depends on it.
struct CountsAbove {
  std::uint32_t leaving_dependents = 0;
  std::uint32_t bound_active = 0;      // dependents bound to it that have processes
  std::uint32_t active_producers = 0;  // of a logger
};

// One service, or CMD. All that the supervisor knows of it; read by status and by the words of core/story.h.
struct Unit : CountsBelow, CountsAbove {
  State state = State::down;
  Phase phase = Phase::none;
  StopReason stop_reason = StopReason::none;
  Cause cause = Cause::none;  // of the last attempt's end
  Next next = Next::none;
  Copier copier = Copier::off;
  Role helper = Role::cleanup;  // what it is, with helper_alive

  bool wanted = false;
  bool stopped_by_operator = false;
  bool started_by_operator = false;
  bool ended = false;              // a clean exit that its policy does not restart
  bool env_skipped = false;        // a condition on the environment does not hold
  bool fresh = true;               // this activation has not been tried yet: order and conditions count
  bool attempt_failed = false;     // the first attempt of this activation failed
  bool log_waited = false;         // has waited for its logger as long as one does
  bool holding = false;            // attempts are used up: one further attempt every `hold`
  bool restart_pending = false;    // an operator asked for a restart
  bool attempted = false;          // of a logger: an attempt to spawn was made
  bool main_alive = false;         // its own process was asked for and is not reaped
  bool helper_alive = false;       // a cleanup or stop command was asked for and is not reaped
  bool left_behind = false;        // a oneshot that is up left processes
  bool leftovers_pending = false;  // others of its session are still there
  bool probe_out = false;
  bool ready_early = false;      // told before its exec is known
  bool ending_itself = false;    // it has said so, and has the time of a stop for it
  bool streams_closed = false;   // of a logger at shutdown
  bool had_producers = false;    // of a logger
  bool due = false;              // a periodic's run has fallen due while it could not run
  bool run_ended_badly = false;  // a periodic's last run failed
  bool told_dead = false;
  bool late = false;  // a logger, or something that a logger needs: stops after the sweep
  bool logger = false;
  bool essential = false;
  bool watched = false;  // `health` looks at it

  // Of updates.
  bool vacant = false;        // there is no service in this slot
  bool departing = false;     // its run belongs to an earlier graph: it goes down by what that says
  bool read_logs = false;     // it departs, and its run reads the pipes of others
  bool removed = false;       // it departs, and there is no such service any more
  bool added = false;         // it is new, and starts when what the update removed is gone
  bool care_changed = false;  // its health checks are to begin anew

  std::uint16_t facts = 0;
  Run run = 0;
  RestartRow row;
  std::uint32_t restarts = 0;  // since the history was last cleared, attempts out of hold included
  Milliseconds resource_delay{0};
  std::uint32_t probe = 0;       // number of the last probe
  std::uint32_t bad_probes = 0;  // in a row

  Instant since{};
  Instant started_at = end_of_time;  // the last spawn
  Instant ready_at = end_of_time;
  Instant ended_at = end_of_time;    // the end of the last run's own process
  Instant next_start = end_of_time;  // in backoff, held and a periodic's schedule
  Instant kill_at = end_of_time;
  Instant stop_began = end_of_time;
  Instant probe_began = end_of_time;
  std::int32_t pid = 0;  // of its own process as the shell knows it; 0: none
  ExitStatus exit;
  FixedText<bounds::report_text_bytes> detail;  // reason of the last failure, skip or lock

  // It is being stopped within a time, which may be moved.
  bool has_stop_time() const {
    return phase == Phase::stop_command || phase == Phase::terminating || phase == Phase::leftovers;
  }
  // Nothing that has to end before it is left.
  bool may_end() const { return leaving_dependents == 0; }
  // It has something that SIGKILL may end.
  bool has_process() const { return main_alive || helper_alive || leftovers_pending || left_behind; }
  bool active() const { return state == State::starting || state == State::up || state == State::stopping; }
};

enum class NodeState : std::uint8_t { starting, up, stopping };

class Supervisor {
 public:
  struct Options {
    Milliseconds stop_deadline{9'000};
    Milliseconds command_wait{10'000};
    bool command = false;                          // CMD was given
    bool no_target = false;                        // the target is `none`
    std::optional<Slot> target;                    // a service or bundle; without one everything with autostart
    std::optional<Exhausted> essential_exhausted;  // HCRC_ON_EXHAUSTED
    bool notify_usable = true;                     // see without_notify()
    std::uint64_t seed = 0;
    // Of what is written to all the time, so that its owner may keep it apart. To outlive the supervisor.
    std::pmr::memory_resource* memory = std::pmr::get_default_resource();
    // Of services whose conditions on the environment do not hold, by slot; empty: all hold.
    std::vector<bool> env_skipped;
  };

  // Starts nothing: boot() does. Without a shared owner `database` must outlive the supervisor.
  Supervisor(std::shared_ptr<const Database> database, const Options& options);
  Supervisor(const Database& database, const Options& options)
      : Supervisor(std::shared_ptr<const Database>(std::shared_ptr<void>(), &database), options) {}

  // There are no notify sockets: `notify = true` counts as ready when spawned, and no watchdog waits. Before boot().
  void without_notify() { options_.notify_usable = false; }
  bool notify_usable() const { return options_.notify_usable; }

  // Who is told of every change of state as it happens, CMD's too; it must change nothing. For timelines.
  using Observer = void (*)(void* context, Slot slot, State from, State to, Instant now);
  void observe(Observer observer, void* context) {
    observer_ = observer;
    observer_context_ = context;
  }

  void boot(Instant now);
  void handle(const Event& event, Instant now);
  // The next thing to do. Call until there is none before the shell sleeps; events may come in between.
  std::optional<Effect> next(Instant now);
  // When event::Tick is to come.
  Instant deadline() const { return timers_.earliest(); }

  // Puts another graph in force, in one step. What an operator started or stopped stays so; the rest is wanted as at boot.
  // Refused with a sentence, and nothing is changed, while the node is stopping, where the target is none of the new
  // graph's, and for want of memory.
  struct Update {
    std::shared_ptr<const Database> database;
    std::vector<bool> env_skipped;              // by place in it; empty: all conditions hold
    std::optional<Milliseconds> stop_deadline;  // none: stays
  };
  [[nodiscard]] std::expected<void, std::string_view> update(const Update& update, Instant now);
  // What update() would do now.
  UpdatePlan plan(const Database& next) const;
  // Services that are going down because an update removed or restarts them.
  std::uint32_t departing() const { return departing_; }
  // What became of the services at the last update, bundles aside.
  struct UpdateCounts {
    std::array<std::uint32_t, fates> count{};
    std::uint32_t& operator[](Fate fate) { return count[static_cast<std::size_t>(fate)]; }
    std::uint32_t operator[](Fate fate) const { return count[static_cast<std::size_t>(fate)]; }
  };
  const UpdateCounts& last_update() const { return last_update_; }

  // The graph in force.
  const Database& database() const { return *database_; }
  // Slots 0 to slots() - 1, of which one is CMD's and some may be vacant. Before the first update a service's slot is its
  // place in the database, and CMD's is behind them.
  Slot size() const { return static_cast<Slot>(slot_at_.size()); }  // services of the graph in force, bundles too
  Slot slots() const { return static_cast<Slot>(units_.size()); }
  Slot command_slot() const { return command_slot_; }
  bool is_service(Slot slot) const { return slot < slots() && slot != command_slot_ && !units_[slot].vacant; }
  // The slot of a service of the graph in force.
  std::optional<Slot> find(std::string_view name) const;
  Slot slot_at(std::uint32_t place) const { return slot_at_[place]; }
  // Services that are going down and whose graph is no more in force have a name and a rule, too.
  std::string_view name(Slot slot) const;
  const Definition& definition(Slot slot) const { return definitions_[slot]; }
  const Unit& unit(Slot slot) const { return units_[slot]; }
  const format::ServiceRecord& rule(Slot slot) const { return *rules_[slot]; }
  const Links& links() const { return links_; }
  std::span<const Links::Link> dependencies(Slot slot) const {
    return units_[slot].departing ? links_.old_dependencies(slot) : links_.dependencies(slot);
  }
  // Calls `each(slot, kinds)` with what depends on a service.
  template <typename Each>
  void each_dependent(Slot slot, Each each) const {
    for (const Links::Link& link : links_.dependents(slot)) {
      if (link.old == units_[link.service].departing) each(link.service, link.kinds);
    }
  }
  // Calls `each(slot)` with the service, or with the contents of a bundle.
  template <typename Each>
  void each_of(Slot slot, Each each) const {
    if (!is_service(slot) || units_[slot].removed) return;
    if (static_cast<ServiceType>(rule(slot).type) != ServiceType::bundle) return each(slot);
    for (const std::uint32_t content : database_->contents(definitions_[slot].index)) each(slot_at_[content]);
  }

  NodeState node_state() const;
  Instant booted_at() const { return booted_at_; }
  std::uint32_t unsettled() const { return unsettled_; }
  std::uint32_t unhealthy() const { return unhealthy_; }  // what `health` looks at and is not well
  // Services looked at so far: what an event costs is how many it adds.
  std::uint64_t steps() const { return steps_; }
  bool settled(Slot slot) const;
  bool healthy(Slot slot) const;
  // Counted restarts of the row as of now: a service that was ready for `reset-after` has none.
  std::uint32_t restarts(Slot slot, Instant now) const;
  // Whether a start that fails like the last one is for good, and how long it ran: for the words of a report.
  Exhausted exhausted(Slot slot) const;

  struct ShutdownCause {
    std::optional<Slot> slot;  // the essential service, or the one whose attempts were used up
    std::int32_t signal = 0;
    bool requirement = false;  // stopped because a requirement failed
  };
  bool shutting_down() const { return step_ != Step::running; }
  bool stops_now(Slot slot) const;  // the shutdown has come to this service
  const ShutdownCause& shutdown_cause() const { return shutdown_cause_; }
  std::uint8_t exit_code() const { return exit_code_; }
  Instant shutdown_deadline() const { return deadline_; }

 private:
  enum Fact : std::uint16_t {
    satisfied = 1,
    settled_fact = 2,
    passed = 4,
    gone = 8,
    dead = 16,
    parked = 32,
    log_open = 64,
    active_fact = 128,
    leaving = 256,
    well = 512,  // for `health`
    lock_waiting = 1024,
  };
  // `state` is the one deadline of the state or phase; `pace` the next probe or its timeout, or a periodic's schedule.
  enum class TimerKind : std::uint8_t { state, pace, run, watchdog, copier };
  enum class NodeTimer : std::uint8_t { nag, command_wait, kill, sweep, deadline };
  static constexpr std::uint32_t timer_kinds = 5;
  // The steps of a shutdown.
  enum class Step : std::uint8_t { running, command, services, sweep, loggers, done };

  // Effects wait here. No service acts before those of the last one are taken, so that a report is worded while what it
  // tells of is still so, and answers that come while effects are performed (no process could be made) find room for theirs.
  static constexpr std::size_t effect_room = 64;

  // supervisor.cc: construction, facts, the order of work.
  void count_facts();
  void count_below(Slot slot);
  void find_roles();
  void find_loggers();
  void find_watched();
  void find_tails();
  void touch(Slot slot);
  std::uint16_t facts_of(Slot slot) const;
  void publish(Slot slot);
  void tell_dependents(Slot slot, std::uint16_t changed, std::uint16_t facts);
  void tell_dependencies(Slot slot, std::uint16_t changed, std::uint16_t facts);
  void count_node(Slot slot, std::uint16_t changed, std::uint16_t facts);
  void work(Instant now);
  void push(Effect effect);
  void report(ReportKind kind, Slot slot = 0, Duration took = {}, Milliseconds next = {}, std::int32_t number = 0);
  void report(NodeReportKind kind, Duration took = {}, std::int32_t number = 0);
  void enter(Slot slot, State state, Instant now);
  void arm(Slot slot, TimerKind kind, Instant at) { timers_.arm(slot * timer_kinds + static_cast<std::uint32_t>(kind), at); }
  void disarm(Slot slot, TimerKind kind) { timers_.disarm(slot * timer_kinds + static_cast<std::uint32_t>(kind)); }
  void arm(NodeTimer kind, Instant at) { timers_.arm(node_key(kind), at); }
  void disarm(NodeTimer kind) { timers_.disarm(node_key(kind)); }
  std::uint32_t node_key(NodeTimer kind) const { return slots() * timer_kinds + static_cast<std::uint32_t>(kind); }
  bool must_stop(const Unit& unit) const { return (unit.facts & gone) != 0; }
  bool current(Slot slot, Run run) const { return slot < slots() && units_[slot].run == run; }

  // supervisor_start.cc: asking, starting, being ready, probes, runs of a periodic.
  void ask(Slot root, Instant now);
  void ask_boot(Instant now);
  void queue_roots();
  void want_as_at_boot();
  template <typename Visit>
  void each_asked(Visit visit);
  void ask_one(Slot slot, bool clear, bool named, Instant now);
  void rest(Slot slot, Instant now);
  void act(Slot slot, Instant now);
  void try_start(Slot slot, Instant now);
  void start(Slot slot, Instant now);
  void spawn_main(Slot slot, Instant now);
  void become_up(Slot slot, Instant now);
  void begin_probe(Slot slot, Instant now);
  void begin_watching(Slot slot, Instant now);
  void end_watching(Slot slot);
  void attempt_made(Slot slot) {  // of a logger: its producers wait for no other
    units_[slot].attempted = true;
    touch(slot);
  }
  void run_periodic(Slot slot, Instant now);
  void end_periodic_run(Slot slot, Instant now);
  void on(const event::Spawned& event, Instant now);
  void on(const event::Skipped& event, Instant now);
  void on(const event::LockBusy& event, Instant now);
  void on(const event::LockFree& event, Instant now);
  void on(const event::Ready& event, Instant now);
  void on(const event::Watchdog& event, Instant now);
  void on(const event::ExtendTimeout& event, Instant now);
  void on(const event::Stopping& event, Instant now);
  void on(const event::ProbeDone& event, Instant now);

  // supervisor_end.cc: ends of processes, what follows, stopping.
  void attempt_over(Slot slot, Cause cause, bool permanent, Instant now);
  void decide(Slot slot, Cause cause, bool permanent, Instant now);
  void process_gone(Slot slot, Instant now);
  void finish(Slot slot, Instant now);
  void enter_next(Slot slot, Instant now);
  void condemn(Slot slot, Cause cause, Instant now);
  void begin_stop(Slot slot, Instant now);
  void stop_now(Slot slot, Instant now);
  void signal_now(Slot slot, Instant now);
  void kill_all(Slot slot);
  void spawn_helper(Slot slot, Role role);
  void kill_helper(Slot slot);
  void end_leftovers(Slot slot, Instant now);
  void check_gone(Slot slot, Instant now);
  void stop_helper_failed(Slot slot, Role role, Instant now);
  bool being_stopped(const Unit& unit) const;
  Instant stop_bound(Slot slot) const;
  Milliseconds stop_timeout(Slot slot, Instant now) const;
  StopReason reason_to_stop(Slot slot) const;
  void start_copier(Slot slot);
  void tend_logger(Slot slot, Instant now);
  void node_ends_with(Slot slot, bool whatever, Instant now);
  void on(const event::StartFailed& event, Instant now);
  void on(const event::NoResource& event, Instant now);
  void on(const event::Exited& event, Instant now);
  void on(const event::LeftoversGone& event, Instant now);
  void on(const event::CopierEnded& event, Instant now);
  void own_exit(Slot slot, bool leftovers, Instant now);
  void helper_exit(Slot slot, Role role, bool failed, Instant now);
  void timer(Slot slot, TimerKind kind, Instant now);
  void state_timer(Slot slot, Instant now);

  // supervisor_node.cc: operator's commands, CMD, readiness outward, shutdown.
  void look_at_node(Instant now);
  void begin_shutdown(std::uint8_t code, ShutdownCause cause, Instant now);
  void next_step(Instant now);
  void cut_stops(Instant now);
  void move_stop(Slot slot, Instant end, Instant now);
  void begin_sweep(Instant now);
  void close_logs(Instant now);
  void touch_all();
  void node_timer(NodeTimer kind, Instant now);
  void on(const event::Start& event, Instant now);
  void on(const event::Stop& event, Instant now);
  void on(const event::Restart& event, Instant now);
  void on(const event::Signal& event, Instant now);
  void on(const event::Shutdown& event, Instant now);
  void on(const event::OrphansGone& event, Instant now);
  void on(const event::Tick& event, Instant now);

  // supervisor_update.cc: another graph.
  struct Rooms;
  std::vector<Slot> slots_for(const Database& next, const UpdatePlan& plan) const;
  bool may_change_now(Slot slot) const;
  void furnish(const Update& update, const UpdatePlan& plan, Rooms& rooms) const;
  Links links_between(const Database& next, const std::vector<Slot>& slot_at, const std::vector<bool>& departs) const;
  void take_over(const Update& update, const UpdatePlan& plan, Rooms& rooms, Instant now);
  void change_definition(Slot slot, const UpdatePlan::Service& planned, Instant now);
  void remove(Slot slot, Instant now);
  void send_off(Slot slot);
  void depart(Slot slot, Instant now);
  void start_over(Slot slot, Instant now);
  void vacate(Slot slot, Instant now);
  void look_after_anew(Slot slot, const UpdatePlan::Service& planned, Instant now);
  void end_update(Instant now);

  std::shared_ptr<const Database> database_;  // in force
  Options options_;
  Observer observer_ = nullptr;
  void* observer_context_ = nullptr;
  format::ServiceRecord command_rule_{};
  format::ServiceRecord vacant_rule_{};
  Slot command_slot_;
  std::vector<Definition> definitions_;              // by slot: what each goes by
  std::vector<const format::ServiceRecord*> rules_;  // the same, and CMD's
  std::vector<std::uint32_t> place_;                 // by slot: in the database in force; format::none
  std::vector<Slot> slot_at_;                        // by place in it
  Links links_;
  std::pmr::vector<Unit> units_;
  Timers timers_;
  Random random_;

  // Services whose facts, or whose turn to act, are to be looked at: two rings of slots, each slot in each at most once.
  class Queue {
   public:
    Queue(std::size_t slots, std::pmr::memory_resource* memory) : ring_(slots, memory), queued_(slots, false, memory) {}
    void add(Slot slot) {
      if (queued_[slot]) return;
      queued_[slot] = true;
      ring_[(first_ + count_++) % ring_.size()] = slot;
    }
    bool empty() const { return count_ == 0; }
    Slot take() {
      const Slot slot = ring_[first_];
      first_ = (first_ + 1) % ring_.size();
      --count_;
      queued_[slot] = false;
      return slot;
    }

   private:
    std::pmr::vector<Slot> ring_;
    std::pmr::vector<bool> queued_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
  };
  Queue publishing_;
  Queue acting_;

  std::array<Effect, effect_room> effects_;
  std::size_t first_effect_ = 0;
  std::size_t effect_count_ = 0;

  // What one ask() has visited, and has still to visit.
  std::vector<std::uint32_t> asked_;
  std::uint32_t asked_epoch_ = 0;
  std::vector<std::pair<Slot, bool>> to_ask_;

  std::vector<std::int64_t> stop_tail_ms_;  // the time that stops after this one may need, on its longest path
  std::vector<std::uint32_t> stop_levels_;  // how many stops come after this one, on its longest path

  std::uint64_t steps_ = 0;
  Instant booted_at_ = end_of_time;
  std::uint32_t unsettled_ = 0;
  std::uint32_t unhealthy_ = 0;
  std::uint32_t lock_waits_ = 0;
  std::uint32_t active_ = 0;  // services with processes that are not late
  std::uint32_t active_late_ = 0;
  std::uint32_t copiers_ = 0;
  std::uint32_t departing_ = 0;
  std::uint32_t removed_ = 0;  // of those that depart
  std::uint32_t read_logs_ = 0;
  bool updating_ = false;  // something departs, or did a moment ago
  Instant updated_at_ = end_of_time;
  UpdateCounts last_update_;
  bool was_settled_ = false;
  bool was_healthy_ = false;
  bool command_asked_ = false;
  bool command_waited_ = false;
  Duration nag_interval_{};

  Step step_ = Step::running;
  ShutdownCause shutdown_cause_;
  std::uint8_t exit_code_ = 0;
  Instant deadline_ = end_of_time;
  Duration reserve_{};
  bool orphans_killed_ = false;
  bool kill_everything_ = false;  // the reserve has begun
};

}  // namespace hcrc

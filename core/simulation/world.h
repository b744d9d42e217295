// A world for the supervisor under virtual time: processes that do as they are told, a clock that jumps to the next thing
// that happens, and a checker that watches. Pure and deterministic: the same graph, behaviours and seed give the same trace.
//
// The checker sees only events and effects, never the supervisor's state, and notes every broken promise:
//   - never two processes of one service; a spawn only while what it requires is up or skipped, and never in a shutdown;
//   - a signal only to a process that is there; a stop signal only when nothing that depends on the service has a process;
//   - SIGKILL not before the stop signal has had its time; delays before restarts as the contract's recurrence has them;
//   - the end of a shutdown within its deadline, and nothing left;
// and after every event the oracle (core/simulation/oracle.h) agrees with the supervisor.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/database.h"
#include "core/event.h"
#include "core/random.h"
#include "core/simulation/checker.h"
#include "core/supervisor.h"

namespace hcrc::simulation {

// How the processes of one service behave, from their next spawn on.
struct Behaviour {
  enum class Start : std::uint8_t { spawned, fails, fails_for_good, skipped, lock_busy, no_resource };
  Start start = Start::spawned;
  std::uint32_t bad_starts = UINT32_MAX;  // so many times `start`, then well; lock_busy: one that is free after `lock_for`
  Duration lock_for = std::chrono::seconds(1);
  Duration answers_after = std::chrono::milliseconds(1);
  std::optional<Duration> ready_after = std::chrono::milliseconds(5);  // from the spawn; none: never says so
  std::optional<Duration> ends_after;                                  // by itself, from the spawn; a oneshot always ends
  ExitStatus end{.kind = ExitStatus::Kind::code, .value = 0, .out_of_memory = false, .memory_limit = 0};
  std::optional<Duration> stops_after = std::chrono::milliseconds(2);  // after its stop signal; none: it ignores it
  std::optional<Duration> leaves_behind;  // leftovers that live so long by themselves, and end at SIGTERM too
  bool stop_command_works = true;         // its stop command ends it, as its stop signal would
  // What becomes of its cleanup and stop commands.
  enum class Command : std::uint8_t { works, fails, hangs, start_fails, no_resource, lock_busy };
  Command commands = Command::works;
  std::optional<Duration> extends;        // asks for so much more time to get ready, once
  std::optional<Duration> extends_stop;   // the same, to end, when it gets its stop signal
  std::optional<Duration> says_stopping;  // from the spawn; whether it ends is said above
  std::optional<Duration> echo_after;     // everything about its processes is told a second time, so much later
  bool probes_good = true;
  bool watchdog = true;  // says WATCHDOG=1 twice as often as it must
  std::optional<Duration> probe_answers_after = std::chrono::milliseconds(1);
};

// Who watches a world, as it happens: each line of its story, each change of state (CMD's too), and each process that begins
// to hang.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void told(Duration at, std::string_view line) = 0;
  virtual void changed(Duration at, Slot slot, State from, State to) = 0;
  virtual void hung(Duration, Slot) {}
  // Around every call into the core.
  virtual void core_begins() {}
  virtual void core_ends() {}
};

class World {
 public:
  World(const Database& database, const Supervisor::Options& options);
  World(const World&) = delete;  // the supervisor tells it of changes
  World& operator=(const World&) = delete;

  Behaviour& behaviour(std::string_view service) { return behaviours_[slot(service)]; }
  Behaviour& behaviour(Slot slot) { return behaviours_[slot]; }
  Slot slot(std::string_view service) const;

  // Before boot(); must outlive the world's last step.
  void watch(Watcher& watcher);
  // Leaves the oracle out, whose time grows with the graph; the checker stays.
  void without_oracle() { oracle_ = false; }

  // See Supervisor::without_notify(). Before boot().
  void without_notify() { supervisor_.without_notify(); }

  void boot();
  // Something from outside, at a time.
  void at(Duration time, const Event& event);
  // Ends the service's own process at a time, as if it crashed; no matter where none lives then.
  void crash(Duration time, Slot slot, ExitStatus status);
  // The process that the service has at a time hangs from then on: it says nothing, answers no probe, does not end by itself
  // and does not hear its stop signal. The next one is well.
  void hang(Duration time, Slot slot);
  // Processes spawned from then on, and probes, behave so.
  void change(Duration time, Slot slot, const Behaviour& behaviour);
  // Another graph, as an operator's update puts it in force.
  void update(Duration time, std::shared_ptr<const Database> database);
  Behaviour& newcomers() { return newcomers_; }  // how services behave that an update adds
  // How long what no service owns takes to end when it is asked to; none: it needs SIGKILL.
  void orphans_end_after(std::optional<Duration> time) { orphans_end_after_ = time; }
  // The copier of a logger, where there is one at the time, is killed.
  void kill_copier(Duration time, Slot slot);
  // What falls into the same moment comes in an order drawn from this seed, instead of that in which it was arranged.
  void shuffle(std::uint64_t seed) { shuffled_.emplace(seed); }
  void run_until(Duration time);
  // Until nothing is left to happen but what is further away than `horizon`.
  void run_to_rest(Duration horizon = std::chrono::hours(1));

  Duration now() const { return now_.time_since_epoch(); }
  const Supervisor& supervisor() const { return supervisor_; }
  State state(std::string_view service) const { return supervisor_.unit(slot(service)).state; }
  std::optional<std::uint8_t> exited() const { return exit_code_; }
  Instant exited_at() const { return exited_at_; }  // end_of_time: not yet
  std::uint64_t steps() const { return steps_; }
  // Things that went wrong or came from outside: failed starts, ends, hangs, ignored signals, silence, commands, updates ...
  std::uint64_t faults() const { return faults_; }

  // The story so far: "   1.250 holochain: ready after 5ms".
  const std::vector<std::string>& trace() const { return trace_; }
  bool told(std::string_view part) const;
  const std::vector<std::string>& broken() const { return broken_; }
  // Nothing more will happen: what still waits must have said for what.
  void finished();
  bool has_process(Slot slot) const { return processes_[slot].alive; }
  bool hangs(Slot slot) const { return processes_[slot].alive && processes_[slot].hung; }
  // When the service's last process was asked to end: by signal, stop command or the end of its streams; end_of_time: not
  // yet.
  Instant asked_to_end(Slot slot) const { return processes_[slot].asked_to_end; }
  Instant shutdown_began() const { return shutdown_at_; }  // end_of_time: not yet
  // The times at which processes of a service were spawned, and its own ones ended.
  const std::vector<Instant>& spawns(std::string_view service) const { return processes_[slot(service)].spawns; }
  const std::vector<Instant>& ends(std::string_view service) const { return ends(slot(service)); }
  const std::vector<Instant>& ends(Slot slot) const { return processes_[slot].ends; }

 private:
  struct Process {
    bool alive = false;      // asked for and not ended
    bool spawned = false;    // it is no child that will fail before its exec
    bool preparing = false;  // it is one, and has not said so yet
    bool leftovers = false;
    bool helper = false;
    bool helper_hangs = false;
    bool stop_signalled = false;
    bool hung = false;
    bool updated = false;  // since it was spawned: what its stop and its next start wait for may have changed
    Run run = 0;
    std::uint64_t life = 0;  // events of an earlier life are stale
    Instant stop_at{};
    Instant asked_to_end = end_of_time;
    std::vector<Instant> spawns;
    std::vector<Instant> ends;
  };
  // `finishes`: ends as its behaviour has it, unless it hangs; `ends`: whatever it does.
  enum class What : std::uint8_t {
    event,
    echo,
    finishes,
    ends,
    leftovers_end,
    crash,
    hangs,
    changes,
    watchdog,
    updates,
    copier_ends,
    orphans_end
  };
  struct Happening {
    Instant at;
    std::uint64_t order;
    What what;
    Slot slot;
    std::uint64_t life;
    ExitStatus status;
    Event event;
    std::size_t change;  // of `changes` and `updates`: in changes_ and updates_
    bool operator<(const Happening& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  void schedule(Duration after, What what, Slot slot, ExitStatus status = {}, const Event& event = event::Tick{});
  void happen(const Happening& happening);
  void answered(const Event& event);
  bool moment_ends();
  bool hears(const Event& event) const;
  void give(const Event& event);
  void give_twice(const Event& event);
  void echo(const Event& event);
  void end_helper(const effect::Spawn& effect);
  void take_over(const std::shared_ptr<const Database>& database);
  void tell_story(std::string_view line);
  std::optional<Effect> next_effect();
  void drain();
  void check_work();
  void perform(const effect::Spawn& effect);
  void perform(const effect::SignalProcess& effect);
  void perform(const effect::SignalLeftovers& effect);
  void perform(const effect::KillHelper& effect);
  void perform(const effect::EndLockWait& effect);
  void perform(const effect::Probe& effect);
  void perform(const effect::CancelProbe& effect);
  void perform(const effect::StartCopier& effect);
  void perform(const effect::StopCopier& effect);
  void perform(const effect::CloseStreams& effect);
  void perform(const effect::Sweep& effect);
  void perform(const effect::Report& effect);
  void perform(const effect::NodeReport& effect);
  void perform(const effect::Outward& effect);
  void perform(const effect::Exit& effect);
  void end_main(Slot slot, ExitStatus status);
  void check_stop_signal(Slot slot);
  void check_readers(Slot slot);
  void note(std::string_view what, Slot slot);
  void broke(std::string_view what);
  void broke(std::string_view what, Slot slot);
  void note_problems();
  std::string_view name(Slot slot) const;

  Supervisor supervisor_;
  Checker checker_;
  std::vector<Behaviour> behaviours_;
  std::vector<Process> processes_;
  std::vector<bool> copiers_;
  std::vector<Behaviour> changes_;
  Behaviour newcomers_;
  std::vector<std::shared_ptr<const Database>> updates_;
  Watcher* watcher_ = nullptr;
  bool oracle_ = true;
  std::int32_t last_pid_ = 1;
  std::vector<Happening> heap_;
  std::uint64_t order_ = 0;
  int draining_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t faults_ = 0;
  // What a service looked like after the last event, and what the core has done since.
  struct Seen {
    std::uint16_t facts = 0;
    State state = State::down;
    Phase phase = Phase::none;
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> seen_;
  std::uint64_t steps_seen_ = 0;
  std::uint64_t effects_since_look_ = 0;
  bool of_node_ = false;
  Instant moment_ = end_of_time;
  std::uint64_t moment_steps_ = 0;
  std::optional<Random> shuffled_;
  std::optional<Duration> orphans_end_after_ = std::chrono::milliseconds(1);
  Instant now_{};
  Instant shutdown_at_ = end_of_time;
  std::optional<std::uint8_t> exit_code_;
  Instant exited_at_ = end_of_time;
  std::vector<std::string> trace_;
  std::vector<std::string> broken_;
  Milliseconds stop_deadline_;
};

}  // namespace hcrc::simulation

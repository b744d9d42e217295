// The checker: what the contract promises about processes, signals, delays and counts, judged by a book of its own. It sees
// events, effects and changes of state; of the supervisor it asks only what the graph says: names, rules and links.
//
// What each promise of the simulation is watched by (the numbers are those of docs/state-machine.md, "Promises"):
//
//    1 a process exactly in `starting`, `up`, `stopping`         settled()
//    2 never two processes of one service                        Spawn
//    3 a spawn only with its requirements, wanted, no shutdown   Spawn
//    4 dependents are gone before the stop signal                World::check_stop_signal
//    5 signals go to processes that are there                    SignalProcess, KillHelper
//    6 SIGKILL after the time that a stop has, one stop signal, SIGCONT behind it
//    7 the delay before each restart, to the millisecond         Report(restarts, held, no_resource), leaving backoff and
//    held 8 never more restarts than attempts; 9 the count starts anew by reset-after or an operator alone
//   10 stops, lack of resources and shutdown count nothing       Report(restarts, held)
//   11 what is ended for ready, timeout, health, watchdog had its time   Report(condemned)
//      and so had what said that it was stopping; it is not looked after any more   Report(condemned), Probe, finished()
//   12 each exit is told once                                    Report
//   13 a oneshot that is up has succeeded                        changed()
//   14 what cannot start says so                                 finished()
//   18 a shutdown ends within its deadline, and when nothing is left   settled(), Exit
//
// 15 holds by construction (no clock), 16 is tested with two runs and two compilers, 17 and 20 by the histories' calm ends
// and the small worlds, 19 by World and the benchmark, 21 by the database's tests.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/supervisor.h"

namespace hcrc::simulation {

class Checker {
 public:
  Checker(const Supervisor& supervisor, const Supervisor::Options& options);

  void event(const Event& event, Instant now);     // about to be handled
  void effect(const Effect& effect, Instant now);  // taken
  void changed(Slot slot, State from, State to, Instant now);
  void updated();   // another graph is in force
  void settled();   // all effects of an event are taken
  void finished();  // nothing will happen any more
  // What was found since the last call.
  std::vector<std::string> take_problems();

 private:
  enum class Life : std::uint8_t { none, asked, alive };
  // One service, as an outsider sees it.
  struct Book {
    State state = State::down;
    Life life = Life::none;
    Role helper_role = Role::cleanup;
    bool helper = false;
    bool leftovers = false;
    bool lock_wait = false;
    bool probe_out = false;
    bool condemned = false;  // the run is being ended for what it did or did not
    bool permanent = false;  // its start failed for good
    bool start_failed = false;
    bool told_end = false;       // the end of the run
    bool asked_to_stop = false;  // when it ended
    bool forgiven = false;       // an operator or an update may make it start at once
    bool stopped = false;        // by an operator
    bool told_dead = false;
    bool cont_due = false;  // SIGCONT is to follow
    bool operator_signal = false;
    bool holding = false;
    bool resource_unsure = false;                   // the same of lacking resources
    bool unsure = false;                            // an operator or an update may have cleared the row, or not
    const format::ServiceRecord* record = nullptr;  // what it went by at its last start
    Run run = 0;
    ExitStatus exit;
    std::uint32_t bad_probes = 0;
    std::uint32_t counted = 0;
    Milliseconds delay{0};
    Milliseconds resource_delay{0};
    Instant spawned_at = end_of_time;
    Instant up_at = end_of_time;
    Instant ended_at = end_of_time;
    Instant due = end_of_time;  // the next start is not before
    Instant stop_began = end_of_time;
    Instant stop_signal_at = end_of_time;
    Instant watchdog_at = end_of_time;
    Instant ends_itself_by = end_of_time;   // it has said that it is stopping
    Instant no_helper_since = end_of_time;  // for want of a resource
    std::array<std::int64_t, 7> rules{};    // those that the row was counted by
  };

  template <typename Happened>
  bool ours(const Happened& event) const {
    return event.slot < books_.size() && books_[event.slot].run == event.run;
  }
  void happened(const event::Spawned& event, Instant now);
  void happened(const event::Skipped& event, Instant now);
  void happened(const event::LockBusy& event, Instant now);
  void happened(const event::StartFailed& event, Instant now);
  void happened(const event::NoResource& event, Instant now);
  void happened(const event::LockFree& event, Instant now);
  void happened(const event::Exited& event, Instant now);
  void happened(const event::LeftoversGone& event, Instant now);
  void happened(const event::Ready&, Instant) {}
  void happened(const event::Watchdog& event, Instant now);
  void happened(const event::ExtendTimeout&, Instant) {}
  void happened(const event::Stopping& event, Instant now);
  void happened(const event::ProbeDone& event, Instant now);
  void happened(const event::CopierEnded& event, Instant now);
  void happened(const event::Start& event, Instant now);
  void happened(const event::Stop& event, Instant now);
  void happened(const event::Restart& event, Instant now);
  void happened(const event::Signal& event, Instant now);
  void happened(const event::Shutdown&, Instant) {}
  void happened(const event::OrphansGone&, Instant) { sweeping_ = false; }
  void happened(const event::Tick&, Instant) {}
  void forgive(Slot root);
  void pardon(Slot slot);

  void took(const effect::Spawn& effect, Instant now);
  void took(const effect::SignalProcess& effect, Instant now);
  void took(const effect::SignalLeftovers&, Instant) {}
  void took(const effect::KillHelper& effect, Instant now);
  void took(const effect::EndLockWait& effect, Instant now);
  void took(const effect::Probe& effect, Instant now);
  void took(const effect::CancelProbe& effect, Instant now);
  void took(const effect::StartCopier& effect, Instant now);
  void took(const effect::StopCopier&, Instant) {}
  void took(const effect::CloseStreams&, Instant) {}
  void took(const effect::Sweep&, Instant) { sweeping_ = true; }
  void took(const effect::Report& effect, Instant now);
  void took(const effect::NodeReport& effect, Instant now);
  void took(const effect::Outward& effect, Instant now);
  void took(const effect::Exit& effect, Instant now);

  void check_kill(Slot slot, Instant now);
  void check_condemned(Slot slot, Instant now);
  void check_end(const effect::Report& report, Instant now);
  void check_restart(Slot slot, Milliseconds next);
  bool success(Slot slot) const;
  bool permanent(Slot slot) const;
  bool attempts_used(Slot slot) const;
  Exhausted exhausted(Slot slot) const;
  void read_rules(Slot slot);
  void broke(Slot slot, std::string_view what);

  const Supervisor& supervisor_;
  Supervisor::Options options_;
  std::vector<Book> books_;
  std::vector<bool> copiers_;
  std::vector<std::string> problems_;
  bool commanded_ = false;  // the event being handled is an operator's
  bool sweeping_ = false;
  bool exited_ = false;
  bool told_ready_ = false;
  Instant shutdown_at_ = end_of_time;
  Milliseconds stop_deadline_{};
};

}  // namespace hcrc::simulation

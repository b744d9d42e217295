#include "core/simulation/world.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "core/conditions.h"
#include "core/database_hashes.h"
#include "core/simulation/oracle.h"
#include "core/story.h"

namespace hcrc::simulation {

namespace {

ServiceType type_of(const format::ServiceRecord& rule) { return static_cast<ServiceType>(rule.type); }

constexpr ExitStatus clean_exit{.kind = ExitStatus::Kind::code, .value = 0, .out_of_memory = false, .memory_limit = 0};

bool same_conditions(const Definition& before, const Database& database, std::uint32_t place) {
  return care_hashes(*before.database, before.index).conditions == care_hashes(database, place).conditions;
}

Duration watchdog_pace(const format::ServiceRecord& rule) {
  return std::max<Duration>(Milliseconds(1), Duration(Milliseconds(rule.watchdog_ms)) / 2);
}

ExitStatus killed_by(int signal) {
  return {.kind = ExitStatus::Kind::signal,
          .value = static_cast<std::uint8_t>(signal),
          .out_of_memory = false,
          .memory_limit = 0};
}

}  // namespace

World::World(const Database& database, const Supervisor::Options& options)
    : supervisor_(database, options),
      checker_(supervisor_, options),
      behaviours_(database.size() + 1),
      processes_(database.size() + 1),
      copiers_(database.size() + 1, false),
      stop_deadline_(options.stop_deadline) {
  const auto changed = [](void* world, Slot slot, State from, State to, Instant now) {
    static_cast<World*>(world)->checker_.changed(slot, from, to, now);
    if (Watcher* watcher = static_cast<World*>(world)->watcher_; watcher != nullptr)
      watcher->changed(now.time_since_epoch(), slot, from, to);
  };
  supervisor_.observe(changed, this);
}

Slot World::slot(std::string_view service) const { return supervisor_.find(service).value_or(supervisor_.command_slot()); }

std::string_view World::name(Slot slot) const { return supervisor_.name(slot); }

void World::watch(Watcher& watcher) { watcher_ = &watcher; }

void World::boot() {
  if (watcher_ != nullptr) watcher_->core_begins();
  supervisor_.boot(now_);
  if (watcher_ != nullptr) watcher_->core_ends();
  drain();
}

void World::at(Duration time, const Event& event) { schedule(time - now(), What::event, 0, {}, event); }

void World::crash(Duration time, Slot slot, ExitStatus status) { schedule(time - now(), What::crash, slot, status); }

void World::hang(Duration time, Slot slot) { schedule(time - now(), What::hangs, slot); }

void World::change(Duration time, Slot slot, const Behaviour& behaviour) {
  changes_.push_back(behaviour);
  schedule(time - now(), What::changes, slot);
}

void World::update(Duration time, std::shared_ptr<const Database> database) {
  updates_.push_back(std::move(database));
  schedule(time - now(), What::updates, supervisor_.command_slot());
}

void World::schedule(Duration after, What what, Slot slot, ExitStatus status, const Event& event) {
  heap_.push_back({.at = now_ + std::max(after, Duration::zero()),
                   .order = shuffled_ ? shuffled_->next() : order_++,
                   .what = what,
                   .slot = slot,
                   .life = processes_[slot].life,
                   .status = status,
                   .event = event,
                   .change = (what == What::updates ? updates_.size() : changes_.size()) - 1});
  std::push_heap(heap_.begin(), heap_.end());
}

void World::run_until(Duration time) {
  const Instant end(time);
  while (!exit_code_) {
    if (!moment_ends()) return;
    const Instant happening = heap_.empty() ? end_of_time : heap_.front().at;
    const Instant deadline = supervisor_.deadline();
    if (std::min(happening, deadline) > end) break;
    // An end and the timeout of the same run may fall into one moment.
    const bool tick_first = happening == deadline && shuffled_ && (shuffled_->next() & 1) != 0;
    if (happening <= deadline && !tick_first) {
      now_ = std::max(now_, happening);
      std::pop_heap(heap_.begin(), heap_.end());
      const Happening next = heap_.back();
      heap_.pop_back();
      happen(next);
    } else {
      now_ = std::max(now_, deadline);
      give(event::Tick{});
    }
  }
  now_ = std::max(now_, end);
}

// Nothing goes round in circles without time passing.
bool World::moment_ends() {
  constexpr std::uint64_t longest = 20'000;
  if (now_ != moment_) moment_steps_ = 0;
  moment_ = now_;
  if (++moment_steps_ < longest) return true;
  broke("the moment does not end");
  exit_code_ = 255;
  return false;
}

void World::run_to_rest(Duration horizon) {
  while (!exit_code_) {
    const Instant next = std::min(heap_.empty() ? end_of_time : heap_.front().at, supervisor_.deadline());
    if (next == end_of_time || next - now_ > horizon) return;
    run_until(next.time_since_epoch());
  }
}

// What an answer says of the process, before the supervisor hears it.
void World::answered(const Event& event) {
  if (const auto* exited = std::get_if<event::Exited>(&event)) processes_[exited->slot].helper = false;
  if (const auto* skipped = std::get_if<event::Skipped>(&event)) processes_[skipped->slot].preparing = false;
  if (const auto* failed = std::get_if<event::StartFailed>(&event)) {
    (failed->role == Role::main ? processes_[failed->slot].preparing : processes_[failed->slot].helper) = false;
  }
  if (const auto* busy = std::get_if<event::LockBusy>(&event)) {
    (busy->role == Role::main ? processes_[busy->slot].preparing : processes_[busy->slot].helper) = false;
  }
}

void World::happen(const Happening& happening) {
  Process& process = processes_[happening.slot];
  switch (happening.what) {
    case What::event:
      if (!hears(happening.event)) return;
      answered(happening.event);
      return give_twice(happening.event);
    case What::echo: ++faults_; return give(happening.event);
    case What::finishes:
      if (process.hung) return;
      [[fallthrough]];
    case What::ends:
      if (!process.alive || process.life != happening.life) return;
      if (process.asked_to_end == end_of_time && happening.status != clean_exit) ++faults_;
      return end_main(happening.slot, happening.status);
    case What::crash:
      if (!process.alive || !process.spawned) return note("fault: no process to end of ", happening.slot);
      note("fault: ends ", happening.slot);
      ++faults_;
      return end_main(happening.slot, happening.status);
    case What::hangs:
      if (!process.alive || !process.spawned) return note("fault: no process to hang of ", happening.slot);
      note("fault: hangs ", happening.slot);
      ++faults_;
      process.hung = true;
      if (watcher_ != nullptr) watcher_->hung(now(), happening.slot);
      return;
    case What::updates: return take_over(updates_[happening.change]);
    case What::changes: behaviours_[happening.slot] = changes_[happening.change]; return;
    case What::watchdog:
      if (!process.alive || process.life != happening.life || process.hung) return;
      give(event::Watchdog{.slot = happening.slot, .run = process.run});
      return schedule(watchdog_pace(supervisor_.rule(happening.slot)), What::watchdog, happening.slot);
    case What::leftovers_end:
      if (!process.leftovers || process.life != happening.life) return;
      process.leftovers = false;
      // What follows may be another run.
      return give_twice(event::LeftoversGone{.slot = happening.slot, .run = process.run});
    case What::copier_ends:
      if (!copiers_[happening.slot]) return;
      copiers_[happening.slot] = false;
      ++faults_;
      note("fault: ends the copier of ", happening.slot);
      return give(event::CopierEnded{.slot = happening.slot});
    case What::orphans_end: return give(event::OrphansGone{});
  }
}

void World::give_twice(const Event& event) {
  give(event);
  echo(event);
}

// The shell tells everything once, but a late double must do no harm. A cleanup before and one after a run have one run
// number, so that theirs would be taken for each other.
void World::echo(const Event& event) {
  const auto again = [this, &event](Slot slot) {
    if (behaviours_[slot].echo_after) schedule(*behaviours_[slot].echo_after, What::echo, slot, {}, event);
  };
  std::visit(
      [&again](const auto& one) {
        using Kind = std::decay_t<decltype(one)>;
        if constexpr (requires { one.role; }) {
          if (one.role == Role::main) again(one.slot);
        } else if constexpr (std::is_same_v<Kind, event::Skipped> || std::is_same_v<Kind, event::LockFree> ||
                             std::is_same_v<Kind, event::LeftoversGone> || std::is_same_v<Kind, event::Ready> ||
                             std::is_same_v<Kind, event::ProbeDone>) {
          again(one.slot);
        }
      },
      event);
}

void World::kill_copier(Duration time, Slot slot) { schedule(time - now(), What::copier_ends, slot); }

// A hung process says nothing; what it said before may still be late.
bool World::hears(const Event& event) const {
  const auto silent = [this](Slot slot, Run run) { return hangs(slot) && processes_[slot].run == run; };
  if (const auto* ready = std::get_if<event::Ready>(&event)) return !silent(ready->slot, ready->run);
  if (const auto* probe = std::get_if<event::ProbeDone>(&event)) return !silent(probe->slot, probe->run);
  return true;
}

void World::end_main(Slot slot, ExitStatus status) {
  Process& process = processes_[slot];
  const Behaviour& behaviour = behaviours_[slot];
  process.alive = false;
  process.hung = false;
  process.ends.push_back(now_);
  process.leftovers = behaviour.leaves_behind.has_value() && process.spawned;
  if (process.leftovers) {
    ++faults_;
    schedule(*behaviour.leaves_behind, What::leftovers_end, slot);
  }
  const event::Exited exited{
      .slot = slot, .run = process.run, .role = Role::main, .status = status, .leftovers = process.leftovers};
  give_twice(exited);
}

void World::note(std::string_view what, Slot slot) { tell_story(std::string(what) + std::string(name(slot))); }

void World::tell_story(std::string_view line) {
  trace_.push_back(std::to_string(std::chrono::duration_cast<Milliseconds>(now()).count()) + "ms " + std::string(line));
  if (watcher_ != nullptr) watcher_->told(now(), line);
}

void World::give(const Event& event) {
  if (const auto* start = std::get_if<event::Start>(&event)) note("operator: start ", start->slot);
  if (const auto* stop = std::get_if<event::Stop>(&event)) note("operator: stop ", stop->slot);
  if (const auto* restart = std::get_if<event::Restart>(&event)) note("operator: restart ", restart->slot);
  const bool asked = std::holds_alternative<event::Start>(event) || std::holds_alternative<event::Stop>(event) ||
                     std::holds_alternative<event::Restart>(event) || std::holds_alternative<event::Signal>(event) ||
                     std::holds_alternative<event::Shutdown>(event);
  if (asked) ++faults_;
  of_node_ = of_node_ || asked;
  checker_.event(event, now_);
  if (watcher_ != nullptr) watcher_->core_begins();
  supervisor_.handle(event, now_);
  if (watcher_ != nullptr) watcher_->core_ends();
  drain();
}

std::optional<Effect> World::next_effect() {
  if (watcher_ != nullptr) watcher_->core_begins();
  const std::optional<Effect> effect = supervisor_.next(now_);
  if (watcher_ != nullptr) watcher_->core_ends();
  return effect;
}

// Whoever has left may be reaped later; what was to happen to him is void with his run.
void World::take_over(const std::shared_ptr<const Database>& database) {
  tell_story("operator: update");
  ++faults_;
  std::vector<bool> taken(supervisor_.slots());
  for (Slot slot = 0; slot < taken.size(); ++slot) taken[slot] = !supervisor_.unit(slot).vacant;
  // Conditions on the environment hold, or do not, as they did before; other ones are judged in an empty environment.
  Supervisor::Update update{.database = database, .env_skipped = std::vector<bool>(database->size()), .stop_deadline = {}};
  const std::vector<bool> fail = conditions_that_fail(*database, {});
  for (std::uint32_t place = 0; place < database->size(); ++place) {
    const auto before = supervisor_.find(database->name(place));
    const bool same = before && same_conditions(supervisor_.definition(*before), *database, place);
    update.env_skipped[place] = same ? supervisor_.unit(*before).env_skipped : fail[place];
  }
  if (const auto updated = supervisor_.update(update, now_); !updated)
    return tell_story("update refused: " + std::string(updated.error()));
  behaviours_.resize(supervisor_.slots());
  processes_.resize(supervisor_.slots());
  copiers_.resize(supervisor_.slots(), false);
  checker_.updated();
  taken.resize(supervisor_.slots(), false);
  for (Process& process : processes_) process.updated = true;
  for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
    if (taken[slot] || !supervisor_.is_service(slot)) continue;
    behaviours_[slot] = newcomers_;
    Process process;
    process.life = processes_[slot].life + 1;
    process.run = processes_[slot].run;
    processes_[slot] = process;
  }
  drain();
}

void World::drain() {
  ++draining_;
  while (const auto effect = next_effect()) {
    ++steps_;
    ++effects_since_look_;
    of_node_ = of_node_ || std::holds_alternative<effect::NodeReport>(*effect);
    checker_.effect(*effect, now_);
    std::visit([this](const auto& one) { perform(one); }, *effect);
  }
  // Answers that come while an effect is performed drain within: only the outermost sees an event's work done.
  if (--draining_ != 0) return;
  checker_.settled();
  note_problems();
  if (!oracle_) return;
  check_work();
  if (!exit_code_) {
    if (const auto problem = disagreement(supervisor_)) broke(*problem);
  }
}

// The core's steps for one event are few for each service that the event changed, and for each edge of these. What concerns
// the node as a whole (a boot, an update, a shutdown), and what an operator asks for with all that it starts, may look at
// every service once.
void World::check_work() {
  constexpr std::uint64_t each = 8;
  const Database& database = supervisor_.database();
  const bool all = of_node_ || supervisor_.shutting_down() || supervisor_.departing() > 0;
  std::uint64_t touched = 2 + effects_since_look_;
  seen_.resize(supervisor_.slots());
  for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
    const Unit& unit = supervisor_.unit(slot);
    const Seen now{.facts = unit.facts, .state = unit.state, .phase = unit.phase};
    if (std::exchange(seen_[slot], now) == now && !all) continue;
    const auto place = supervisor_.is_service(slot) ? database.find(supervisor_.name(slot)) : std::nullopt;
    touched += 1 + (place ? database.dependencies(*place).size() + database.dependents(*place).size() : 0);
  }
  const std::uint64_t steps = supervisor_.steps() - std::exchange(steps_seen_, supervisor_.steps());
  if (steps > each * touched) {
    broke(std::to_string(steps) + " steps of the core where " + std::to_string(touched) + " services and edges are touched");
  }
  effects_since_look_ = 0;
  of_node_ = false;
}

void World::note_problems() {
  for (const std::string& problem : checker_.take_problems()) broke(problem);
}

void World::finished() {
  checker_.finished();
  note_problems();
}

void World::broke(std::string_view what) {
  broken_.push_back(std::to_string(std::chrono::duration_cast<Milliseconds>(now()).count()) + "ms " + std::string(what));
  trace_.push_back("BROKEN " + broken_.back());
}

void World::broke(std::string_view what, Slot slot) { broke(std::string(name(slot)) + ": " + std::string(what)); }

// Two loggers that read one pipe would cut its lines.
void World::check_readers(Slot slot) {
  for (Slot other = 0; supervisor_.unit(slot).logger && other < supervisor_.slots(); ++other) {
    const bool reads = supervisor_.unit(other).read_logs && (processes_[other].alive || copiers_[other]);
    if (reads) broke("a logger while one of the graph before still reads", slot);
  }
}

void World::perform(const effect::Spawn& effect) {
  Process& process = processes_[effect.slot];
  const Behaviour& behaviour = behaviours_[effect.slot];
  if (effect.role != Role::main) {
    process.helper = true;
    process.helper_hangs = false;
    if (effect.role == Role::stop_command) {
      process.asked_to_end = now_;
      check_stop_signal(effect.slot);
    }
    if (effect.role == Role::stop_command && process.alive && !process.hung && behaviour.stop_command_works &&
        behaviour.commands == Behaviour::Command::works && behaviour.stops_after) {
      schedule(behaviour.answers_after + *behaviour.stops_after, What::finishes, effect.slot, clean_exit);
    }
    process.run = effect.run;
    return end_helper(effect);
  }
  process.updated = false;
  check_readers(effect.slot);
  process.helper = false;
  process.run = effect.run;
  process.stop_signalled = false;
  process.hung = false;
  process.asked_to_end = end_of_time;
  ++process.life;
  if (behaviour.start != Behaviour::Start::spawned) ++faults_;
  Behaviour::Start start = behaviour.start;
  if (start != Behaviour::Start::spawned && behaviours_[effect.slot].bad_starts-- == 0) {
    behaviours_[effect.slot].bad_starts = 0;
    start = Behaviour::Start::spawned;
  }
  // The child is there until it has said that it cannot go on; its signals are blocked until then.
  process.alive = process.spawned = start == Behaviour::Start::spawned;
  process.preparing = start != Behaviour::Start::spawned && start != Behaviour::Start::no_resource;
  switch (start) {
    case Behaviour::Start::no_resource:
      return give(event::NoResource{.slot = effect.slot, .run = effect.run, .role = Role::main, .reason = "EAGAIN"});
    case Behaviour::Start::fails:
    case Behaviour::Start::fails_for_good:
      return schedule(behaviour.answers_after, What::event, 0, {},
                      event::StartFailed{.slot = effect.slot,
                                         .run = effect.run,
                                         .role = Role::main,
                                         .permanent = start == Behaviour::Start::fails_for_good,
                                         .reason = "exec: No such file or directory"});
    case Behaviour::Start::skipped:
      return schedule(behaviour.answers_after, What::event, 0, {},
                      event::Skipped{.slot = effect.slot, .run = effect.run, .reason = "there is no /x"});
    case Behaviour::Start::lock_busy:
      schedule(behaviour.answers_after + std::max<Duration>(behaviour.lock_for, Milliseconds(1)), What::event, 0, {},
               event::LockFree{.slot = effect.slot, .run = effect.run});
      return schedule(
          behaviour.answers_after, What::event, 0, {},
          event::LockBusy{.slot = effect.slot, .run = effect.run, .role = Role::main, .holder = "elsewhere, pid 7"});
    case Behaviour::Start::spawned: break;
  }
  process.spawns.push_back(now_);
  ++last_pid_;
  schedule(behaviour.answers_after, What::event, 0, {},
           event::Spawned{.slot = effect.slot, .run = effect.run, .role = Role::main, .pid = last_pid_});
  const format::ServiceRecord& rule = supervisor_.rule(effect.slot);
  const bool longrun = type_of(rule) == ServiceType::longrun;
  const auto ready = static_cast<ReadyKind>(rule.ready_kind);
  if (longrun && behaviour.ready_after && (ready == ReadyKind::notify || ready == ReadyKind::fd)) {
    schedule(*behaviour.ready_after, What::event, 0, {}, event::Ready{.slot = effect.slot, .run = effect.run});
  }
  if (longrun && ready != ReadyKind::spawned && !behaviour.ready_after) ++faults_;
  if (behaviour.extends) {
    schedule(behaviour.answers_after, What::event, 0, {},
             event::ExtendTimeout{.slot = effect.slot, .run = effect.run, .by = *behaviour.extends});
  }
  if (behaviour.says_stopping) {
    schedule(*behaviour.says_stopping, What::event, 0, {}, event::Stopping{.slot = effect.slot, .run = effect.run});
  }
  if (behaviour.ends_after || !longrun) {
    schedule(behaviour.ends_after.value_or(std::chrono::milliseconds(3)), What::finishes, effect.slot, behaviour.end);
  }
  if (longrun && rule.watchdog_ms >= 0 && behaviour.watchdog) schedule(watchdog_pace(rule), What::watchdog, effect.slot);
}

// How a cleanup or stop command fares.
void World::end_helper(const effect::Spawn& effect) {
  const Behaviour& behaviour = behaviours_[effect.slot];
  if (behaviour.commands != Behaviour::Command::works) ++faults_;
  ExitStatus status = clean_exit;
  switch (behaviour.commands) {
    case Behaviour::Command::hangs: processes_[effect.slot].helper_hangs = true; return;
    case Behaviour::Command::start_fails:
      return schedule(behaviour.answers_after, What::event, 0, {},
                      event::StartFailed{.slot = effect.slot,
                                         .run = effect.run,
                                         .role = effect.role,
                                         .permanent = false,
                                         .reason = "exec: No such file or directory"});
    case Behaviour::Command::no_resource:
      // Once: what it lacks comes back.
      behaviours_[effect.slot].commands = Behaviour::Command::works;
      processes_[effect.slot].helper = false;
      return give(event::NoResource{.slot = effect.slot, .run = effect.run, .role = effect.role, .reason = "EAGAIN"});
    case Behaviour::Command::lock_busy:
      if (effect.role == Role::cleanup) {
        behaviours_[effect.slot].commands = Behaviour::Command::works;
        schedule(behaviour.answers_after + std::max<Duration>(behaviour.lock_for, Milliseconds(1)), What::event, 0, {},
                 event::LockFree{.slot = effect.slot, .run = effect.run});
        return schedule(
            behaviour.answers_after, What::event, 0, {},
            event::LockBusy{.slot = effect.slot, .run = effect.run, .role = effect.role, .holder = "elsewhere, pid 7"});
      }
      break;
    case Behaviour::Command::fails: status.value = 1; break;
    case Behaviour::Command::works: break;
  }
  schedule(behaviour.answers_after, What::event, 0, {},
           event::Exited{.slot = effect.slot, .run = effect.run, .role = effect.role, .status = status, .leftovers = false});
}

void World::check_stop_signal(Slot slot) {
  if (slot == supervisor_.command_slot() || supervisor_.unit(slot).stop_reason == StopReason::condemned) return;
  // In the reserve SIGKILL goes to all; a stop signal never jumps the order.
  supervisor_.each_dependent(slot, [&](Slot dependent, EdgeKinds kinds) {
    const Process& other = processes_[dependent];
    // A stop that was going when the shutdown began goes on.
    const bool in_shutdown = supervisor_.unit(slot).stop_reason == StopReason::shutdown;
    const bool leaves = kinds.requirement() || in_shutdown;
    if (leaves && (other.alive || other.leftovers)) broke("a stop signal before a dependent is gone", slot);
  });
}

void World::perform(const effect::SignalProcess& effect) {
  Process& process = processes_[effect.slot];
  if (process.preparing && process.run == effect.run) return;
  if (!process.alive || process.run != effect.run) return broke("a signal to a process that is not there", effect.slot);
  const format::ServiceRecord& rule = supervisor_.rule(effect.slot);
  const bool being_stopped = process.asked_to_end != end_of_time;  // by its stop command
  if (effect.signal == signals::sigkill || effect.signal == rule.stop_signal) {
    process.asked_to_end = std::min(process.asked_to_end, now_);
  }
  if (effect.signal == signals::sigkill) {
    if (!process.stop_signalled && !supervisor_.shutting_down()) broke("SIGKILL without a stop signal", effect.slot);
    // With a stop command the time began before the signal.
    const bool cut = supervisor_.shutting_down() || rule.stop_command.count != 0 || process.updated;
    if (!cut && now_ - process.stop_at < Milliseconds(rule.stop_timeout_ms))
      broke("SIGKILL before the timeout", effect.slot);
    process.stop_signalled = true;
    return schedule(Duration::zero(), What::ends, effect.slot, killed_by(signals::sigkill));
  }
  if (effect.signal != rule.stop_signal || process.stop_signalled) return;
  if (!being_stopped) check_stop_signal(effect.slot);
  process.stop_signalled = true;
  process.stop_at = now_;
  if (const auto& more = behaviours_[effect.slot].extends_stop; more && !process.hung) {
    schedule(Milliseconds(1), What::event, 0, {}, event::ExtendTimeout{.slot = effect.slot, .run = effect.run, .by = *more});
  }
  if (behaviours_[effect.slot].stops_after && !process.hung) {
    schedule(*behaviours_[effect.slot].stops_after, What::ends, effect.slot, killed_by(effect.signal));
  } else {
    ++faults_;
  }
}

void World::perform(const effect::SignalLeftovers& effect) {
  Process& process = processes_[effect.slot];
  if (process.alive) return;
  if (!process.leftovers) return give(event::LeftoversGone{.slot = effect.slot, .run = effect.run});
  if (effect.signal != signals::sigcont) schedule(Milliseconds(1), What::leftovers_end, effect.slot);
}

void World::perform(const effect::KillHelper& effect) {
  if (!processes_[effect.slot].helper || !processes_[effect.slot].helper_hangs) return;
  schedule(Milliseconds(1), What::event, 0, {},
           event::Exited{.slot = effect.slot,
                         .run = effect.run,
                         .role = effect.role,
                         .status = killed_by(signals::sigkill),
                         .leftovers = false});
}

void World::perform(const effect::EndLockWait&) {}

void World::perform(const effect::Probe& effect) {
  const Behaviour& behaviour = behaviours_[effect.slot];
  if (!behaviour.probe_answers_after || !behaviour.probes_good) ++faults_;
  if (!behaviour.probe_answers_after || hangs(effect.slot)) return;
  schedule(*behaviour.probe_answers_after, What::event, 0, {},
           event::ProbeDone{.slot = effect.slot,
                            .run = effect.run,
                            .probe = effect.probe,
                            .good = behaviour.probes_good,
                            .reason = "connection refused"});
}

void World::perform(const effect::CancelProbe&) {}

void World::perform(const effect::StartCopier& effect) {
  if (copiers_[effect.slot]) broke("a second copier", effect.slot);
  copiers_[effect.slot] = true;
}

void World::perform(const effect::StopCopier& effect) {
  copiers_[effect.slot] = false;
  schedule(Milliseconds(1), What::event, 0, {}, event::CopierEnded{.slot = effect.slot});
}

// A logger sees the end of its streams; so does a copier.
void World::perform(const effect::CloseStreams& effect) {
  if (copiers_[effect.slot]) {
    copiers_[effect.slot] = false;
    schedule(Milliseconds(1), What::event, 0, {}, event::CopierEnded{.slot = effect.slot});
  }
  if (!processes_[effect.slot].alive) return;
  processes_[effect.slot].asked_to_end = now_;
  if (behaviours_[effect.slot].stops_after)
    schedule(*behaviours_[effect.slot].stops_after, What::finishes, effect.slot, clean_exit);
}

void World::perform(const effect::Sweep& effect) {
  if (!orphans_end_after_) ++faults_;
  if (effect.signal == signals::sigkill) return schedule(Milliseconds(1), What::orphans_end, 0);
  if (orphans_end_after_) schedule(*orphans_end_after_, What::orphans_end, 0);
}

void World::perform(const effect::Report& effect) {
  std::array<char, bounds::story_line_bytes> bytes;
  TextWriter line(bytes);
  tell(supervisor_, effect, line);
  tell_story(line.view());
}

void World::perform(const effect::NodeReport& effect) {
  std::array<char, bounds::story_line_bytes> bytes;
  TextWriter line(bytes);
  tell(supervisor_, effect, line);
  if (effect.kind == NodeReportKind::stopping) shutdown_at_ = now_;
  tell_story(line.view());
}

void World::perform(const effect::Outward&) {}

void World::perform(const effect::Exit& effect) {
  exit_code_ = effect.code;
  exited_at_ = now_;
  if (now_ - shutdown_at_ > stop_deadline_) broke("the shutdown took longer than its deadline", 0);
  for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
    if (processes_[slot].alive && now_ - shutdown_at_ < stop_deadline_) broke("left behind at the end", slot);
  }
}

bool World::told(std::string_view part) const {
  return std::any_of(trace_.begin(), trace_.end(),
                     [part](const std::string& line) { return line.find(part) != std::string::npos; });
}

}  // namespace hcrc::simulation

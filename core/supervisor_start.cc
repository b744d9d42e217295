// The supervisor's way up: what is asked for, what may start, what became ready, and the runs of a periodic.
#include <algorithm>

#include "core/planted.h"
#include "core/supervisor.h"

namespace hcrc {

namespace {

ServiceType type_of(const format::ServiceRecord& rule) { return static_cast<ServiceType>(rule.type); }

constexpr Milliseconds logger_patience(5'000);

}  // namespace

void Supervisor::boot(Instant now) {
  booted_at_ = now;
  for (Unit& unit : units_) unit.since = now;
  report(NodeReportKind::starting);
  ask_boot(now);
  if (options_.command) arm(NodeTimer::command_wait, now + options_.command_wait);
  touch_all();
}

// Wanted are the roots and all that these start. A condition on the environment that does not hold is judged here, before
// anything is started or waited for on the service's account.
void Supervisor::ask_boot(Instant now) {
  queue_roots();
  each_asked([this, now](Slot slot, bool) {
    ask_one(slot, false, false, now);
    return !units_[slot].env_skipped;
  });
}

// What the graph wants by itself.
void Supervisor::queue_roots() {
  ++asked_epoch_;
  if (options_.no_target) return;
  if (options_.target) return to_ask_.push_back({*options_.target, true});
  for (const Slot slot : slot_at_) {
    if (database_->service(place_[slot]).autostart != 0) to_ask_.emplace_back(slot, true);
  }
}

// At an update: what an operator started or stopped stays so.
void Supervisor::want_as_at_boot() {
  queue_roots();
  for (const Slot slot : slot_at_) {
    if (units_[slot].started_by_operator) to_ask_.emplace_back(slot, true);
  }
  each_asked([this](Slot slot, bool) {
    const Unit& unit = units_[slot];
    const bool will_be_judged = unit.departing || unit.state == State::down || unit.state == State::skipped;
    return !(unit.env_skipped && will_be_judged);
  });
  for (const Slot slot : slot_at_) {
    Unit& unit = units_[slot];
    const bool bundle = type_of(database_->service(place_[slot])) == ServiceType::bundle;
    unit.wanted = !bundle && asked_[slot] >= 2 * asked_epoch_ &&
                  (!unit.stopped_by_operator || planted<Bug::stopped_by_operator_forgotten>);
  }
}

void Supervisor::ask(Slot root, Instant now) {
  ++asked_epoch_;
  to_ask_.emplace_back(root, true);
  each_asked([=, this](Slot slot, bool required) {
    ask_one(slot, required, root == slot, now);
    return !units_[slot].env_skipped;
  });
}

// Visits what was queued and all that it starts in the graph in force: `visit(slot, required)`, where `required` is what
// requirements alone lead to, whose failures an operator's start forgives. What a service starts is left out where `visit`
// says so. A service is visited a second time where it turns out to be required.
template <typename Visit>
void Supervisor::each_asked(Visit visit) {
  while (!to_ask_.empty()) {
    const auto [slot, required] = to_ask_.back();
    to_ask_.pop_back();
    const std::uint32_t mark = 2 * asked_epoch_ + (required ? 1 : 0);
    if (asked_[slot] >= mark) continue;
    asked_[slot] = mark;
    const std::uint32_t place = place_[slot];
    if (type_of(database_->service(place)) == ServiceType::bundle) {
      for (const std::uint32_t content : database_->contents(place)) to_ask_.emplace_back(slot_at_[content], required);
      continue;
    }
    if (!visit(slot, required)) continue;
    for (const Links::Link& link : links_.dependencies(slot)) {
      if (link.kinds.pulls()) to_ask_.emplace_back(link.service, required && link.kinds.requirement());
    }
  }
}

void Supervisor::ask_one(Slot slot, bool clear, bool named, Instant now) {
  Unit& unit = units_[slot];
  const bool was_wanted = unit.wanted;
  unit.wanted = true;
  unit.stopped_by_operator = false;
  touch(slot);
  if (unit.active()) return;
  const bool again = clear && (unit.state != State::backoff || named) && unit.state != State::waiting;
  if (was_wanted && !again) return;
  if (again) {
    unit.row = {};
    unit.restarts = 0;
    unit.resource_delay = {};
    unit.holding = false;
    unit.ended = false;
    disarm(slot, TimerKind::state);
  }
  if (unit.env_skipped) return enter(slot, State::skipped, now);
  unit.fresh = true;
  unit.attempt_failed = false;
  unit.log_waited = false;
  enter(slot, State::waiting, now);
}

void Supervisor::act(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  if (unit.dead_requirements > 0 && unit.wanted && !unit.departing && unit.state != State::skipped &&
      step_ == Step::running) {
    if (!unit.told_dead && !planted<Bug::cannot_start_untold>) report(ReportKind::cannot_start, slot);
    unit.told_dead = true;
    if (unit.essential) return begin_shutdown(102, {.slot = slot, .signal = 0, .requirement = true}, now);
  } else if (unit.dead_requirements == 0) {
    unit.told_dead = false;
  }
  // At a stop of the node CMD goes first.
  const bool may_stop = step_ != Step::command || slot == command_slot();
  switch (unit.state) {
    case State::down:
    case State::waiting:
    case State::backoff:
    case State::held:
    case State::failed:
    case State::skipped: rest(slot, now); break;
    case State::starting:
    case State::up:
      if (must_stop(unit)) {
        if (may_stop) begin_stop(slot, now);
      } else if (unit.care_changed && unit.state == State::up) {
        end_watching(slot);
        begin_watching(slot, now);
      } else if (type_of(rule(slot)) == ServiceType::periodic && unit.due) {
        run_periodic(slot, now);
      }
      break;
    case State::stopping:
      if (may_stop && unit.phase == Phase::stop_waits && unit.may_end()) stop_now(slot, now);
      break;
  }
  // The reserve has begun: what is left goes at once, whoever depends on it.
  if (kill_everything_ && !unit.late && unit.has_process() && unit.phase != Phase::killing) kill_all(slot);
  if (unit.logger) tend_logger(slot, now);
}

// A service without processes.
void Supervisor::rest(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  if (unit.phase == Phase::lock && (must_stop(unit) || step_ != Step::running)) {
    push(effect::EndLockWait{.slot = slot, .run = unit.run});
    unit.phase = Phase::none;
    unit.fresh = true;
    touch(slot);
  }
  if (unit.departing) return depart(slot, now);
  const bool stopping = step_ != Step::running && unit.state != State::failed && unit.state != State::skipped;
  if (!unit.wanted || stopping) {
    disarm(slot, TimerKind::state);
    if (!unit.wanted) unit.ended = false;
    if (unit.state != State::down) enter(slot, State::down, now);
    return;
  }
  if (unit.state == State::down && !unit.ended) {
    unit.fresh = true;
    unit.attempt_failed = false;
    unit.log_waited = false;
    enter(slot, unit.env_skipped ? State::skipped : State::waiting, now);
  }
  if (unit.state == State::waiting && unit.phase == Phase::none) try_start(slot, now);
}

void Supervisor::try_start(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  if (must_stop(unit)) return;
  if (unit.unmet > 0 && !planted<Bug::requirement_ignored>) return;
  if (unit.bound_active > 0 && !planted<Bug::bound_dependents_ignored>) return;
  if (unit.logger && read_logs_ > 0) return;  // two that read one pipe would cut its lines
  if (unit.added && removed_ > 0) return;     // what is removed may hold what this one needs: a port, a lock, a folder
  if (unit.fresh) {
    if (unit.unpassed > 0) return;
    if (unit.log_closed > 0 && !unit.log_waited) {
      if (!timers_.armed(slot * timer_kinds)) arm(slot, TimerKind::state, now + logger_patience);
      return;
    }
  }
  if (unit.copier == Copier::on) {
    unit.copier = Copier::ending;
    push(effect::StopCopier{.slot = slot});
  }
  if (unit.copier == Copier::ending) return;
  disarm(slot, TimerKind::state);
  start(slot, now);
}

void Supervisor::start(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  unit.cause = Cause::none;
  unit.stop_reason = StopReason::none;
  unit.next = Next::none;
  unit.next_start = end_of_time;
  unit.ready_at = end_of_time;
  unit.added = false;
  if (type_of(rule(slot)) == ServiceType::periodic) {
    unit.ready_at = now;
    unit.due = rule(slot).at_start != 0;
    enter(slot, State::up, now);
    report(ReportKind::started, slot);
    if (!unit.due) {
      unit.next_start = now + Milliseconds(rule(slot).schedule_every_ms);
      arm(slot, TimerKind::pace, unit.next_start);
    }
    unit.fresh = false;
    return;
  }
  enter(slot, State::starting, now);
  spawn_main(slot, now);
}

// Begins a run: first what `cleanup` asks for, then the service's own process.
void Supervisor::spawn_main(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  const format::ServiceRecord& rules = rule(slot);
  if (rules.cleanup.count != 0 && unit.phase == Phase::none) {
    ++unit.run;
    unit.phase = Phase::before;
    spawn_helper(slot, Role::cleanup);
    arm(slot, TimerKind::state, now + Milliseconds(rules.stop_timeout_ms));
    return;
  }
  if (unit.phase == Phase::none) ++unit.run;
  unit.phase = Phase::spawning;
  unit.cause = Cause::none;
  unit.main_alive = true;
  unit.started_at = now;
  unit.bad_probes = 0;
  unit.ready_early = unit.ending_itself = false;
  push(effect::Spawn{.slot = slot,
                     .run = unit.run,
                     .role = Role::main,
                     .judge_paths = unit.fresh || type_of(rules) == ServiceType::periodic});
  disarm(slot, TimerKind::copier);
  if (type_of(rules) == ServiceType::longrun) {
    arm(slot, TimerKind::state, now + Milliseconds(rules.ready_timeout_ms) / (planted<Bug::ready_timeout_halved> ? 2 : 1));
  } else {
    disarm(slot, TimerKind::state);
    if (rules.timeout_ms >= 0) arm(slot, TimerKind::run, now + Milliseconds(rules.timeout_ms));
  }
}

void Supervisor::on(const event::Spawned& event, Instant now) {
  if (!current(event.slot, event.run) || event.role != Role::main) return;
  Unit& unit = units_[event.slot];
  if (!unit.main_alive) return;
  unit.pid = event.pid;
  attempt_made(event.slot);
  touch(event.slot);
  if (unit.phase != Phase::spawning) return;
  unit.phase = Phase::running;
  const format::ServiceRecord& rules = rule(event.slot);
  if (type_of(rules) != ServiceType::longrun) return;
  const auto ready = static_cast<ReadyKind>(rules.ready_kind);
  if (ready == ReadyKind::spawned || (ready == ReadyKind::notify && !options_.notify_usable))
    return become_up(event.slot, now);
  report(ReportKind::started, event.slot, {}, {}, event.pid);
  if (unit.ready_early) return become_up(event.slot, now);
  if (ready == ReadyKind::tcp || ready == ReadyKind::http || ready == ReadyKind::exec) begin_probe(event.slot, now);
}

void Supervisor::become_up(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  const format::ServiceRecord& rules = rule(slot);
  end_watching(slot);
  disarm(slot, TimerKind::state);
  unit.ready_at = now;
  unit.resource_delay = {};
  unit.fresh = false;
  enter(slot, State::up, now);
  if (type_of(rules) == ServiceType::oneshot) return report(ReportKind::done, slot, now - unit.started_at);
  const bool instant = static_cast<ReadyKind>(rules.ready_kind) == ReadyKind::spawned;
  report(instant ? ReportKind::started : ReportKind::ready, slot, now - unit.started_at, {}, unit.pid);
  begin_watching(slot, now);
}

void Supervisor::begin_watching(Slot slot, Instant now) {
  const format::ServiceRecord& rules = rule(slot);
  units_[slot].care_changed = false;
  if (units_[slot].ending_itself) return;
  if (static_cast<HealthKind>(rules.health_kind) != HealthKind::none) {
    arm(slot, TimerKind::pace, now + Milliseconds(rules.health_interval_ms));
  }
  if (rules.watchdog_ms >= 0 && options_.notify_usable)
    arm(slot, TimerKind::watchdog, now + Milliseconds(rules.watchdog_ms));
}

void Supervisor::on(const event::Skipped& event, Instant now) {
  if (!current(event.slot, event.run)) return;
  Unit& unit = units_[event.slot];
  if (!unit.main_alive) return;
  unit.main_alive = false;
  unit.detail.assign(event.reason);
  attempt_made(event.slot);
  if (being_stopped(unit) || unit.state == State::stopping) return check_gone(event.slot, now);
  end_watching(event.slot);
  disarm(event.slot, TimerKind::state);
  unit.phase = Phase::none;
  report(ReportKind::skipped, event.slot);
  if (type_of(rule(event.slot)) == ServiceType::periodic) return end_periodic_run(event.slot, now);
  enter(event.slot, State::skipped, now);
}

void Supervisor::on(const event::LockBusy& event, Instant now) {
  if (!current(event.slot, event.run)) return;
  Unit& unit = units_[event.slot];
  bool& alive = event.role == Role::main ? unit.main_alive : unit.helper_alive;
  if (!alive) return;
  alive = false;
  attempt_made(event.slot);
  if (unit.state == State::stopping) {
    push(effect::EndLockWait{.slot = event.slot, .run = event.run});
    return unit.phase == Phase::after ? finish(event.slot, now) : check_gone(event.slot, now);
  }
  unit.detail.assign(event.holder);
  unit.phase = planted<Bug::lock_ignored> ? Phase::none : Phase::lock;
  disarm(event.slot, TimerKind::state);
  disarm(event.slot, TimerKind::run);
  enter(event.slot, State::waiting, now);
  report(ReportKind::lock_busy, event.slot);
}

void Supervisor::on(const event::LockFree& event, Instant) {
  if (!current(event.slot, event.run) || units_[event.slot].phase != Phase::lock) return;
  units_[event.slot].phase = Phase::none;
  touch(event.slot);
}

void Supervisor::on(const event::Ready& event, Instant now) {
  if (!current(event.slot, event.run)) return;
  Unit& unit = units_[event.slot];
  const auto kind = static_cast<ReadyKind>(rule(event.slot).ready_kind);
  if (unit.state != State::starting || (kind != ReadyKind::notify && kind != ReadyKind::fd)) return;
  // It may say so before the shell has read that its exec went well.
  if (unit.phase == Phase::spawning) unit.ready_early = true;
  if (unit.phase == Phase::running) become_up(event.slot, now);
}

void Supervisor::on(const event::Watchdog& event, Instant now) {
  if (!current(event.slot, event.run)) return;
  const std::int64_t watchdog = rule(event.slot).watchdog_ms;
  const Unit& unit = units_[event.slot];
  if (unit.state == State::up && !unit.ending_itself && watchdog >= 0 && !planted<Bug::watchdog_not_rearmed>)
    arm(event.slot, TimerKind::watchdog, now + Milliseconds(watchdog));
}

// More time for what it is about: to get ready, or to end.
void Supervisor::on(const event::ExtendTimeout& event, Instant now) {
  if (!current(event.slot, event.run)) return;
  Unit& unit = units_[event.slot];
  const Instant end = std::min(now + event.by, stop_bound(event.slot));
  const auto longer = [end](Instant at) { return planted<Bug::extension_shortens> ? end : std::max(at, end); };
  if (unit.state == State::stopping) {
    if (unit.has_stop_time()) move_stop(event.slot, longer(unit.kill_at), now);
    return;
  }
  const bool gets_ready = unit.state == State::starting && unit.phase != Phase::before;
  const bool ends_itself = unit.state == State::up && unit.ending_itself;
  const std::uint32_t key = event.slot * timer_kinds;
  if ((gets_ready || ends_itself) && timers_.armed(key)) timers_.arm(key, longer(timers_.at(key)));
}

// What ends by itself need not be well, but it has no more time for it than if it had been asked to end.
void Supervisor::on(const event::Stopping& event, Instant now) {
  if (!current(event.slot, event.run)) return;
  Unit& unit = units_[event.slot];
  const bool runs = unit.state == State::up && unit.phase == Phase::running;
  if (!runs || unit.ending_itself || type_of(rule(event.slot)) != ServiceType::longrun) return;
  unit.ending_itself = true;
  if (!planted<Bug::ending_itself_watched>) end_watching(event.slot);
  if (!planted<Bug::ending_itself_unbounded>) arm(event.slot, TimerKind::state, now + stop_timeout(event.slot, now));
}

void Supervisor::begin_probe(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  ++unit.probe;
  unit.probe_out = true;
  unit.probe_began = now;
  push(effect::Probe{.slot = slot, .run = unit.run, .probe = unit.probe, .health = unit.state == State::up});
  arm(slot, TimerKind::pace, now + Milliseconds(rule(slot).health_timeout_ms));
}

void Supervisor::on(const event::ProbeDone& event, Instant now) {
  if (!current(event.slot, event.run)) return;
  Unit& unit = units_[event.slot];
  if (!unit.probe_out || unit.probe != event.probe) return;
  unit.probe_out = false;
  const format::ServiceRecord& rules = rule(event.slot);
  if (!event.good) unit.detail.assign(event.reason);
  if (unit.state == State::starting) {
    if (event.good) return become_up(event.slot, now);
    return arm(event.slot, TimerKind::pace, std::max(now, unit.probe_began + Milliseconds(rules.ready_interval_ms)));
  }
  unit.bad_probes = event.good ? 0 : unit.bad_probes + 1;
  const std::uint32_t bound = planted<Bug::health_one_failure_early> ? rules.health_failures - 1 : rules.health_failures;
  if (!event.good && unit.bad_probes >= bound) return condemn(event.slot, Cause::health, now);
  arm(event.slot, TimerKind::pace, std::max(now, unit.probe_began + Milliseconds(rules.health_interval_ms)));
}

// No probe, watchdog or run timeout belongs to a run that has ended or is being ended. A periodic's schedule goes on.
void Supervisor::end_watching(Slot slot) {
  Unit& unit = units_[slot];
  if (unit.probe_out) push(effect::CancelProbe{.slot = slot, .run = unit.run});
  unit.probe_out = false;
  if (type_of(rule(slot)) != ServiceType::periodic) disarm(slot, TimerKind::pace);
  disarm(slot, TimerKind::watchdog);
  disarm(slot, TimerKind::run);
}

// One run of a periodic, now: the next falls due `every` after this start.
void Supervisor::run_periodic(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  if ((unit.unmet > 0 && !planted<Bug::periodic_without_requirement>) || step_ != Step::running) return;
  unit.due = false;
  const format::ServiceRecord& rules = rule(slot);
  unit.next_start = now + Milliseconds(rules.schedule_every_ms);
  if (rules.schedule_jitter_ms > 0) {
    unit.next_start +=
        Milliseconds(static_cast<std::int64_t>(random_.upto(static_cast<std::uint64_t>(rules.schedule_jitter_ms))));
  }
  arm(slot, TimerKind::pace, unit.next_start);
  spawn_main(slot, now);
}

void Supervisor::end_periodic_run(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  unit.phase = Phase::none;
  unit.stop_reason = StopReason::none;
  unit.kill_at = end_of_time;
  disarm(slot, TimerKind::state);
  // The schedule is the retry, but lack of a resource is not the run's failure.
  if (unit.cause == Cause::no_resource) {
    unit.next_start = now + take_resource_delay(unit.resource_delay);
    arm(slot, TimerKind::pace, unit.next_start);
    unit.cause = Cause::none;
  } else {
    unit.resource_delay = {};
  }
  touch(slot);
}

}  // namespace hcrc

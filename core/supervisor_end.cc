// The supervisor's way down: how runs end, what follows, and how a service is stopped.
#include <algorithm>
#include <utility>

#include "core/planted.h"
#include "core/supervisor.h"

namespace hcrc {

namespace {

ServiceType type_of(const format::ServiceRecord& rule) { return static_cast<ServiceType>(rule.type); }

bool in(const std::uint64_t (&codes)[4], std::uint8_t code) { return (codes[code / 64] >> (code % 64) & 1) != 0; }

}  // namespace

// A stop that somebody asked for, unlike the end of a run for ready, timeout, health or watchdog.
bool Supervisor::being_stopped(const Unit& unit) const {
  return unit.stop_reason != StopReason::none && unit.stop_reason != StopReason::condemned;
}

void Supervisor::on(const event::StartFailed& event, Instant now) {
  if (!current(event.slot, event.run)) return;
  Unit& unit = units_[event.slot];
  if (event.role != Role::main) return stop_helper_failed(event.slot, event.role, now);
  if (!unit.main_alive) return;
  unit.main_alive = false;
  unit.pid = 0;
  attempt_made(event.slot);
  unit.ended_at = now;
  unit.detail.assign(event.reason);
  end_watching(event.slot);
  if (!being_stopped(unit)) {
    const bool condemned = unit.stop_reason == StopReason::condemned;
    attempt_over(event.slot, condemned ? unit.cause : Cause::start_failed, event.permanent && !condemned, now);
  }
  check_gone(event.slot, now);
}

void Supervisor::on(const event::NoResource& event, Instant now) {
  if (!current(event.slot, event.run)) return;
  Unit& unit = units_[event.slot];
  if (event.role != Role::main && unit.phase != Phase::before) return stop_helper_failed(event.slot, event.role, now);
  if (!unit.main_alive && !unit.helper_alive) return;
  (event.role == Role::main ? unit.main_alive : unit.helper_alive) = false;
  attempt_made(event.slot);
  unit.detail.assign(event.reason);
  end_watching(event.slot);
  if (unit.state == State::stopping) return check_gone(event.slot, now);
  unit.cause = Cause::no_resource;
  if (type_of(rule(event.slot)) == ServiceType::periodic) return end_periodic_run(event.slot, now);
  unit.phase = Phase::none;
  const Milliseconds delay = take_resource_delay(unit.resource_delay);
  unit.next_start = now + delay;
  arm(event.slot, TimerKind::state, unit.next_start);
  enter(event.slot, State::backoff, now);
  report(ReportKind::no_resource, event.slot, {}, delay);
}

void Supervisor::on(const event::Exited& event, Instant now) {
  if (event.slot >= slots()) return;
  if (!current(event.slot, event.run) && !planted<Bug::stale_exit_believed>) return;
  Unit& unit = units_[event.slot];
  if (event.role != Role::main) {
    const bool failed = event.status.kind != ExitStatus::Kind::code || event.status.value != 0;
    return helper_exit(event.slot, event.role, failed, now);
  }
  if (!unit.main_alive) return;
  unit.main_alive = false;
  unit.pid = 0;
  attempt_made(event.slot);
  unit.exit = event.status;
  unit.ended_at = now;
  unit.leftovers_pending = event.leftovers;
  own_exit(event.slot, event.leftovers, now);
}

void Supervisor::own_exit(Slot slot, bool leftovers, Instant now) {
  Unit& unit = units_[slot];
  end_watching(slot);
  if (being_stopped(unit) && !planted<Bug::stop_counts_as_end>) {
    if (unit.phase == Phase::stop_command) kill_helper(slot);
    return leftovers ? end_leftovers(slot, now) : check_gone(slot, now);
  }
  if (unit.stop_reason == StopReason::condemned) {
    attempt_over(slot, unit.cause, false, now);
    return leftovers ? end_leftovers(slot, now) : check_gone(slot, now);
  }
  if (unit.ending_itself) disarm(slot, TimerKind::state);
  bool success = unit.exit.kind == ExitStatus::Kind::code && in(rule(slot).success_codes, unit.exit.value);
  if (planted<Bug::failure_taken_for_success>) success = true;
  if (type_of(rule(slot)) == ServiceType::oneshot && success) {
    // What a oneshot leaves running is stopped along with it.
    unit.left_behind = leftovers;
    unit.leftovers_pending = false;
    unit.phase = Phase::none;
    return become_up(slot, now);
  }
  attempt_over(slot, Cause::exited, false, now);
  if (!leftovers || planted<Bug::leftovers_not_awaited>) return check_gone(slot, now);
  unit.phase = Phase::killing;
  report(ReportKind::leftovers, slot);
  push(effect::SignalLeftovers{.slot = slot, .run = unit.run, .signal = signals::sigkill});
  if (type_of(rule(slot)) != ServiceType::periodic) enter(slot, State::stopping, now);
}

// Its own process is gone: the rest of its session is asked to end, and gets what is left of the timeout.
void Supervisor::end_leftovers(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  if (unit.phase == Phase::killing) {
    push(effect::SignalLeftovers{.slot = slot, .run = unit.run, .signal = signals::sigkill});
    return;
  }
  if (unit.kill_at == end_of_time) unit.kill_at = now + stop_timeout(slot, now);
  unit.phase = Phase::leftovers;
  push(effect::SignalLeftovers{.slot = slot, .run = unit.run, .signal = signals::sigterm});
  push(effect::SignalLeftovers{.slot = slot, .run = unit.run, .signal = signals::sigcont});
  arm(slot, TimerKind::state, unit.kill_at);
}

void Supervisor::on(const event::LeftoversGone& event, Instant now) {
  if (!current(event.slot, event.run) || !units_[event.slot].leftovers_pending) return;
  units_[event.slot].leftovers_pending = false;
  check_gone(event.slot, now);
}

void Supervisor::check_gone(Slot slot, Instant now) {
  const Unit& unit = units_[slot];
  if (!unit.main_alive && !unit.helper_alive && (!unit.leftovers_pending || planted<Bug::leftovers_not_awaited>)) {
    process_gone(slot, now);
  }
}

// An attempt has ended without being up, or what was up has ended by itself.
void Supervisor::attempt_over(Slot slot, Cause cause, bool permanent, Instant now) {
  Unit& unit = units_[slot];
  unit.cause = cause;
  if (type_of(rule(slot)) == ServiceType::periodic) {
    const bool success =
        cause == Cause::exited && unit.exit.kind == ExitStatus::Kind::code && in(rule(slot).success_codes, unit.exit.value);
    unit.run_ended_badly = !success;
    if (!success) report(ReportKind::run_failed, slot, unit.ended_at - unit.started_at);
    return;
  }
  // Nothing counts once the node is stopping, or of a run that an update ends.
  if (step_ != Step::running || unit.departing) {
    unit.next = Next::none;
    return;
  }
  decide(slot, cause, permanent, now);
  touch(slot);
}

void Supervisor::decide(Slot slot, Cause cause, bool permanent, Instant now) {
  Unit& unit = units_[slot];
  const format::ServiceRecord& rules = rule(slot);
  const auto policy = static_cast<RestartPolicy>(rules.restart_policy);
  if (earns_new_row(rules, planted<Bug::reset_counts_from_spawn> ? unit.started_at : unit.ready_at, now)) {
    unit.row = {};
    unit.restarts = 0;
    unit.holding = false;
  }
  unit.attempt_failed = true;
  unit.fresh = false;
  const bool code = cause == Cause::exited && unit.exit.kind == ExitStatus::Kind::code;
  const bool success = code && in(rules.success_codes, unit.exit.value);
  const Duration ran = now - unit.started_at;
  if (success && policy != RestartPolicy::always) {
    unit.next = planted<Bug::clean_end_fails> ? Next::failed : Next::ended;
    return report(planted<Bug::clean_end_fails> ? ReportKind::failed : ReportKind::ended, slot, ran);
  }
  if (planted<Bug::permanent_code_retried>) permanent = false;
  if (!success && (permanent || policy == RestartPolicy::never ||
                   (code && !planted<Bug::permanent_code_retried> && in(rules.permanent_codes, unit.exit.value)))) {
    unit.next = Next::failed;
    return report(ReportKind::failed, slot, ran);
  }
  if (!unit.holding && attempts_left(rules, unit.row)) {
    const Milliseconds delay = take_restart(rules, unit.row, random_);
    ++unit.restarts;
    unit.next = Next::backoff;
    unit.next_start = unit.ended_at + delay;
    return report(ReportKind::restarts, slot, ran, delay);
  }
  switch (exhausted(slot)) {
    case Exhausted::fail: unit.next = Next::failed; return report(ReportKind::failed, slot, ran);
    case Exhausted::shutdown: unit.next = Next::shutdown; return report(ReportKind::failed, slot, ran);
    case Exhausted::hold: break;
  }
  unit.next = Next::held;
  unit.holding = true;
  ++unit.restarts;
  unit.next_start =
      (planted<Bug::hold_counts_from_spawn> ? unit.started_at : unit.ended_at) + Milliseconds(rules.restart_hold_ms);
  report(ReportKind::held, slot, ran, Milliseconds(rules.restart_hold_ms));
}

// The last process of the run is gone.
void Supervisor::process_gone(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  if (type_of(rule(slot)) == ServiceType::periodic && unit.state == State::up) return end_periodic_run(slot, now);
  const bool for_good = unit.next == Next::failed || unit.next == Next::ended || unit.next == Next::shutdown;
  if (rule(slot).cleanup.count != 0 && unit.run != 0 && (being_stopped(unit) || for_good)) {
    unit.phase = Phase::after;
    enter(slot, State::stopping, now);
    spawn_helper(slot, Role::cleanup);
    arm(slot, TimerKind::state, now + stop_timeout(slot, now));
    return;
  }
  finish(slot, now);
}

void Supervisor::finish(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  const StopReason reason = unit.stop_reason;
  unit.phase = Phase::none;
  unit.stop_reason = StopReason::none;
  unit.kill_at = end_of_time;
  unit.left_behind = false;
  disarm(slot, TimerKind::state);
  const bool stopped = reason != StopReason::none && reason != StopReason::condemned;
  if (stopped) {
    if (type_of(rule(slot)) != ServiceType::oneshot || unit.stop_began != end_of_time) {
      report(ReportKind::stopped, slot, unit.stop_began == end_of_time ? Duration::zero() : now - unit.stop_began);
    }
    unit.fresh = true;
    unit.attempt_failed = false;
    unit.log_waited = false;
  }
  unit.stop_began = end_of_time;
  if (unit.restart_pending || unit.departing) {
    unit.restart_pending = false;
    unit.next = Next::none;
    unit.fresh = true;
  }
  if (unit.next != Next::none && unit.wanted) return enter_next(slot, now);
  unit.next = Next::none;
  enter(slot, unit.wanted && step_ == Step::running ? State::waiting : State::down, now);
}

void Supervisor::enter_next(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  const Next next = std::exchange(unit.next, Next::none);
  switch (next) {
    case Next::none:  // it has no next: does not come here
    case Next::backoff:
      if (unit.next_start <= now) return enter(slot, State::waiting, now);
      arm(slot, TimerKind::state, unit.next_start);
      return enter(slot, State::backoff, now);
    case Next::held: arm(slot, TimerKind::state, unit.next_start); return enter(slot, State::held, now);
    case Next::ended:
      unit.ended = true;
      enter(slot, State::down, now);
      return node_ends_with(slot, false, now);
    case Next::failed: enter(slot, State::failed, now); return node_ends_with(slot, false, now);
    case Next::shutdown: enter(slot, State::failed, now); return node_ends_with(slot, true, now);
  }
}

// The end for good of an essential service stops the node with its code; so do the used-up attempts of one that says so.
void Supervisor::node_ends_with(Slot slot, bool whatever, Instant now) {
  const Unit& unit = units_[slot];
  if (!unit.essential && !whatever) return;
  std::uint8_t code = 102;
  if (unit.cause == Cause::exited) {
    code = unit.exit.kind == ExitStatus::Kind::signal ? static_cast<std::uint8_t>(128 + unit.exit.value) : unit.exit.value;
  }
  begin_shutdown(code, {.slot = slot, .signal = 0, .requirement = false}, now);
}

// Ends a run that is not ready in time, runs too long, or does not answer: as a stop ends it, but leaving dependents alone.
void Supervisor::condemn(Slot slot, Cause cause, Instant now) {
  Unit& unit = units_[slot];
  unit.cause = cause;
  unit.stop_reason = StopReason::condemned;
  report(ReportKind::condemned, slot, now - unit.started_at);
  end_watching(slot);
  disarm(slot, TimerKind::state);
  if (type_of(rule(slot)) != ServiceType::periodic) enter(slot, State::stopping, now);
  stop_now(slot, now);
}

StopReason Supervisor::reason_to_stop(Slot slot) const {
  const Unit& unit = units_[slot];
  if (stops_now(slot)) return StopReason::shutdown;
  if (unit.departing) return StopReason::update;
  if (unit.restart_pending) return StopReason::restart;
  if (!unit.wanted) return unit.stopped_by_operator ? StopReason::operator_ : StopReason::update;
  return unit.gone_requirements > 0 ? StopReason::requirement : StopReason::binding;
}

void Supervisor::begin_stop(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  const bool ending = unit.has_stop_time() || unit.phase == Phase::killing;
  unit.stop_reason = reason_to_stop(slot);
  unit.next = Next::none;
  end_watching(slot);
  disarm(slot, TimerKind::pace);
  enter(slot, State::stopping, now);
  if (ending) return;  // a periodic's run that is being ended already
  disarm(slot, TimerKind::state);
  unit.phase = Phase::stop_waits;
  if (unit.may_end() || planted<Bug::dependents_not_awaited>) stop_now(slot, now);
}

// Ends the processes of the service, whatever it has.
void Supervisor::stop_now(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  const format::ServiceRecord& rules = rule(slot);
  if (unit.helper_alive) {  // a cleanup before the start
    unit.phase = Phase::killing;
    return kill_helper(slot);
  }
  const Milliseconds timeout = stop_timeout(slot, now);
  const bool by_command = rules.stop_command.count != 0;
  if (unit.main_alive && unit.logger && step_ == Step::loggers) {
    unit.stop_began = now;
    unit.phase = Phase::draining;
    arm(slot, TimerKind::state, deadline_ - reserve_ / 6);
    return;
  }
  if (!unit.main_alive && !unit.left_behind && !(by_command && type_of(rules) == ServiceType::oneshot)) {
    return process_gone(slot, now);
  }
  unit.stop_began = now;
  unit.kill_at = now + timeout;
  if (by_command && (unit.pid != 0 || type_of(rules) == ServiceType::oneshot)) {
    unit.phase = Phase::stop_command;
    spawn_helper(slot, Role::stop_command);
    arm(slot, TimerKind::state, unit.main_alive ? now + timeout / 2 : unit.kill_at);
    if (unit.main_alive) report(ReportKind::stopping, slot);
    return;
  }
  if (unit.main_alive) return signal_now(slot, now);
  unit.leftovers_pending = true;
  end_leftovers(slot, now);
}

void Supervisor::signal_now(Slot slot, Instant) {
  Unit& unit = units_[slot];
  const std::int32_t signal = rule(slot).stop_signal;
  unit.phase = Phase::terminating;
  push(effect::SignalProcess{.slot = slot, .run = unit.run, .signal = signal});
  if (planted<Bug::stop_signal_twice>) push(effect::SignalProcess{.slot = slot, .run = unit.run, .signal = signal});
  // A shell takes SIGHUP for the end of its terminal, where it ignores SIGTERM.
  if (slot == command_slot()) push(effect::SignalProcess{.slot = slot, .run = unit.run, .signal = signals::sighup});
  if (!planted<Bug::sigcont_forgotten>) {
    push(effect::SignalProcess{.slot = slot, .run = unit.run, .signal = signals::sigcont});
  }
  if (unit.stop_reason != StopReason::condemned) report(ReportKind::stopping, slot, {}, {}, signal);
  if (planted<Bug::kill_too_early>) unit.kill_at -= Milliseconds(rule(slot).stop_timeout_ms / 2);
  arm(slot, TimerKind::state, unit.kill_at);
}

// A cleanup or stop command.
void Supervisor::spawn_helper(Slot slot, Role role) {
  units_[slot].helper_alive = true;
  units_[slot].helper = role;
  push(effect::Spawn{.slot = slot, .run = units_[slot].run, .role = role, .judge_paths = false});
}

void Supervisor::kill_helper(Slot slot) {
  const Unit& unit = units_[slot];
  if (planted<Bug::helper_never_killed>) return;
  if (unit.helper_alive) push(effect::KillHelper{.slot = slot, .run = unit.run, .role = unit.helper});
}

// SIGKILL to all that the service still has.
void Supervisor::kill_all(Slot slot) {
  Unit& unit = units_[slot];
  if (unit.left_behind) unit.leftovers_pending = true;
  unit.left_behind = false;
  const bool anything = unit.main_alive || unit.leftovers_pending;
  disarm(slot, TimerKind::state);
  kill_helper(slot);
  if (unit.phase != Phase::after) unit.phase = Phase::killing;
  if (!anything) return;
  report(ReportKind::killing, slot);
  if (unit.main_alive) push(effect::SignalProcess{.slot = slot, .run = unit.run, .signal = signals::sigkill});
  push(effect::SignalLeftovers{.slot = slot, .run = unit.run, .signal = signals::sigkill});
}

// When a stop must be over, whatever it is given.
Instant Supervisor::stop_bound(Slot slot) const {
  if (step_ == Step::running) return end_of_time;
  return units_[slot].late ? deadline_ - reserve_ / 12 : deadline_ - reserve_;
}

// What a stop may take. At shutdown nothing outlasts the reserve; a timeout that is not written down leaves what stops after
// it on its path its time, or at least an even share where that would leave nothing.
Milliseconds Supervisor::stop_timeout(Slot slot, Instant now) const {
  const format::ServiceRecord& rules = rule(slot);
  const Milliseconds timeout(rules.stop_timeout_ms);
  if (step_ == Step::running) return timeout;
  const auto left = std::max(Milliseconds(0), std::chrono::floor<Milliseconds>(stop_bound(slot) - now));
  if (rules.stop_timeout_written != 0) return std::min(timeout, left);
  const Milliseconds share = left / (stop_levels_[slot] + 1);
  return std::min(timeout, std::max(left - Milliseconds(stop_tail_ms_[slot]), share));
}

// A stop or cleanup command that could not be started.
void Supervisor::stop_helper_failed(Slot slot, Role role, Instant now) { helper_exit(slot, role, true, now); }

void Supervisor::helper_exit(Slot slot, Role role, bool failed, Instant now) {
  Unit& unit = units_[slot];
  if (!unit.helper_alive) return;
  unit.helper_alive = false;
  disarm(slot, TimerKind::state);
  if (failed && unit.phase != Phase::killing) {
    report(role == Role::cleanup ? ReportKind::cleanup_failed : ReportKind::stop_command_failed, slot);
  }
  switch (unit.phase) {
    case Phase::before: {
      const bool periodic = type_of(rule(slot)) == ServiceType::periodic;
      // What an update may have brought meanwhile: something that runs is bound to it, or the logger before is still there.
      const bool kept_back = (unit.bound_active > 0 && !periodic) || (unit.logger && read_logs_ > 0);
      if (unit.unmet == 0 && !kept_back && step_ == Step::running) return spawn_main(slot, now);
      // Or a requirement has gone down: all begins anew. Or the node is stopping.
      unit.phase = Phase::none;
      unit.due = periodic;
      return enter(slot, unit.due ? State::up : State::waiting, now);
    }
    case Phase::after: return finish(slot, now);
    case Phase::stop_command:
      if (unit.main_alive) {
        if (failed) return signal_now(slot, now);
        return arm(slot, TimerKind::state, std::max(now, unit.stop_began + (unit.kill_at - unit.stop_began) / 2));
      }
      if (unit.left_behind) {
        unit.left_behind = false;
        unit.leftovers_pending = true;
        return end_leftovers(slot, now);
      }
      return check_gone(slot, now);
    case Phase::terminating:
    case Phase::leftovers: arm(slot, TimerKind::state, unit.kill_at); return check_gone(slot, now);
    case Phase::killing:
    case Phase::none:
    case Phase::lock:
    case Phase::spawning:
    case Phase::running:
    case Phase::stop_waits:
    case Phase::draining: return check_gone(slot, now);
  }
}

void Supervisor::timer(Slot slot, TimerKind kind, Instant now) {
  Unit& unit = units_[slot];
  switch (kind) {
    case TimerKind::state: return state_timer(slot, now);
    case TimerKind::pace:
      if (type_of(rule(slot)) == ServiceType::periodic) {
        // A run that is still going is never doubled; one that cannot go yet goes once when it can.
        if (unit.phase == Phase::none) {
          unit.due = true;
          return touch(slot);
        }
        unit.next_start = now + Milliseconds(rule(slot).schedule_every_ms);
        return arm(slot, TimerKind::pace, unit.next_start);
      }
      if (!unit.probe_out) return begin_probe(slot, now);
      push(effect::CancelProbe{.slot = slot, .run = unit.run});
      return on(
          event::ProbeDone{.slot = slot, .run = unit.run, .probe = unit.probe, .good = false, .reason = "no answer in time"},
          now);
    case TimerKind::run: return condemn(slot, Cause::run_timeout, now);
    case TimerKind::watchdog: return condemn(slot, Cause::watchdog, now);
    case TimerKind::copier: return start_copier(slot);
  }
}

void Supervisor::state_timer(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  switch (unit.state) {
    case State::waiting: unit.log_waited = true; return touch(slot);
    case State::backoff:
    case State::held: return enter(slot, State::waiting, now);
    case State::starting:
      if (unit.phase != Phase::before) return condemn(slot, Cause::ready_timeout, now);
      return kill_helper(slot);
    case State::up:
      if (unit.ending_itself) return condemn(slot, Cause::lingers, now);
      break;
    case State::down:
    case State::stopping:
    case State::failed:
    case State::skipped: break;
  }
  switch (unit.phase) {
    case Phase::before:
    case Phase::after: return kill_helper(slot);
    case Phase::stop_command:
      kill_helper(slot);
      if (unit.main_alive) signal_now(slot, now);
      return;
    case Phase::draining: unit.kill_at = deadline_ - reserve_ / 12; return signal_now(slot, now);
    case Phase::terminating:
    case Phase::leftovers: return kill_all(slot);
    case Phase::none:
    case Phase::lock:
    case Phase::spawning:
    case Phase::running:
    case Phase::stop_waits:
    case Phase::killing: return;
  }
}

void Supervisor::start_copier(Slot slot) {
  disarm(slot, TimerKind::copier);
  units_[slot].copier = Copier::on;
  ++copiers_;
  push(effect::StartCopier{.slot = slot});
  if (step_ == Step::running) report(ReportKind::copier_started, slot);
}

// While a logger has no process, a copier takes its place: after a while, or at once where it will not come back.
void Supervisor::tend_logger(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  if (step_ == Step::loggers && !unit.streams_closed) {
    unit.streams_closed = true;
    if (!unit.main_alive && unit.copier == Copier::off && unit.had_producers) start_copier(slot);
    push(effect::CloseStreams{.slot = slot});
  }
  if (unit.main_alive || unit.copier != Copier::off || unit.active_producers == 0 || step_ >= Step::loggers) {
    return disarm(slot, TimerKind::copier);
  }
  const bool stays_down = unit.state == State::down && (!unit.wanted || unit.ended);
  const bool for_good = unit.state == State::failed || unit.state == State::skipped || stays_down;
  if (for_good || step_ != Step::running) return start_copier(slot);
  const std::uint32_t key = slot * timer_kinds + static_cast<std::uint32_t>(TimerKind::copier);
  if (!timers_.armed(key)) arm(slot, TimerKind::copier, now + Milliseconds(5'000));
}

void Supervisor::on(const event::CopierEnded& event, Instant) {
  if (event.slot >= slots() || units_[event.slot].copier == Copier::off) return;
  units_[event.slot].copier = Copier::off;
  --copiers_;
  touch(event.slot);
}

}  // namespace hcrc

// The supervisor's view of the node as a whole: operators, CMD, readiness outward, and the steps of a shutdown:
//
//   running -> command -> services -> sweep -> loggers -> done
//
// CMD goes first, then services in the reverse of their start, then what no service owns, then loggers and what they need.
// The last part of the deadline is the reserve: the sweep's and the loggers'.
#include <algorithm>

#include "core/planted.h"
#include "core/supervisor.h"

namespace hcrc {

namespace {

constexpr Duration first_nag = std::chrono::seconds(10);
constexpr Duration longest_nag = std::chrono::hours(1);

}  // namespace

void Supervisor::look_at_node(Instant now) {
  if (booted_at_ == end_of_time) return;
  if (step_ != Step::running) return next_step(now);
  if (updating_ && departing() == 0) end_update(now);
  if (!was_healthy_ && unhealthy_ == 0) {
    was_healthy_ = true;
    push(effect::Outward{.ready = true});
  }
  if (unsettled_ == 0 && !was_settled_) {
    was_settled_ = true;
    report(NodeReportKind::settled, now - booted_at_);
  }
  if (unsettled_ == 0 && lock_waits_ == 0) {
    disarm(NodeTimer::nag);
    nag_interval_ = Duration::zero();
  } else if (nag_interval_ == Duration::zero()) {
    nag_interval_ = first_nag;
    arm(NodeTimer::nag, now + nag_interval_);
  }
  if (options_.command && !command_asked_ && (unsettled_ == 0 || command_waited_)) {
    command_asked_ = true;
    disarm(NodeTimer::command_wait);
    units_[command_slot()].wanted = true;
    touch(command_slot());
  }
}

void Supervisor::begin_shutdown(std::uint8_t code, ShutdownCause cause, Instant now) {
  if (step_ != Step::running) return;
  step_ = units_[command_slot()].active() ? Step::command : Step::services;
  exit_code_ = code;
  shutdown_cause_ = cause;
  deadline_ = now + options_.stop_deadline * (planted<Bug::deadline_doubled> ? 2 : 1);
  reserve_ = std::min<Duration>(Milliseconds(1'500), Duration(options_.stop_deadline) / 4);
  report(NodeReportKind::stopping, {}, cause.signal);
  push(effect::Outward{.ready = false});
  disarm(NodeTimer::command_wait);
  disarm(NodeTimer::nag);
  cut_stops(now);
  arm(NodeTimer::kill, deadline_ - reserve_);
  arm(NodeTimer::deadline, deadline_);
  touch_all();
}

void Supervisor::next_step(Instant now) {
  switch (step_) {
    case Step::command:
      if (units_[command_slot()].active() && !kill_everything_) return;
      step_ = Step::services;
      cut_stops(now);
      return touch_all();
    case Step::services:
      if ((active_ == 0 && !units_[command_slot()].active()) || planted<Bug::services_not_awaited>) begin_sweep(now);
      return;
    case Step::loggers:
      if (active_late_ > 0 || copiers_ > 0) return;
      step_ = Step::done;
      disarm(NodeTimer::deadline);
      disarm(NodeTimer::kill);
      report(NodeReportKind::gone, now - (deadline_ - options_.stop_deadline), exit_code_);
      push(effect::Exit{.code = exit_code_});
      return;
    case Step::running:
    case Step::sweep:
    case Step::done: return;
  }
}

// Stops that were going when the shutdown began are cut to what the deadline leaves.
void Supervisor::cut_stops(Instant now) {
  if (step_ != Step::services) return;
  for (Slot slot = 0; slot < slots(); ++slot) {
    Unit& unit = units_[slot];
    if (slot == command_slot_ || !unit.has_stop_time() || unit.late) continue;
    const Instant cut = now + stop_timeout(slot, now);
    if (cut >= unit.kill_at) continue;
    move_stop(slot, cut, now);
  }
}

// A stop that is going on has until `end` now. A stop command has half of the time, unless it is all that there is.
void Supervisor::move_stop(Slot slot, Instant end, Instant now) {
  Unit& unit = units_[slot];
  unit.kill_at = std::max(now, end);
  const bool half = unit.phase == Phase::stop_command && unit.main_alive;
  arm(slot, TimerKind::state, half ? std::max(now, unit.stop_began + (end - unit.stop_began) / 2) : unit.kill_at);
}

void Supervisor::begin_sweep(Instant now) {
  step_ = Step::sweep;
  disarm(NodeTimer::kill);
  arm(NodeTimer::sweep, std::min<Instant>(now + Milliseconds(3'000), deadline_ - reserve_ / 3));
  push(effect::Sweep{.signal = signals::sigterm});
}

void Supervisor::on(const event::OrphansGone&, Instant now) {
  if (step_ == Step::sweep && !planted<Bug::orphans_answer_lost>) close_logs(now);
}

void Supervisor::close_logs(Instant) {
  step_ = Step::loggers;
  disarm(NodeTimer::sweep);
  touch_all();
}

void Supervisor::node_timer(NodeTimer kind, Instant now) {
  switch (kind) {
    case NodeTimer::nag:
      report(NodeReportKind::waiting, now - booted_at_);
      nag_interval_ = std::min(nag_interval_ * 2, longest_nag);
      return arm(NodeTimer::nag, now + nag_interval_);
    case NodeTimer::command_wait: command_waited_ = true; return;
    case NodeTimer::kill: kill_everything_ = true; return touch_all();
    case NodeTimer::sweep:
      if (orphans_killed_) return close_logs(now);
      orphans_killed_ = true;
      report(NodeReportKind::sweeping);
      push(effect::Sweep{.signal = signals::sigkill});
      return arm(NodeTimer::sweep, deadline_ - reserve_ / 6);
    case NodeTimer::deadline:
      step_ = Step::done;
      report(NodeReportKind::deadline);
      push(effect::Exit{.code = exit_code_});
      return;
  }
}

// One timer a tick: the shell takes its effects, and comes back at once where more are due.
void Supervisor::on(const event::Tick&, Instant now) {
  if (timers_.earliest() > now) return;
  const std::uint32_t key = timers_.take();
  const Slot slot = key / timer_kinds;
  const std::uint32_t kind = key % timer_kinds;
  if (slot == slots()) return node_timer(static_cast<NodeTimer>(kind), now);
  timer(slot, static_cast<TimerKind>(kind), now);
}

void Supervisor::on(const event::Start& event, Instant now) {
  if (step_ != Step::running) return;
  each_of(event.slot, [this, now](Slot slot) {
    units_[slot].started_by_operator = true;
    ask(slot, now);
  });
}

void Supervisor::on(const event::Stop& event, Instant) {
  if (step_ != Step::running) return;
  each_of(event.slot, [this](Slot slot) {
    units_[slot].wanted = false;
    units_[slot].stopped_by_operator = true;
    units_[slot].started_by_operator = false;
    touch(slot);
  });
}

void Supervisor::on(const event::Restart& event, Instant now) {
  if (step_ != Step::running) return;
  each_of(event.slot, [this, now](Slot slot) {
    Unit& unit = units_[slot];
    unit.started_by_operator = true;
    const bool was_active = unit.active();
    if (was_active) {
      unit.restart_pending = true;
      unit.row = {};
      unit.restarts = 0;
      unit.holding = false;
    }
    ask(slot, now);
  });
}

void Supervisor::on(const event::Signal& event, Instant) {
  if (event.slot >= slots()) return;
  const Unit& unit = units_[event.slot];
  if (unit.main_alive) push(effect::SignalProcess{.slot = event.slot, .run = unit.run, .signal = event.signal});
}

void Supervisor::on(const event::Shutdown& event, Instant now) {
  if (step_ != Step::running) return report(NodeReportKind::still_stopping, {}, event.signal);
  begin_shutdown(event.code, {.slot = std::nullopt, .signal = event.signal, .requirement = false}, now);
}

}  // namespace hcrc

#include "core/simulation/checker.h"

#include <algorithm>
#include <string>
#include <utility>

namespace hcrc::simulation {

namespace {

ServiceType type_of(const format::ServiceRecord& rule) { return static_cast<ServiceType>(rule.type); }

bool in(const std::uint64_t (&codes)[4], std::uint8_t code) { return (codes[code / 64] >> (code % 64) & 1) != 0; }

// The contract's recurrence in whole thousandths, without the care for overflow that the real one needs: bounds are small
// here.
std::int64_t floor_milli(std::int64_t milliseconds, std::int64_t milli) {
  return static_cast<std::int64_t>(static_cast<__int128>(milliseconds) * milli / 1000);
}

}  // namespace

Checker::Checker(const Supervisor& supervisor, const Supervisor::Options& options)
    : supervisor_(supervisor),
      options_(options),
      books_(supervisor.slots()),
      copiers_(supervisor.slots(), false),
      stop_deadline_(options.stop_deadline) {
  for (Slot slot = 0; slot < books_.size(); ++slot) read_rules(slot);
}

std::vector<std::string> Checker::take_problems() { return std::exchange(problems_, {}); }

void Checker::broke(Slot slot, std::string_view what) {
  problems_.push_back(std::string(supervisor_.name(slot)) + ": " + std::string(what));
}

// The row of a service is judged by the rules that it was counted by.
void Checker::read_rules(Slot slot) {
  const format::ServiceRecord& rule = supervisor_.rule(slot);
  const std::array<std::int64_t, 7> rules = {
      rule.restart_attempts,     rule.restart_delay_ms,       rule.restart_factor_milli, rule.restart_max_delay_ms,
      rule.restart_jitter_milli, rule.restart_reset_after_ms, rule.restart_hold_ms};
  Book& book = books_[slot];
  if (rules == book.rules) return;
  book.rules = rules;
  book.unsure = true;
}

void Checker::pardon(Slot slot) {
  Book& book = books_[slot];
  book.unsure = book.resource_unsure = book.forgiven = true;
  book.due = end_of_time;
}

void Checker::updated() {
  commanded_ = true;
  books_.resize(supervisor_.slots());
  copiers_.resize(supervisor_.slots(), false);
  for (Slot slot = 0; slot < books_.size(); ++slot) {
    // What an operator stopped stays so.
    if (supervisor_.find(supervisor_.name(slot)) != slot) books_[slot].stopped = false;
    pardon(slot);
    read_rules(slot);
  }
}

// Events.

void Checker::event(const Event& event, Instant now) {
  if (exited_) return;
  commanded_ = false;
  std::visit([this, now](const auto& one) { happened(one, now); }, event);
}

void Checker::happened(const event::Spawned& event, Instant) {
  if (!ours(event) || event.role != Role::main) return;
  if (books_[event.slot].life == Life::asked) books_[event.slot].life = Life::alive;
}

void Checker::happened(const event::Skipped& event, Instant) {
  if (ours(event)) books_[event.slot].life = Life::none;
}

void Checker::happened(const event::LockBusy& event, Instant) {
  if (!ours(event)) return;
  Book& book = books_[event.slot];
  if (event.role == Role::main ? book.life == Life::none : !book.helper) return;
  if (event.role == Role::main) {
    book.life = Life::none;
  } else {
    book.helper = false;
  }
  book.lock_wait = true;
}

void Checker::happened(const event::LockFree& event, Instant) {
  if (ours(event)) books_[event.slot].lock_wait = false;
}

void Checker::happened(const event::StartFailed& event, Instant now) {
  if (!ours(event)) return;
  Book& book = books_[event.slot];
  if (event.role != Role::main) {
    book.helper = false;
    return;
  }
  if (book.life == Life::none) return;
  book.life = Life::none;
  book.start_failed = true;
  book.permanent = event.permanent;
  book.asked_to_stop = book.state == State::stopping && !book.condemned;
  book.ended_at = now;
}

void Checker::happened(const event::NoResource& event, Instant now) {
  if (!ours(event)) return;
  if (event.role == Role::main) {
    books_[event.slot].life = Life::none;
  } else {
    books_[event.slot].helper = false;
    books_[event.slot].no_helper_since = now;
  }
}

void Checker::happened(const event::Exited& event, Instant now) {
  if (!ours(event)) return;
  Book& book = books_[event.slot];
  if (event.role != Role::main) {
    book.helper = false;
    return;
  }
  if (book.life == Life::none) return;
  book.life = Life::none;
  book.exit = event.status;
  book.ended_at = now;
  book.asked_to_stop = book.state == State::stopping && !book.condemned;
  book.leftovers = event.leftovers;
  book.probe_out = false;
}

void Checker::happened(const event::LeftoversGone& event, Instant) {
  if (ours(event)) books_[event.slot].leftovers = false;
}

void Checker::happened(const event::Watchdog& event, Instant now) {
  if (ours(event) && books_[event.slot].state == State::up) books_[event.slot].watchdog_at = now;
}

void Checker::happened(const event::Stopping& event, Instant now) {
  if (!ours(event)) return;
  Book& book = books_[event.slot];
  const format::ServiceRecord& rule = supervisor_.rule(event.slot);
  const bool runs = book.state == State::up && book.life == Life::alive && type_of(rule) == ServiceType::longrun;
  if (runs && book.ends_itself_by == end_of_time) book.ends_itself_by = now + Milliseconds(rule.stop_timeout_ms);
}

void Checker::happened(const event::ProbeDone& event, Instant) {
  if (!ours(event)) return;
  Book& book = books_[event.slot];
  if (!book.probe_out || supervisor_.unit(event.slot).probe != event.probe) return;
  book.probe_out = false;
  book.bad_probes = event.good ? 0 : book.bad_probes + 1;
}

void Checker::happened(const event::CopierEnded& event, Instant) {
  if (event.slot < copiers_.size()) copiers_[event.slot] = false;
}

// An operator's start clears the history of what it reaches through requirements, where that is not running.
void Checker::forgive(Slot root) {
  commanded_ = true;
  std::vector<Slot> todo;
  std::vector<bool> seen(books_.size(), false);
  supervisor_.each_of(root, [&todo](Slot slot) { todo.push_back(slot); });
  while (!todo.empty()) {
    const Slot slot = todo.back();
    todo.pop_back();
    if (seen[slot]) continue;
    seen[slot] = true;
    pardon(slot);
    books_[slot].stopped = false;
    // What is asked for is what the graph in force says, whatever the run of one that departs was started with.
    const auto place = supervisor_.database().find(supervisor_.name(slot));
    if (!place) continue;
    for (const format::EdgeRecord& edge : supervisor_.database().dependencies(*place)) {
      if (edge.all_kinds().pulls()) todo.push_back(supervisor_.slot_at(edge.service));
    }
  }
}

void Checker::happened(const event::Start& event, Instant) { forgive(event.slot); }
void Checker::happened(const event::Restart& event, Instant) { forgive(event.slot); }

void Checker::happened(const event::Stop& event, Instant) {
  commanded_ = true;
  if (shutdown_at_ != end_of_time) return;
  supervisor_.each_of(event.slot, [this](Slot slot) { books_[slot].stopped = true; });
}

void Checker::happened(const event::Signal& event, Instant) {
  if (event.slot < books_.size() && books_[event.slot].life != Life::none) books_[event.slot].operator_signal = true;
}

// Changes of state.

void Checker::changed(Slot slot, State from, State to, Instant now) {
  if (slot >= books_.size()) return;
  Book& book = books_[slot];
  book.state = to;
  if (to == State::up) {
    book.up_at = book.watchdog_at = now;
    book.resource_delay = {};
    book.bad_probes = 0;
    if (type_of(supervisor_.rule(slot)) == ServiceType::oneshot && (book.life != Life::none || !success(slot)))
      broke(slot, "a oneshot is up and has not succeeded");
  }
  const bool waited = from == State::backoff || from == State::held;
  if (waited && to == State::waiting && !commanded_ && book.due != end_of_time && now != book.due)
    broke(slot, now < book.due ? "tried again before its time" : "tried again after its time");
}

// Effects.

void Checker::effect(const Effect& effect, Instant now) {
  std::visit([this, now](const auto& one) { took(one, now); }, effect);
}

void Checker::took(const effect::Spawn& effect, Instant now) {
  Book& book = books_[effect.slot];
  const format::ServiceRecord* record = supervisor_.definition(effect.slot).record;
  if (record != std::exchange(book.record, record)) pardon(effect.slot);
  if (book.life != Life::none && effect.role != Role::stop_command) broke(effect.slot, "a second process");
  if (book.helper) broke(effect.slot, "a process beside a cleanup or stop command");
  if (book.lock_wait) broke(effect.slot, "a process while it waits for its lock");
  if (effect.run < book.run) broke(effect.slot, "a run number that was there before");
  if (effect.role != Role::main) {
    book.helper = true;
    book.helper_role = effect.role;
    book.run = effect.run;
    if (effect.role == Role::stop_command) book.stop_began = now;
    return;
  }
  if (book.leftovers) broke(effect.slot, "a process while what the last run left is there");
  if (shutdown_at_ != end_of_time) broke(effect.slot, "a process in a shutdown");
  if (book.stopped) broke(effect.slot, "a process of what an operator stopped");
  for (const Links::Link& link : supervisor_.dependencies(effect.slot)) {
    const State state = books_[link.service].state;
    if (link.kinds.requirement() && state != State::up && state != State::skipped)
      broke(effect.slot, "a process while a requirement is not up");
  }
  // A periodic is up between its runs, too.
  const bool periodic = type_of(supervisor_.rule(effect.slot)) == ServiceType::periodic;
  supervisor_.each_dependent(effect.slot, [&](Slot dependent, EdgeKinds kinds) {
    if (kinds.has(EdgeKind::binds_to) && books_[dependent].life != Life::none && !periodic)
      broke(effect.slot, "a process while one that is bound to it lives");
  });
  if (book.due != end_of_time && now < book.due && !periodic) broke(effect.slot, "a process before its delay is over");
  book.life = Life::asked;
  book.run = effect.run;
  book.condemned = book.permanent = book.start_failed = book.told_end = book.asked_to_stop = false;
  book.forgiven = false;
  book.probe_out = book.cont_due = book.operator_signal = false;
  book.exit = {};
  book.bad_probes = 0;
  book.spawned_at = now;
  book.up_at = book.ended_at = book.due = end_of_time;
  book.stop_began = book.stop_signal_at = book.ends_itself_by = end_of_time;
}

void Checker::took(const effect::SignalProcess& effect, Instant now) {
  Book& book = books_[effect.slot];
  if (book.life == Life::none || book.run != effect.run)
    return broke(effect.slot, "a signal to a process that is not there");
  if (book.operator_signal) {
    book.operator_signal = false;
    return;
  }
  const format::ServiceRecord& rule = supervisor_.rule(effect.slot);
  if (effect.signal == signals::sigkill) return check_kill(effect.slot, now);
  if (effect.signal == signals::sigcont) {
    book.cont_due = false;
    return;
  }
  if (effect.slot == supervisor_.command_slot() && effect.signal == signals::sighup) return;
  if (effect.signal != rule.stop_signal) return broke(effect.slot, "a signal that is not its stop signal");
  if (book.stop_signal_at != end_of_time) return broke(effect.slot, "its stop signal twice");
  book.stop_signal_at = now;
  if (book.stop_began == end_of_time) book.stop_began = now;
  book.cont_due = true;
}

// A stop has its timeout; in a shutdown at least an even share of what is left before the reserve, which kills all.
void Checker::check_kill(Slot slot, Instant now) {
  const Book& book = books_[slot];
  const Milliseconds timeout(supervisor_.rule(slot).stop_timeout_ms);
  if (shutdown_at_ == end_of_time) {
    if (book.stop_signal_at == end_of_time) return broke(slot, "SIGKILL without a stop signal");
    if (now - book.stop_began < timeout) broke(slot, "SIGKILL before its stop timeout");
    return;
  }
  const Instant deadline = shutdown_at_ + stop_deadline_;
  const Instant end = deadline - std::min<Duration>(Milliseconds(1'500), Duration(stop_deadline_) / 4);
  if (now >= end) return;
  if (book.stop_began == end_of_time) return broke(slot, "SIGKILL in a shutdown without a stop signal");
  const Instant began = std::max(book.stop_began, shutdown_at_);
  const Duration share = (end - began) / static_cast<std::int64_t>(books_.size() + 1) - Milliseconds(2);
  if (now - book.stop_began < timeout && now - began < share) broke(slot, "SIGKILL before its share of the time");
}

void Checker::took(const effect::KillHelper& effect, Instant now) {
  const Book& book = books_[effect.slot];
  // It may not have come into being between the decision and its taking.
  if (!book.helper && book.no_helper_since == now) return;
  if (!book.helper || book.helper_role != effect.role) broke(effect.slot, "a cleanup or stop command is ended that is none");
}

void Checker::took(const effect::EndLockWait& effect, Instant) {
  if (!books_[effect.slot].lock_wait) broke(effect.slot, "a wait for a lock is ended that is none");
  books_[effect.slot].lock_wait = false;
}

void Checker::took(const effect::Probe& effect, Instant) {
  Book& book = books_[effect.slot];
  if (book.probe_out) broke(effect.slot, "a second probe");
  if (book.life == Life::none || (book.state != State::starting && book.state != State::up))
    broke(effect.slot, "a probe of what does not run");
  if (book.ends_itself_by != end_of_time) broke(effect.slot, "a probe of what said that it was stopping");
  book.probe_out = true;
}

// A probe that is cancelled because it took too long has failed; of others nobody asks.
void Checker::took(const effect::CancelProbe& effect, Instant) {
  Book& book = books_[effect.slot];
  if (book.probe_out) ++book.bad_probes;
  book.probe_out = false;
}

void Checker::took(const effect::StartCopier& effect, Instant) {
  if (copiers_[effect.slot]) broke(effect.slot, "a second copier");
  if (books_[effect.slot].life != Life::none) broke(effect.slot, "a copier beside a logger that runs");
  copiers_[effect.slot] = true;
}

void Checker::took(const effect::Report& effect, Instant now) {
  Book& book = books_[effect.slot];
  switch (effect.kind) {
    case ReportKind::restarts:
    case ReportKind::failed:
    case ReportKind::held:
    case ReportKind::ended: return check_end(effect, now);
    case ReportKind::no_resource: {
      const Milliseconds next =
          book.resource_delay.count() == 0 ? Milliseconds(100) : std::min(Milliseconds(5'000), book.resource_delay * 2);
      const bool anew = std::exchange(book.resource_unsure, false) && effect.next == Milliseconds(100);
      if (effect.next != next && !anew) broke(effect.slot, "another delay than the row of lacking resources has");
      book.resource_delay = effect.next;
      book.due = book.forgiven ? end_of_time : now + effect.next;
      return;
    }
    case ReportKind::condemned: return check_condemned(effect.slot, now);
    case ReportKind::cannot_start: book.told_dead = true; return;
    case ReportKind::started:
    case ReportKind::ready:
    case ReportKind::done:
    case ReportKind::skipped:
    case ReportKind::lock_busy:
    case ReportKind::stopping:
    case ReportKind::killing:
    case ReportKind::stopped:
    case ReportKind::leftovers:
    case ReportKind::cleanup_failed:
    case ReportKind::stop_command_failed:
    case ReportKind::run_failed:
    case ReportKind::copier_started: return;
  }
}

void Checker::check_condemned(Slot slot, Instant now) {
  Book& book = books_[slot];
  book.condemned = true;
  const format::ServiceRecord& rule = supervisor_.rule(slot);
  const Duration ran = now - book.spawned_at;
  if (type_of(rule) != ServiceType::longrun) {
    if (rule.timeout_ms < 0 || ran < Milliseconds(rule.timeout_ms)) broke(slot, "ended before its timeout");
  } else if (book.up_at == end_of_time) {
    if (ran < Milliseconds(rule.ready_timeout_ms)) broke(slot, "ended before its time to get ready was over");
  } else {
    const bool ill =
        static_cast<HealthKind>(rule.health_kind) != HealthKind::none && book.bad_probes >= rule.health_failures;
    const bool silent = rule.watchdog_ms >= 0 && now - book.watchdog_at >= Milliseconds(rule.watchdog_ms);
    if (book.ends_itself_by != end_of_time) {
      if (now < book.ends_itself_by && shutdown_at_ == end_of_time)
        broke(slot, "said that it was stopping, and was ended before its time for that was over");
    } else if (!ill && !silent) {
      broke(slot, "ended for its health, which is good");
    }
  }
}

bool Checker::success(Slot slot) const {
  const ExitStatus& exit = books_[slot].exit;
  return exit.kind == ExitStatus::Kind::code && in(supervisor_.rule(slot).success_codes, exit.value);
}

bool Checker::permanent(Slot slot) const {
  const Book& book = books_[slot];
  const format::ServiceRecord& rule = supervisor_.rule(slot);
  if (book.start_failed) return book.permanent && !book.condemned;
  const bool code = !book.condemned && book.exit.kind == ExitStatus::Kind::code;
  return code && in(rule.permanent_codes, book.exit.value);
}

bool Checker::attempts_used(Slot slot) const {
  const format::ServiceRecord& rule = supervisor_.rule(slot);
  const Book& book = books_[slot];
  return book.holding || (rule.restart_attempts != RestartRule::unlimited && book.counted >= rule.restart_attempts);
}

Exhausted Checker::exhausted(Slot slot) const {
  const format::ServiceRecord& rule = supervisor_.rule(slot);
  if (rule.essential != 0 && options_.essential_exhausted) return *options_.essential_exhausted;
  return static_cast<Exhausted>(rule.exhausted);
}

// The end of a run that nobody asked for: what follows is what the policy says.
void Checker::check_end(const effect::Report& report, Instant) {
  const Slot slot = report.slot;
  Book& book = books_[slot];
  const format::ServiceRecord& rule = supervisor_.rule(slot);
  if (slot == supervisor_.command_slot()) return;
  if (book.told_end) broke(slot, "its end is told twice");
  book.told_end = true;
  if (shutdown_at_ != end_of_time) broke(slot, "an end counts in a shutdown");
  if (book.asked_to_stop) broke(slot, "a stop that was asked for counts as an end");
  if (book.up_at != end_of_time && book.ended_at - book.up_at >= Milliseconds(rule.restart_reset_after_ms) &&
      type_of(rule) != ServiceType::bundle) {
    book.counted = 0;
    book.delay = {};
    book.holding = book.unsure = false;
  }
  const auto policy = static_cast<RestartPolicy>(rule.restart_policy);
  const bool well = !book.condemned && !book.start_failed && success(slot);
  if (well && policy != RestartPolicy::always) {
    if (report.kind != ReportKind::ended) broke(slot, "a clean end that its policy does not restart is taken for another");
  } else if (!well && (permanent(slot) || policy == RestartPolicy::never)) {
    if (report.kind != ReportKind::failed) broke(slot, "a failure for good is tried again");
  } else if (report.kind == ReportKind::restarts) {
    if (!book.unsure && attempts_used(slot)) broke(slot, "more restarts than attempts");
    check_restart(slot, report.next);
    book.due = book.forgiven ? end_of_time : book.ended_at + report.next;
  } else if (report.kind == ReportKind::held) {
    if (!book.unsure && !attempts_used(slot)) broke(slot, "held with attempts left");
    if (exhausted(slot) != Exhausted::hold) broke(slot, "held, which it is not to be");
    if (report.next != Milliseconds(rule.restart_hold_ms)) broke(slot, "held for another time than its hold");
    book.holding = true;
    book.due = book.forgiven ? end_of_time : book.ended_at + report.next;
  } else if (report.kind == ReportKind::failed) {
    if (!book.unsure && !attempts_used(slot)) broke(slot, "failed with attempts left");
    if (exhausted(slot) == Exhausted::hold) broke(slot, "failed where it is to be held");
  } else {
    broke(slot, "ended, which its policy restarts");
  }
}

void Checker::check_restart(Slot slot, Milliseconds next) {
  Book& book = books_[slot];
  const format::ServiceRecord& rule = supervisor_.rule(slot);
  const auto fits = [&rule, next](std::int64_t base) {
    return next.count() >= base && next.count() <= base + floor_milli(base, rule.restart_jitter_milli);
  };
  const std::int64_t first = rule.restart_delay_ms;
  const std::int64_t further =
      std::min(rule.restart_max_delay_ms, floor_milli(book.delay.count(), rule.restart_factor_milli));
  const std::int64_t expected = book.counted == 0 ? first : further;
  const bool anew = book.unsure && book.counted > 0 && !fits(expected) && fits(first);
  if (!fits(expected) && !anew) {
    if (!book.unsure) broke(slot, "another delay than the recurrence has");
    // After an update by other rules nothing is known of the row but its bounds.
    if (next.count() > rule.restart_max_delay_ms + floor_milli(rule.restart_max_delay_ms, rule.restart_jitter_milli))
      broke(slot, "a delay beyond its bounds");
    return;
  }
  if (anew) book.counted = 0;
  ++book.counted;
  book.delay = Milliseconds(anew ? first : expected);
}

void Checker::took(const effect::NodeReport& effect, Instant now) {
  if (effect.kind == NodeReportKind::stopping) shutdown_at_ = now;
}

void Checker::took(const effect::Outward& effect, Instant) {
  if (effect.ready && told_ready_) broke(supervisor_.command_slot(), "readiness is told twice");
  if (effect.ready) told_ready_ = true;
}

void Checker::took(const effect::Exit&, Instant now) {
  exited_ = true;
  if (now - shutdown_at_ > stop_deadline_) broke(supervisor_.command_slot(), "the shutdown took longer than its deadline");
}

// Between two events.

void Checker::settled() {
  if (exited_) return;
  bool anything = sweeping_;
  for (Slot slot = 0; slot < books_.size(); ++slot) {
    Book& book = books_[slot];
    const bool process = book.life != Life::none || book.helper;
    anything = anything || process || book.leftovers || copiers_[slot];
    if (book.cont_due) broke(slot, "a stop signal without SIGCONT");
    book.cont_due = false;
    const ServiceType type = type_of(supervisor_.rule(slot));
    switch (book.state) {
      case State::starting:
        if (!process) broke(slot, "starting without a process");
        break;
      case State::up:
        if (type == ServiceType::longrun && book.life == Life::none) broke(slot, "up without a process");
        if (type == ServiceType::oneshot && process) broke(slot, "a oneshot that is up has a process");
        break;
      case State::stopping: break;
      case State::down:
      case State::waiting:
      case State::backoff:
      case State::held:
      case State::failed:
      case State::skipped:
        if (process || book.leftovers) broke(slot, "a process in a state that has none");
        break;
    }
  }
  if (shutdown_at_ != end_of_time && !anything)
    broke(supervisor_.command_slot(), "nothing is left, and the shutdown goes on");
  commanded_ = false;
}

void Checker::finished() {
  for (Slot slot = 0; slot < books_.size(); ++slot) {
    if (books_[slot].state == State::up && books_[slot].ends_itself_by != end_of_time)
      broke(slot, "said that it was stopping, and nobody ends it");
    if (books_[slot].state != State::waiting || books_[slot].told_dead) continue;
    for (const Links::Link& link : supervisor_.dependencies(slot)) {
      if (link.kinds.requirement() && books_[link.service].state == State::failed)
        broke(slot, "waits for what has failed, and did not say so");
    }
  }
}

}  // namespace hcrc::simulation

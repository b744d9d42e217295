#include "core/supervisor.h"

#include <algorithm>
#include <cassert>

namespace hcrc {

namespace {

// CMD as a service: essential, started once, ended by SIGTERM within the default time.
format::ServiceRecord command_rule() {
  format::ServiceRecord rule{};
  rule.type = static_cast<std::uint8_t>(ServiceType::longrun);
  rule.ready_kind = static_cast<std::uint8_t>(ReadyKind::spawned);
  rule.ready_timeout_ms = 60'000;
  rule.restart_policy = static_cast<std::uint8_t>(RestartPolicy::never);
  rule.restart_factor_milli = 1'000;
  rule.success_codes[0] = 1;
  rule.stop_signal = signals::sigterm;
  rule.stop_timeout_ms = 10'000;
  rule.watchdog_ms = -1;
  rule.timeout_ms = -1;
  rule.essential = 1;
  return rule;
}

}  // namespace

Supervisor::Supervisor(const Database& database, const Options& options)
    : database_(database),
      options_(options),
      command_rule_(command_rule()),
      units_(database.size() + 1),
      timers_(static_cast<std::uint32_t>((database.size() + 2) * timer_kinds)),
      random_(options.seed),
      publishing_(database.size() + 1),
      acting_(database.size() + 1),
      asked_(database.size(), 0),
      stop_tail_ms_(database.size() + 1, 0),
      stop_levels_(database.size() + 1, 0) {
  std::size_t edges = 0;
  for (Slot slot = 0; slot < size(); ++slot) {
    units_[slot].essential = database_.service(slot).essential != 0;
    units_[slot].env_skipped = !options_.env_skipped.empty() && options_.env_skipped[slot];
    edges += database_.dependencies(slot).size() + database_.contents(slot).size();
  }
  units_[command_slot()].essential = true;
  // A service is expanded twice at most (as a requirement, and otherwise), a bundle too; and everything may be a root.
  to_ask_.reserve(2 * edges + database.size() + 1);
  count_initial_facts();
  find_late_and_tails();
}

// Nobody holds a fact yet: what is counted is every neighbour that is not yet up, passed, open.
void Supervisor::count_initial_facts() {
  std::vector<Slot> watched;
  for (Slot slot = 0; slot < size(); ++slot) {
    Unit& unit = units_[slot];
    for (const format::EdgeRecord& edge : database_.dependencies(slot)) {
      const EdgeKinds kinds(static_cast<std::uint8_t>(edge.kinds));
      if (kinds.requirement()) ++unit.unmet;
      if (kinds.has(EdgeKind::wants) || kinds.has(EdgeKind::after)) ++unit.unpassed;
      if (kinds.has(EdgeKind::binds_to)) ++unit.bound_unmet;
      if (kinds.has(EdgeKind::log_to)) {
        ++unit.log_closed;
        units_[edge.service].logger = true;
      }
    }
    if (unit.essential) {
      unit.watched = true;
      watched.push_back(slot);
    }
  }
  // `health` looks at what is essential and all that it requires; where nothing is, at everything.
  const bool any_essential = !watched.empty();
  while (!watched.empty()) {
    const Slot slot = watched.back();
    watched.pop_back();
    for (const format::EdgeRecord& edge : database_.dependencies(slot)) {
      if (!EdgeKinds(static_cast<std::uint8_t>(edge.kinds)).requirement() || units_[edge.service].watched) continue;
      units_[edge.service].watched = true;
      watched.push_back(edge.service);
    }
  }
  for (Slot slot = 0; slot < size(); ++slot) {
    const bool bundle = database_.service(slot).type == static_cast<std::uint8_t>(ServiceType::bundle);
    if (!any_essential && !bundle) units_[slot].watched = true;
    if (units_[slot].watched) ++unhealthy_;
  }
  unsettled_ = size();
}

// Loggers, and what they need, stop after the sweep. What stops after a service on its longest path needs the time that is
// written there, or a second (contract, section 4, [stop]).
void Supervisor::find_late_and_tails() {
  std::vector<Slot> by_level(size());
  for (Slot slot = 0; slot < size(); ++slot) by_level[slot] = slot;
  std::stable_sort(by_level.begin(), by_level.end(),
                   [this](Slot a, Slot b) { return database_.service(a).level < database_.service(b).level; });
  for (auto slot = by_level.rbegin(); slot != by_level.rend(); ++slot) {
    units_[*slot].late = units_[*slot].late || units_[*slot].logger;
    if (!units_[*slot].late) continue;
    for (const format::EdgeRecord& edge : database_.dependencies(*slot)) units_[edge.service].late = true;
  }
  for (const Slot slot : by_level) {
    for (const format::EdgeRecord& edge : database_.dependencies(slot)) {
      if (units_[edge.service].late) continue;
      const format::ServiceRecord& other = database_.service(edge.service);
      const bool instant = other.type == static_cast<std::uint8_t>(ServiceType::oneshot) && other.stop_command.count == 0;
      const std::int64_t own = other.stop_timeout_written != 0 ? other.stop_timeout_ms : 1'000;
      stop_tail_ms_[slot] = std::max(stop_tail_ms_[slot], stop_tail_ms_[edge.service] + (instant ? 0 : own));
      stop_levels_[slot] = std::max(stop_levels_[slot], stop_levels_[edge.service] + (instant ? 0 : 1));
    }
  }
}

void Supervisor::touch(Slot slot) {
  publishing_.add(slot);
  acting_.add(slot);
}

void Supervisor::touch_all() {
  for (Slot slot = 0; slot <= size(); ++slot) touch(slot);
}

bool Supervisor::stops_now(Slot slot) const {
  if (slot == command_slot()) return step_ >= Step::command;
  return step_ >= (units_[slot].late ? Step::loggers : Step::services);
}

bool Supervisor::settled(Slot slot) const { return (units_[slot].facts & settled_fact) != 0; }
bool Supervisor::healthy(Slot slot) const { return !units_[slot].watched || (units_[slot].facts & well) != 0; }

std::uint16_t Supervisor::facts_of(Slot slot) const {
  const Unit& unit = units_[slot];
  unsigned facts = 0;
  const bool met = unit.state == State::up || unit.state == State::skipped;
  const bool over = unit.state == State::failed || unit.ended;
  if (met) facts |= satisfied;
  if (met || over || !unit.wanted || unit.state == State::held ||
      (unit.state == State::waiting && (unit.phase == Phase::lock || unit.stuck_requirements > 0))) {
    facts |= settled_fact;
  }
  if ((facts & settled_fact) != 0 || unit.attempt_failed) facts |= passed;
  if (!unit.wanted || over || unit.restart_pending || stops_now(slot) ||
      (unit.state != State::skipped && (unit.gone_requirements > 0 || unit.bound_unmet > 0))) {
    facts |= gone;
  }
  if (unit.wanted && (over || (unit.state != State::skipped && unit.dead_requirements > 0))) facts |= dead;
  if (unit.stopped_by_operator || unit.parked_requirements > 0) facts |= parked;
  if (unit.attempted || (facts & settled_fact) != 0) facts |= log_open;
  if (unit.active()) facts |= active_fact;
  // A stop that has begun is gone through with, even if what asked for it changes its mind.
  if (unit.active() && ((facts & gone) != 0 || being_stopped(unit))) facts |= leaving;
  if (met || unit.ended || !unit.wanted || (facts & parked) != 0) facts |= well;
  if (unit.phase == Phase::lock) facts |= lock_waiting;
  return static_cast<std::uint16_t>(facts);
}

void Supervisor::publish(Slot slot) {
  Unit& unit = units_[slot];
  const std::uint16_t facts = facts_of(slot);
  const auto changed = static_cast<std::uint16_t>(facts ^ unit.facts);
  if (changed == 0) return;
  unit.facts = facts;
  if (slot == command_slot()) return;
  constexpr unsigned to_dependents = satisfied | settled_fact | passed | gone | dead | parked | log_open;
  constexpr unsigned to_dependencies = active_fact | leaving;
  if ((changed & to_dependents) != 0) tell_dependents(slot, changed, facts);
  if ((changed & to_dependencies) != 0) tell_dependencies(slot, changed, facts);
  count_node(slot, changed, facts);
}

namespace {

// A count of neighbours that hold a fact, and one of those that do not.
void count_held(std::uint32_t& count, bool held) { held ? ++count : --count; }
void count_missing(std::uint32_t& count, bool held) { held ? --count : ++count; }

}  // namespace

void Supervisor::tell_dependents(Slot slot, std::uint16_t changed, std::uint16_t facts) {
  const bool was_stuck = ((facts ^ changed) & (settled_fact | satisfied)) == settled_fact;
  const bool is_stuck = (facts & (settled_fact | satisfied)) == settled_fact;
  for (const format::EdgeRecord& edge : database_.dependents(slot)) {
    const EdgeKinds kinds(static_cast<std::uint8_t>(edge.kinds));
    Unit& other = units_[edge.service];
    if (kinds.requirement()) {
      if ((changed & satisfied) != 0) count_missing(other.unmet, (facts & satisfied) != 0);
      if ((changed & gone) != 0) count_held(other.gone_requirements, (facts & gone) != 0);
      if ((changed & dead) != 0) count_held(other.dead_requirements, (facts & dead) != 0);
      if ((changed & parked) != 0) count_held(other.parked_requirements, (facts & parked) != 0);
      if (was_stuck != is_stuck) count_held(other.stuck_requirements, is_stuck);
    }
    if (kinds.has(EdgeKind::binds_to) && (changed & satisfied) != 0)
      count_missing(other.bound_unmet, (facts & satisfied) != 0);
    if ((kinds.has(EdgeKind::wants) || kinds.has(EdgeKind::after)) && (changed & passed) != 0) {
      count_missing(other.unpassed, (facts & passed) != 0);
    }
    if (kinds.has(EdgeKind::log_to) && (changed & log_open) != 0) count_missing(other.log_closed, (facts & log_open) != 0);
    touch(edge.service);
  }
}

void Supervisor::tell_dependencies(Slot slot, std::uint16_t changed, std::uint16_t facts) {
  for (const format::EdgeRecord& edge : database_.dependencies(slot)) {
    const EdgeKinds kinds(static_cast<std::uint8_t>(edge.kinds));
    Unit& other = units_[edge.service];
    if ((changed & leaving) != 0) count_held(other.leaving_dependents, (facts & leaving) != 0);
    if ((changed & active_fact) != 0) {
      if (kinds.requirement()) count_held(other.active_requirers, (facts & active_fact) != 0);
      if (kinds.has(EdgeKind::binds_to)) count_held(other.bound_active, (facts & active_fact) != 0);
      if (kinds.has(EdgeKind::log_to)) {
        count_held(other.active_producers, (facts & active_fact) != 0);
        other.had_producers = true;
      }
    }
    touch(edge.service);
  }
}

void Supervisor::count_node(Slot slot, std::uint16_t changed, std::uint16_t facts) {
  const Unit& unit = units_[slot];
  if ((changed & settled_fact) != 0) count_missing(unsettled_, (facts & settled_fact) != 0);
  if ((changed & well) != 0 && unit.watched) count_missing(unhealthy_, (facts & well) != 0);
  if ((changed & active_fact) != 0) count_held(unit.late ? active_late_ : active_, (facts & active_fact) != 0);
  if ((changed & lock_waiting) != 0) count_held(lock_waits_, (facts & lock_waiting) != 0);
}

void Supervisor::work(Instant now) {
  while (effect_count_ == 0) {
    ++steps_;
    if (!publishing_.empty()) {
      publish(publishing_.take());
    } else if (!acting_.empty()) {
      act(acting_.take(), now);
    } else {
      look_at_node(now);
      if (!pending()) return;
    }
  }
}

void Supervisor::push(Effect effect) {
  assert(effect_count_ < effect_room);
  effects_[(first_effect_ + effect_count_++) % effect_room] = effect;
}

void Supervisor::report(ReportKind kind, Slot slot, Duration took, Milliseconds next_start, std::int32_t number) {
  push(effect::Report{.kind = kind, .slot = slot, .took = took, .next = next_start, .number = number});
}

void Supervisor::report(NodeReportKind kind, Duration took, std::int32_t number) {
  push(effect::NodeReport{.kind = kind, .took = took, .number = number});
}

void Supervisor::handle(const Event& event, Instant now) {
  if (step_ == Step::done) return;
  std::visit([this, now](const auto& alternative) { on(alternative, now); }, event);
}

std::optional<Effect> Supervisor::next(Instant now) {
  if (effect_count_ == 0) work(now);
  if (effect_count_ == 0) return std::nullopt;
  const Effect effect = effects_[first_effect_];
  first_effect_ = (first_effect_ + 1) % effect_room;
  --effect_count_;
  return effect;
}

void Supervisor::enter(Slot slot, State state, Instant now) {
  Unit& unit = units_[slot];
  if (unit.state != state) {
    if (observer_ != nullptr) observer_(observer_context_, slot, unit.state, state, now);
    unit.state = state;
    unit.since = now;
  }
  touch(slot);
}

NodeState Supervisor::node_state() const {
  if (step_ != Step::running) return NodeState::stopping;
  return was_settled_ ? NodeState::up : NodeState::starting;
}

std::uint32_t Supervisor::restarts(Slot slot, Instant now) const {
  const Unit& unit = units_[slot];
  return unit.state == State::up && earns_new_row(rule(slot), unit.ready_at, now) ? 0 : unit.restarts;
}

Exhausted Supervisor::exhausted(Slot slot) const {
  if (units_[slot].essential && options_.essential_exhausted) return *options_.essential_exhausted;
  return static_cast<Exhausted>(rule(slot).exhausted);
}

}  // namespace hcrc

#include "core/supervisor.h"

#include <algorithm>
#include <cassert>

#include "core/planted.h"

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

// Of a slot without a service: a name that never runs.
format::ServiceRecord vacant_rule() {
  format::ServiceRecord rule = command_rule();
  rule.type = static_cast<std::uint8_t>(ServiceType::bundle);
  rule.essential = 0;
  return rule;
}

}  // namespace

Supervisor::Supervisor(std::shared_ptr<const Database> database, const Options& options)
    : database_(std::move(database)),
      options_(options),
      command_rule_(command_rule()),
      vacant_rule_(vacant_rule()),
      command_slot_(static_cast<Slot>(database_->size())),
      definitions_(command_slot_ + 1),
      rules_(command_slot_ + 1, &command_rule_),
      place_(command_slot_ + 1, format::none),
      slot_at_(command_slot_),
      units_(command_slot_ + 1, options.memory),
      timers_((command_slot_ + 2) * timer_kinds, options.memory),
      random_(options.seed),
      publishing_(command_slot_ + 1, options.memory),
      acting_(command_slot_ + 1, options.memory),
      asked_(command_slot_ + 1, 0),
      stop_tail_ms_(command_slot_ + 1, 0),
      stop_levels_(command_slot_ + 1, 0) {
  std::size_t asks = command_slot_ + 1;
  std::vector<Links::Declared> declared;
  for (Slot slot = 0; slot < command_slot_; ++slot) {
    definitions_[slot] = definition_of(database_, slot);
    rules_[slot] = definitions_[slot].record;
    place_[slot] = slot_at_[slot] = slot;
    units_[slot].env_skipped = !options_.env_skipped.empty() && options_.env_skipped[slot];
    for (const format::EdgeRecord& edge : database_->dependencies(slot)) {
      declared.push_back({.from = slot, .to = edge.service, .kinds = edge.all_kinds(), .old = false});
    }
    asks += 2 * (database_->dependencies(slot).size() + database_->contents(slot).size());
  }
  // A service is expanded twice at most (as a requirement, and otherwise), a bundle too; and everything may be a root.
  to_ask_.reserve(asks);
  links_ = Links(command_slot_ + 1, declared);
  find_roles();
  count_facts();
}

std::optional<Slot> Supervisor::find(std::string_view name) const {
  const auto place = database_->find(name);
  if (!place) return std::nullopt;
  return slot_at_[*place];
}

std::string_view Supervisor::name(Slot slot) const {
  if (slot == command_slot_) return "CMD";
  const Definition& definition = definitions_[slot];
  return definition.record == nullptr ? std::string_view() : definition.database->name(definition.index);
}

// Counts all facts that are published, from scratch.
void Supervisor::count_facts() {
  unsettled_ = unhealthy_ = active_ = active_late_ = lock_waits_ = 0;
  for (Unit& unit : units_) static_cast<CountsAbove&>(unit) = {};
  for (Slot slot = 0; slot < slots(); ++slot) {
    if (slot == command_slot_) continue;
    const Unit& unit = units_[slot];
    count_below(slot);
    if ((unit.facts & (active_fact | leaving)) != 0) tell_dependencies(slot, unit.facts, unit.facts);
    if ((unit.facts & settled_fact) == 0) ++unsettled_;
    if (unit.watched && (unit.facts & well) == 0) ++unhealthy_;
    if ((unit.facts & active_fact) != 0) ++(unit.late ? active_late_ : active_);
    if ((unit.facts & lock_waiting) != 0) ++lock_waits_;
  }
}

// The facts of all that a service depends on.
void Supervisor::count_below(Slot slot) {
  Unit& unit = units_[slot];
  static_cast<CountsBelow&>(unit) = {};
  for (const Links::Link& link : dependencies(slot)) {
    const std::uint16_t facts = units_[link.service].facts;
    const auto count = [facts](std::uint32_t& counter, Fact fact, bool held) {
      if (((facts & fact) != 0) == held) ++counter;
    };
    if (link.kinds.requirement()) {
      count(unit.unmet, satisfied, false);
      count(unit.gone_requirements, gone, true);
      count(unit.dead_requirements, dead, true);
      count(unit.parked_requirements, parked, true);
      if ((facts & (settled_fact | satisfied)) == settled_fact) ++unit.stuck_requirements;
    }
    if (link.kinds.has(EdgeKind::binds_to)) count(unit.bound_unmet, satisfied, false);
    if (link.kinds.has(EdgeKind::wants) || link.kinds.has(EdgeKind::after)) count(unit.unpassed, passed, false);
    if (link.kinds.has(EdgeKind::log_to)) count(unit.log_closed, log_open, false);
  }
}

// What the graph makes of each service. While something departs both graphs have their say.
void Supervisor::find_roles() {
  find_loggers();
  find_watched();
  find_tails();
}

// Loggers, and what they need, stop after the sweep.
void Supervisor::find_loggers() {
  const auto each_link = [this](Slot slot, auto each) {
    for (const Links::Link& link : links_.dependencies(slot)) each(link);
    if (!units_[slot].departing) return;
    for (const Links::Link& link : links_.old_dependencies(slot)) each(link);
  };
  for (Unit& unit : units_) unit.logger = unit.late = false;
  for (Slot slot = 0; slot < slots(); ++slot) {
    each_link(slot, [this](const Links::Link& link) {
      if (link.kinds.has(EdgeKind::log_to)) units_[link.service].logger = true;
    });
  }
  const auto order = links_.order();
  for (auto slot = order.rbegin(); slot != order.rend(); ++slot) {
    Unit& unit = units_[*slot];
    unit.late = unit.late || unit.logger;
    if (unit.late) each_link(*slot, [this](const Links::Link& link) { units_[link.service].late = true; });
  }
}

// `health` looks at what is essential and all that it requires; where nothing is, at everything.
void Supervisor::find_watched() {
  bool any_essential = false;
  for (Slot slot = 0; slot < slots(); ++slot) {
    Unit& unit = units_[slot];
    const std::uint32_t place = place_[slot];
    unit.essential = slot == command_slot_ || (place != format::none && database_->service(place).essential != 0);
    unit.watched = unit.essential && slot != command_slot_;
    any_essential = any_essential || unit.watched;
  }
  const auto order = links_.order();
  for (auto slot = order.rbegin(); slot != order.rend(); ++slot) {
    if (!units_[*slot].watched) continue;
    for (const Links::Link& link : links_.dependencies(*slot)) {
      if (link.kinds.requirement()) units_[link.service].watched = true;
    }
  }
  if (any_essential) return;
  for (const Slot slot : slot_at_) {
    units_[slot].watched = database_->service(place_[slot]).type != static_cast<std::uint8_t>(ServiceType::bundle);
  }
}

// What stops after a service on its longest path needs the time that is written there, or a second (contract, section 4,
// [stop]).
void Supervisor::find_tails() {
  for (const Slot slot : links_.order()) {
    stop_tail_ms_[slot] = 0;
    stop_levels_[slot] = 0;
    for (const Links::Link& link : dependencies(slot)) {
      if (units_[link.service].late) continue;
      const format::ServiceRecord& other = rule(link.service);
      const bool instant = other.type == static_cast<std::uint8_t>(ServiceType::oneshot) && other.stop_command.count == 0;
      const std::int64_t own = other.stop_timeout_written != 0 ? other.stop_timeout_ms : 1'000;
      stop_tail_ms_[slot] = std::max(stop_tail_ms_[slot], stop_tail_ms_[link.service] + (instant ? 0 : own));
      stop_levels_[slot] = std::max(stop_levels_[slot], stop_levels_[link.service] + (instant ? 0 : 1));
    }
  }
}

void Supervisor::touch(Slot slot) {
  publishing_.add(slot);
  acting_.add(slot);
}

void Supervisor::touch_all() {
  for (Slot slot = 0; slot < slots(); ++slot) touch(slot);
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
  const bool met = unit.state == State::up || (unit.state == State::skipped && !planted<Bug::skipped_blocks>);
  const bool over = unit.state == State::failed || unit.ended;
  if (met) facts |= satisfied;
  if (met || over || !unit.wanted || unit.state == State::held ||
      (unit.state == State::waiting && (unit.phase == Phase::lock || unit.stuck_requirements > 0))) {
    facts |= settled_fact;
  }
  if ((facts & settled_fact) != 0 || (unit.attempt_failed && !planted<Bug::failed_attempt_blocks>)) facts |= passed;
  // A stop that has begun is gone through with, even if what asked for it changes its mind: what requires it goes, too.
  if (!unit.wanted || over || unit.restart_pending || unit.departing || stops_now(slot) ||
      (unit.active() && being_stopped(unit)) ||
      (unit.state != State::skipped && (unit.gone_requirements > 0 || unit.bound_unmet > 0))) {
    facts |= gone;
  }
  // What departs begins anew by another definition: its end, and that of what its old one requires, say nothing.
  if (unit.wanted && !unit.departing && (over || (unit.state != State::skipped && unit.dead_requirements > 0)))
    facts |= dead;
  if (unit.stopped_by_operator || unit.parked_requirements > 0) facts |= parked;
  if (unit.attempted || (facts & settled_fact) != 0) facts |= log_open;
  if (unit.active()) facts |= active_fact;
  if (unit.active() && (facts & gone) != 0) facts |= leaving;
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
  each_dependent(slot, [&](Slot dependent, EdgeKinds kinds) {
    Unit& other = units_[dependent];
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
    touch(dependent);
  });
}

void Supervisor::tell_dependencies(Slot slot, std::uint16_t changed, std::uint16_t facts) {
  for (const Links::Link& link : dependencies(slot)) {
    Unit& other = units_[link.service];
    if ((changed & leaving) != 0) count_held(other.leaving_dependents, (facts & leaving) != 0);
    if ((changed & active_fact) != 0) {
      if (link.kinds.has(EdgeKind::binds_to)) count_held(other.bound_active, (facts & active_fact) != 0);
      if (link.kinds.has(EdgeKind::log_to)) {
        count_held(other.active_producers, (facts & active_fact) != 0);
        other.had_producers = true;
      }
    }
    touch(link.service);
  }
}

void Supervisor::count_node(Slot slot, std::uint16_t changed, std::uint16_t facts) {
  const Unit& unit = units_[slot];
  if ((changed & settled_fact) != 0) count_missing(unsettled_, (facts & settled_fact) != 0);
  if ((changed & well) != 0 && (unit.watched || planted<Bug::health_miscounted>))
    count_missing(unhealthy_, (facts & well) != 0);
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
      if (publishing_.empty()) return;
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
  if (shutting_down()) return NodeState::stopping;
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

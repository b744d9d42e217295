// The supervisor's way from one graph to another. First everything that the new graph needs room for is made, which may fail
// and then has changed nothing; then the graph is changed in one step, which cannot. What goes down for it does so as
// anything else does, and takes its new definition, or leaves, when it is gone.
#include <algorithm>
#include <cassert>
#include <utility>

#include "core/enough_memory.h"
#include "core/planted.h"
#include "core/supervisor.h"

namespace hcrc {

namespace {

ServiceType type_of(const format::ServiceRecord& rule) { return static_cast<ServiceType>(rule.type); }

}  // namespace

// Everything whose size is that of the graph.
struct Supervisor::Rooms {
  Rooms(Slot slots, std::pmr::memory_resource* memory)
      : definitions(slots),
        rules(slots),
        place(slots, format::none),
        departs(slots, false),
        units(memory),
        timers((slots + 1) * timer_kinds, memory),
        publishing(slots, memory),
        acting(slots, memory),
        asked(slots, 0),
        stop_tail_ms(slots, 0),
        stop_levels(slots, 0) {}

  std::vector<Definition> definitions;
  std::vector<const format::ServiceRecord*> rules;
  std::vector<std::uint32_t> place;
  std::vector<Slot> slot_at;
  std::vector<bool> departs;
  Links links;
  std::pmr::vector<Unit> units;
  Timers timers;
  Queue publishing;
  Queue acting;
  std::vector<std::uint32_t> asked;
  std::vector<std::pair<Slot, bool>> to_ask;
  std::vector<std::int64_t> stop_tail_ms;
  std::vector<std::uint32_t> stop_levels;
};

std::expected<void, std::string_view> Supervisor::update(const Update& update, Instant now) {
  assert(effect_count_ == 0);
  if (step_ != Step::running) return std::unexpected("the node is stopping");
  if (options_.target && !update.database->find(name(*options_.target))) {
    return std::unexpected("it does not have the service or bundle that is this node's target");
  }
  const bool done = enough_memory_for([&] {
    const UpdatePlan planned = plan(*update.database);
    std::vector<Slot> slot_at = slots_for(*update.database, planned);
    Slot slots = this->slots();
    for (const Slot slot : slot_at) slots = std::max(slots, slot + 1);
    Rooms rooms(slots, options_.memory);
    rooms.slot_at = std::move(slot_at);
    furnish(update, planned, rooms);
    // From here on nothing can fail.
    take_over(update, planned, rooms, now);
  });
  if (!done) return std::unexpected("there is not enough memory for it");
  return {};
}

UpdatePlan Supervisor::plan(const Database& next) const {
  UpdatePlan plan = plan_update(definitions_, next);
  std::vector<std::uint32_t> roots;
  if (!options_.no_target && !options_.target) roots = roots_of(next);
  if (const auto target = options_.target ? next.find(name(*options_.target)) : std::nullopt) roots.push_back(*target);
  for (Slot slot = 0; slot < slots(); ++slot) {
    const auto place = units_[slot].started_by_operator ? next.find(name(slot)) : std::nullopt;
    if (place) roots.push_back(*place);
  }
  std::vector<bool> will_be = wanted_from(next, std::move(roots));
  std::vector<bool> was(slots());
  for (Slot slot = 0; slot < slots(); ++slot) was[slot] = units_[slot].wanted;
  for (std::uint32_t place = 0; place < next.size(); ++place) {
    const auto& before = plan.services[place].before;
    if (before && units_[*before].stopped_by_operator) will_be[place] = false;
  }
  judge_wanted(plan, next, was, will_be);
  return plan;
}

// A slot for each service of the new graph: its own, one that is vacant, or one more.
std::vector<Slot> Supervisor::slots_for(const Database& next, const UpdatePlan& plan) const {
  std::vector<Slot> slot_at(next.size());
  Slot vacant = 0;
  Slot more = slots();
  for (std::uint32_t place = 0; place < next.size(); ++place) {
    if (plan.services[place].before) {
      slot_at[place] = *plan.services[place].before;
      continue;
    }
    while (vacant < slots() && !units_[vacant].vacant) ++vacant;
    slot_at[place] = vacant < slots() ? vacant++ : more++;
  }
  return slot_at;
}

// Its process does not stand against another definition: there is none.
bool Supervisor::may_change_now(Slot slot) const {
  const Unit& unit = units_[slot];
  return !unit.active() && unit.phase == Phase::none && unit.copier == Copier::off;
}

void Supervisor::furnish(const Update& update, const UpdatePlan& plan, Rooms& rooms) const {
  const Database& next = *update.database;
  std::ranges::copy(definitions_, rooms.definitions.begin());
  std::ranges::copy(rules_, rooms.rules.begin());
  std::fill(rooms.rules.begin() + slots(), rooms.rules.end(), &vacant_rule_);
  for (std::uint32_t place = 0; place < next.size(); ++place) {
    const Slot slot = rooms.slot_at[place];
    rooms.place[slot] = place;
    if (plan.services[place].before && !plan.services[place].same_run) rooms.departs[slot] = !may_change_now(slot);
  }
  for (const Slot slot : plan.removed) rooms.departs[slot] = !may_change_now(slot);

  rooms.units.reserve(rooms.place.size());
  rooms.units = units_;
  rooms.units.resize(rooms.place.size());
  for (std::uint32_t key = 0; key < slots() * timer_kinds; ++key) rooms.timers.arm(key, timers_.at(key));
  for (std::uint32_t kind = 0; kind < timer_kinds; ++kind) {
    const auto more = static_cast<std::uint32_t>(rooms.place.size() - slots()) * timer_kinds;
    const std::uint32_t key = node_key(static_cast<NodeTimer>(kind));
    rooms.timers.arm(key + more, timers_.at(key));
  }
  rooms.links = links_between(next, rooms.slot_at, rooms.departs);
  std::size_t contents = 0;
  for (std::uint32_t place = 0; place < next.size(); ++place) contents += next.contents(place).size();
  rooms.to_ask.reserve(2 * (rooms.links.size() + contents + rooms.place.size()));
}

// The links of the new graph, and those by which departing services go down.
Links Supervisor::links_between(const Database& next, const std::vector<Slot>& slot_at,
                                const std::vector<bool>& departs) const {
  std::vector<Links::Declared> declared;
  for (std::uint32_t place = 0; place < next.size(); ++place) {
    for (const format::EdgeRecord& edge : next.dependencies(place)) {
      declared.push_back({.from = slot_at[place], .to = slot_at[edge.service], .kinds = edge.all_kinds(), .old = false});
    }
  }
  std::vector<Slot> going;
  for (Slot slot = 0; slot < slots(); ++slot) {
    if (departs[slot]) going.push_back(slot);
  }
  std::ranges::sort(going, {}, [this](Slot slot) { return name(slot); });
  const auto slot_of = [&](std::string_view wanted) -> std::optional<Slot> {
    if (const auto place = next.find(wanted)) return slot_at[*place];
    const auto found = std::ranges::lower_bound(going, wanted, {}, [this](Slot slot) { return name(slot); });
    return found != going.end() && name(*found) == wanted ? std::optional<Slot>(*found) : std::nullopt;
  };
  for (const Slot slot : going) {
    const Database& before = *definitions_[slot].database;
    for (const format::EdgeRecord& edge : before.dependencies(definitions_[slot].index)) {
      const auto target = slot_of(before.name(edge.service));
      if (!target) continue;  // it has no process
      declared.push_back({.from = slot, .to = *target, .kinds = edge.all_kinds(), .old = true});
    }
  }
  return Links(static_cast<Slot>(departs.size()), declared);
}

void Supervisor::take_over(const Update& update, const UpdatePlan& plan, Rooms& rooms, Instant now) {
  definitions_.swap(rooms.definitions);
  rules_.swap(rooms.rules);
  place_.swap(rooms.place);
  slot_at_.swap(rooms.slot_at);
  std::swap(links_, rooms.links);
  units_.swap(rooms.units);
  std::swap(timers_, rooms.timers);
  std::swap(publishing_, rooms.publishing);
  std::swap(acting_, rooms.acting);
  asked_.swap(rooms.asked);
  to_ask_.swap(rooms.to_ask);
  stop_tail_ms_.swap(rooms.stop_tail_ms);
  stop_levels_.swap(rooms.stop_levels);
  database_ = update.database;
  if (update.stop_deadline) options_.stop_deadline = *update.stop_deadline;

  last_update_ = {};
  departing_ = removed_ = read_logs_ = 0;
  for (std::uint32_t place = 0; place < database_->size(); ++place) {
    const Slot slot = slot_at_[place];
    units_[slot].env_skipped = !update.env_skipped.empty() && update.env_skipped[place];
    change_definition(slot, plan.services[place], now);
    if (type_of(database_->service(place)) != ServiceType::bundle) ++last_update_[plan.services[place].fate];
  }
  for (const Slot slot : plan.removed) {
    if (place_[slot] == format::none) remove(slot, now);
  }
  last_update_[Fate::removed] = static_cast<std::uint32_t>(plan.removed.size());
  want_as_at_boot();
  find_roles();
  count_facts();
  updating_ = departing_ > 0;
  updated_at_ = now;
  report(NodeReportKind::updating);
  touch_all();
}

void Supervisor::change_definition(Slot slot, const UpdatePlan::Service& planned, Instant now) {
  Unit& unit = units_[slot];
  unit.departing = unit.removed = unit.read_logs = false;
  const bool free = may_change_now(slot) || planted<Bug::change_without_restart>;
  if (planned.before && !planned.same_run && !free) return send_off(slot);
  definitions_[slot] = definition_of(database_, place_[slot]);
  rules_[slot] = definitions_[slot].record;
  if (!planned.before) {
    unit.vacant = false;
    unit.since = now;
  }
  unit.added = planned.fate == Fate::added;
  if (!planned.same_run) {
    start_over(slot, now);
  } else if (planned.fate != Fate::kept) {
    look_after_anew(slot, planned, now);
  }
}

void Supervisor::remove(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  unit.wanted = unit.started_by_operator = unit.stopped_by_operator = false;
  unit.departing = unit.removed = unit.read_logs = false;
  if (may_change_now(slot)) return vacate(slot, now);
  send_off(slot);
  unit.removed = true;
  ++removed_;
}

void Supervisor::send_off(Slot slot) {
  Unit& unit = units_[slot];
  unit.departing = true;
  ++departing_;
  const Definition& definition = definitions_[slot];
  unit.read_logs = std::ranges::any_of(definition.database->dependents(definition.index),
                                       [](const auto& edge) { return edge.all_kinds().has(EdgeKind::log_to); });
  if (unit.read_logs) ++read_logs_;
}

// A departing service has no process any more.
void Supervisor::depart(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  assert((unit.facts & (active_fact | leaving)) == 0);
  if (unit.copier == Copier::on) {
    // It carries the pipes that the old definition reads.
    unit.copier = Copier::ending;
    push(effect::StopCopier{.slot = slot});
  }
  if (unit.copier == Copier::ending) return;
  unit.departing = false;
  --departing_;
  if (std::exchange(unit.read_logs, false) && --read_logs_ == 0) touch_all();
  if (unit.removed) {
    vacate(slot, now);
    // What was added may have waited for the last one.
    if (--removed_ == 0) touch_all();
    return;
  }
  definitions_[slot] = definition_of(database_, place_[slot]);
  rules_[slot] = definitions_[slot].record;
  start_over(slot, now);
  count_below(slot);
}

// Another definition: what was learned about the old one is forgotten.
void Supervisor::start_over(Slot slot, Instant now) {
  Unit& unit = units_[slot];
  for (std::uint32_t kind = 0; kind < timer_kinds; ++kind) disarm(slot, static_cast<TimerKind>(kind));
  unit.stop_reason = StopReason::none;
  unit.cause = Cause::none;
  unit.next = Next::none;
  unit.ended = unit.attempt_failed = unit.log_waited = unit.holding = unit.restart_pending = false;
  unit.left_behind = unit.due = unit.run_ended_badly = unit.told_dead = unit.care_changed = false;
  unit.fresh = true;
  unit.row = {};
  unit.restarts = 0;
  unit.resource_delay = {};
  unit.bad_probes = 0;
  unit.ready_at = unit.next_start = unit.kill_at = end_of_time;
  enter(slot, State::down, now);
}

// The slot may be taken by another service; runs of this one stay over, so their number goes on.
void Supervisor::vacate(Slot slot, Instant now) {
  start_over(slot, now);
  const Unit was = units_[slot];
  Unit& unit = units_[slot];
  unit = Unit{};
  unit.vacant = true;
  unit.since = now;
  unit.facts = was.facts;
  unit.run = planted<Bug::run_numbers_forgotten> ? 0 : was.run;
  unit.probe = was.probe;
  unit.watched = was.watched;  // until what is counted is counted anew
  unit.late = was.late;
  static_cast<CountsAbove&>(unit) = was;
  definitions_[slot] = {};
  rules_[slot] = &vacant_rule_;
  touch(slot);
}

// Its process stays; what the supervisor does with it follows the new definition from now on.
void Supervisor::look_after_anew(Slot slot, const UpdatePlan::Service& planned, Instant now) {
  Unit& unit = units_[slot];
  const format::ServiceRecord& rules = rule(slot);
  const ServiceType type = type_of(rules);
  if (planned.conditions && unit.phase == Phase::none) {
    // Only a start is judged, and no restart.
    if (unit.state == State::skipped) start_over(slot, now);
    if (unit.state == State::waiting && unit.fresh && unit.env_skipped) start_over(slot, now);
  }
  if (planned.health && unit.state == State::up) unit.care_changed = true;
  if (planned.schedule && type == ServiceType::periodic && unit.state == State::up && !unit.due) {
    const Instant last = unit.started_at == end_of_time ? unit.since : unit.started_at;
    unit.next_start = std::max(now, last + Milliseconds(rules.schedule_every_ms));
    arm(slot, TimerKind::pace, unit.next_start);
  }
  // A delay that is going on may become shorter; a hold counts from its beginning anyway.
  const Milliseconds most(rules.restart_max_delay_ms);
  if (unit.row.delay > most) {
    if (unit.next_start != end_of_time && unit.cause != Cause::no_resource && !unit.holding) {
      unit.next_start -= unit.row.delay - most;
    }
    unit.row.delay = most;
  }
  if (unit.holding && unit.next_start != end_of_time) {
    unit.next_start = unit.ended_at + Milliseconds(rules.restart_hold_ms);
  }
  if (unit.state == State::held || (unit.state == State::backoff && unit.cause != Cause::no_resource)) {
    arm(slot, TimerKind::state, std::max(now, unit.next_start));
  }
  if (type != ServiceType::longrun && unit.main_alive && (unit.state == State::starting || unit.state == State::up)) {
    const Instant end = std::max(now, unit.started_at + Milliseconds(rules.timeout_ms));
    if (unit.phase == Phase::spawning || unit.phase == Phase::running) {
      arm(slot, TimerKind::run, rules.timeout_ms < 0 ? end_of_time : end);
    }
  }
  if (unit.has_stop_time()) move_stop(slot, unit.stop_began + Milliseconds(rules.stop_timeout_ms), now);
}

// Nothing departs any more: the graph in force is the only one.
void Supervisor::end_update(Instant now) {
  updating_ = false;
  for (Unit& unit : units_) unit.added = false;
  find_roles();
  count_facts();
  report(NodeReportKind::updated, now - updated_at_);
}

}  // namespace hcrc

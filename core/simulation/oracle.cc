#include "core/simulation/oracle.h"

#include <algorithm>
#include <vector>

namespace hcrc::simulation {

namespace {

// What holds of one service, each computed from its own state and from those of what it depends on.
struct Judgement {
  bool met = false;  // up or skipped
  bool settled = false;
  bool passed = false;  // what merely comes after it need not wait
  bool gone = false;    // what requires it must go down
  bool parked = false;  // stopped by an operator, or along with one that was
  friend bool operator==(const Judgement&, const Judgement&) = default;
};

class Oracle {
 public:
  explicit Oracle(const Supervisor& supervisor) : supervisor_(supervisor), judged_(supervisor.slots()) {}

  std::optional<std::string> disagreement() {
    // What follows from what is as a circle of judgements that ends when none changes any more: the links have no cycle.
    std::vector<Judgement> before;
    do {
      before = judged_;
      for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
        if (slot != supervisor_.command_slot()) judge(slot);
      }
    } while (before != judged_);
    std::uint32_t unsettled = 0;
    std::uint32_t unhealthy = 0;
    std::uint32_t departing = 0;
    for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
      if (slot == supervisor_.command_slot()) continue;
      if (auto problem = look_at(slot)) return std::string(supervisor_.name(slot)) + ": " + *problem;
      const Unit& unit = supervisor_.unit(slot);
      unsettled += judged_[slot].settled ? 0 : 1;
      departing += unit.departing ? 1 : 0;
      const bool well = judged_[slot].met || unit.ended || !unit.wanted || judged_[slot].parked;
      unhealthy += unit.watched && !well ? 1 : 0;
    }
    if (unsettled != supervisor_.unsettled()) return "another number of services is settled";
    if (unhealthy != supervisor_.unhealthy()) return "another number of services is healthy";
    if (departing != supervisor_.departing()) return "another number of services departs";
    return std::nullopt;
  }

 private:
  template <typename Hold>
  bool any_dependency(Slot slot, Hold hold) const {
    const auto links = supervisor_.dependencies(slot);
    return std::any_of(links.begin(), links.end(),
                       [&hold](const Links::Link& link) { return hold(link.kinds, link.service); });
  }
  template <typename Hold>
  bool any_dependent(Slot slot, Hold hold) const {
    bool any = false;
    supervisor_.each_dependent(slot, [&](Slot other, EdgeKinds kinds) { any = any || hold(kinds, other); });
    return any;
  }

  void judge(Slot slot) {
    const Unit& unit = supervisor_.unit(slot);
    Judgement& judgement = judged_[slot];
    const bool over = unit.state == State::failed || unit.ended;
    judgement.met = unit.state == State::up || unit.state == State::skipped;
    const bool stuck = any_dependency(slot, [this](EdgeKinds kinds, Slot other) {
      return kinds.requirement() && judged_[other].settled && !judged_[other].met;
    });
    const bool waits_settled = unit.state == State::waiting && (unit.phase == Phase::lock || stuck);
    judgement.settled = judgement.met || over || !unit.wanted || unit.state == State::held || waits_settled;
    judgement.passed = judgement.settled || unit.attempt_failed;
    const bool pulled = any_dependency(slot, [this](EdgeKinds kinds, Slot other) {
      return (kinds.requirement() && judged_[other].gone) || (kinds.has(EdgeKind::binds_to) && !judged_[other].met);
    });
    const bool in_a_stop = unit.stop_reason != StopReason::none && unit.stop_reason != StopReason::condemned;
    judgement.gone = !unit.wanted || over || unit.restart_pending || unit.departing || (unit.active() && in_a_stop) ||
                     supervisor_.stops_now(slot) || (unit.state != State::skipped && pulled);
    judgement.parked = unit.stopped_by_operator || any_dependency(slot, [this](EdgeKinds kinds, Slot other) {
                         return kinds.requirement() && judged_[other].parked;
                       });
  }

  bool any_departs(bool Unit::* which) const {
    for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
      if (supervisor_.unit(slot).*which) return true;
    }
    return false;
  }

  // What a service goes by, and the edges that count for it, are those of the graph in force; of one that departs, those
  // that its run was started with, but for edges that would close a circle.
  std::optional<std::string> look_at_definition(Slot slot) const {
    const Unit& unit = supervisor_.unit(slot);
    const Definition& definition = supervisor_.definition(slot);
    if (unit.vacant)
      return definition.record == nullptr ? std::nullopt : std::optional("nobody is there, and goes by something");
    const auto place = supervisor_.database().find(supervisor_.name(slot));
    if (unit.removed != !(place && supervisor_.slot_at(*place) == slot)) return "it should be removed, or should not";
    if (unit.departing) return std::nullopt;
    if (definition.database.get() != &supervisor_.database() || definition.index != *place)
      return "it goes by another graph";
    const auto edges = supervisor_.database().dependencies(*place);
    const auto links = supervisor_.dependencies(slot);
    if (edges.size() != links.size()) return "it has another number of links";
    for (std::size_t i = 0; i < edges.size(); ++i) {
      if (links[i].service != supervisor_.slot_at(edges[i].service) || links[i].kinds.bits() != edges[i].kinds) {
        return "a link leads elsewhere";
      }
    }
    return std::nullopt;
  }

  bool may_start(Slot slot) const {
    const Unit& unit = supervisor_.unit(slot);
    if (supervisor_.shutting_down() || !unit.wanted || judged_[slot].gone || unit.copier != Copier::off) return false;
    const bool waits = any_dependency(slot, [this, &unit](EdgeKinds kinds, Slot other) {
      if (kinds.requirement() && !judged_[other].met) return true;
      if (!unit.fresh) return false;
      const bool ordered = kinds.has(EdgeKind::wants) || kinds.has(EdgeKind::after);
      if (ordered && !judged_[other].passed) return true;
      return kinds.has(EdgeKind::log_to) && !unit.log_waited && !supervisor_.unit(other).attempted &&
             !judged_[other].settled;
    });
    const bool bound = any_dependent(slot, [this](EdgeKinds kinds, Slot other) {
      return kinds.has(EdgeKind::binds_to) && supervisor_.unit(other).active();
    });
    return !waits && !bound && !(unit.added && any_departs(&Unit::removed)) &&
           !(unit.logger && any_departs(&Unit::read_logs));
  }

  std::optional<std::string> look_at(Slot slot) const {
    const Unit& unit = supervisor_.unit(slot);
    if (auto problem = look_at_definition(slot)) return problem;
    if (unit.departing && !unit.active() && unit.copier == Copier::off && !supervisor_.shutting_down())
      return "it has no process, and does not depart";
    if (supervisor_.settled(slot) != judged_[slot].settled) return "settled is not as it should be";
    if (unit.state == State::waiting && unit.phase == Phase::none && may_start(slot))
      return "nothing keeps it from starting";
    const bool command_first = supervisor_.unit(supervisor_.command_slot()).active() && supervisor_.shutting_down();
    if ((unit.state == State::starting || unit.state == State::up) && judged_[slot].gone && !command_first) {
      return "it should be stopping";
    }
    if (unit.state == State::stopping && unit.phase == Phase::stop_waits && !command_first) {
      const bool any = any_dependent(slot, [this](EdgeKinds kinds, Slot dependent) {
        const Unit& other = supervisor_.unit(dependent);
        return other.active() && (judged_[dependent].gone || kinds.requirement());
      });
      if (!any) return "no dependent keeps it from stopping";
    }
    if (!unit.wanted && !unit.departing &&
        (unit.state == State::waiting || unit.state == State::backoff || unit.state == State::held)) {
      return "nothing wants it, and yet it waits";
    }
    return std::nullopt;
  }

  const Supervisor& supervisor_;
  std::vector<Judgement> judged_;
};

}  // namespace

std::optional<std::string> disagreement(const Supervisor& supervisor) { return Oracle(supervisor).disagreement(); }

}  // namespace hcrc::simulation

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
};

class Oracle {
 public:
  explicit Oracle(const Supervisor& supervisor)
      : supervisor_(supervisor), database_(supervisor.database()), judged_(database_.size()) {}

  std::optional<std::string> disagreement() {
    std::vector<Slot> order(database_.size());
    for (Slot slot = 0; slot < order.size(); ++slot) order[slot] = slot;
    std::stable_sort(order.begin(), order.end(),
                     [this](Slot a, Slot b) { return database_.service(a).level < database_.service(b).level; });
    for (const Slot slot : order) judge(slot);
    std::uint32_t unsettled = 0;
    std::uint32_t unhealthy = 0;
    for (Slot slot = 0; slot < database_.size(); ++slot) {
      if (auto problem = look_at(slot)) return std::string(database_.name(slot)) + ": " + *problem;
      const Unit& unit = supervisor_.unit(slot);
      unsettled += judged_[slot].settled ? 0 : 1;
      const bool well = judged_[slot].met || unit.ended || !unit.wanted || judged_[slot].parked;
      unhealthy += unit.watched && !well ? 1 : 0;
    }
    if (unsettled != supervisor_.unsettled()) return "another number of services is settled";
    if (unhealthy != supervisor_.unhealthy()) return "another number of services is healthy";
    return std::nullopt;
  }

 private:
  template <typename Hold>
  bool any_dependency(Slot slot, Hold hold) const {
    const auto edges = database_.dependencies(slot);
    return std::any_of(edges.begin(), edges.end(), [&hold](const format::EdgeRecord& edge) {
      return hold(EdgeKinds(static_cast<std::uint8_t>(edge.kinds)), edge.service);
    });
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
    judgement.gone = !unit.wanted || over || unit.restart_pending || supervisor_.stops_now(slot) ||
                     (unit.state != State::skipped && pulled);
    judgement.parked = unit.stopped_by_operator || any_dependency(slot, [this](EdgeKinds kinds, Slot other) {
                         return kinds.requirement() && judged_[other].parked;
                       });
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
    const auto dependents = database_.dependents(slot);
    const bool bound = std::any_of(dependents.begin(), dependents.end(), [this](const format::EdgeRecord& edge) {
      return EdgeKinds(static_cast<std::uint8_t>(edge.kinds)).has(EdgeKind::binds_to) &&
             supervisor_.unit(edge.service).active();
    });
    return !waits && !bound;
  }

  std::optional<std::string> look_at(Slot slot) const {
    const Unit& unit = supervisor_.unit(slot);
    if (supervisor_.settled(slot) != judged_[slot].settled) return "settled is not as it should be";
    if (unit.state == State::waiting && unit.phase == Phase::none && may_start(slot))
      return "nothing keeps it from starting";
    const bool command_first = supervisor_.unit(supervisor_.command_slot()).active() && supervisor_.shutting_down();
    if ((unit.state == State::starting || unit.state == State::up) && judged_[slot].gone && !command_first) {
      return "it should be stopping";
    }
    if (unit.state == State::stopping && unit.phase == Phase::stop_waits && !command_first) {
      const auto dependents = database_.dependents(slot);
      const bool any = std::any_of(dependents.begin(), dependents.end(), [this](const format::EdgeRecord& edge) {
        const Unit& other = supervisor_.unit(edge.service);
        const bool in_a_stop = other.stop_reason != StopReason::none && other.stop_reason != StopReason::condemned;
        const bool requires_it = EdgeKinds(static_cast<std::uint8_t>(edge.kinds)).requirement();
        return other.active() && (judged_[edge.service].gone || in_a_stop || requires_it);
      });
      if (!any) return "no dependent keeps it from stopping";
    }
    if (!unit.wanted && (unit.state == State::waiting || unit.state == State::backoff || unit.state == State::held)) {
      return "nothing wants it, and yet it waits";
    }
    return std::nullopt;
  }

  const Supervisor& supervisor_;
  const Database& database_;
  std::vector<Judgement> judged_;
};

}  // namespace

std::optional<std::string> disagreement(const Supervisor& supervisor) { return Oracle(supervisor).disagreement(); }

}  // namespace hcrc::simulation

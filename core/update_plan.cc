#include "core/update_plan.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/database_hashes.h"

namespace hcrc {

namespace {

bool is_bundle(const format::ServiceRecord& record) { return static_cast<ServiceType>(record.type) == ServiceType::bundle; }

class Names {
 public:
  explicit Names(std::span<const Definition> now) : now_(now) {
    for (std::uint32_t at = 0; at < now.size(); ++at) {
      if (now[at].record != nullptr) places_.push_back(at);
    }
    std::ranges::sort(places_, {}, [this](std::uint32_t at) { return name(at); });
  }
  std::optional<std::uint32_t> find(std::string_view wanted) const {
    const auto found = std::ranges::lower_bound(places_, wanted, {}, [this](std::uint32_t at) { return name(at); });
    if (found == places_.end() || name(*found) != wanted) return std::nullopt;
    return *found;
  }

 private:
  std::string_view name(std::uint32_t at) const { return now_[at].database->name(now_[at].index); }

  std::span<const Definition> now_;
  std::vector<std::uint32_t> places_;
};

void compare(const Definition& was, const Database& next, std::uint32_t index, UpdatePlan::Service& service) {
  const format::ServiceRecord& is = next.service(index);
  if (is_bundle(*was.record) != is_bundle(is)) return;
  const bool same_runs = was.record->hash_runs == is.hash_runs;
  const bool same_care = was.record->hash_looked_after == is.hash_looked_after;
  if (is_bundle(is)) {
    service.fate = same_runs && same_care ? Fate::kept : Fate::in_place;
    service.same_run = true;
    return;
  }
  service.same_run = same_runs;
  service.fate = !same_runs ? Fate::restarted : same_care ? Fate::kept : Fate::in_place;
  if (service.fate != Fate::in_place) return;
  const CareHashes before = care_hashes(*was.database, was.index), after = care_hashes(next, index);
  service.conditions = before.conditions != after.conditions;
  service.health = before.health != after.health;
  service.schedule = before.schedule != after.schedule;
}

// What is restarted takes along what requires it or is bound to it; what is added, what is bound to it.
void find_along(const Database& next, UpdatePlan& plan) {
  std::vector<std::uint32_t> todo;
  for (std::uint32_t i = 0; i < next.size(); ++i) {
    const Fate fate = plan.services[i].fate;
    if (fate == Fate::restarted || (fate == Fate::added && !is_bundle(next.service(i)))) todo.push_back(i);
  }
  for (std::size_t at = 0; at < todo.size(); ++at) {
    const bool added = plan.services[todo[at]].fate == Fate::added;
    for (const format::EdgeRecord& edge : next.dependents(todo[at])) {
      const EdgeKinds kinds(static_cast<std::uint8_t>(edge.kinds));
      UpdatePlan::Service& other = plan.services[edge.service];
      if (added ? !kinds.has(EdgeKind::binds_to) : !kinds.requirement()) continue;
      if (other.fate != Fate::kept && other.fate != Fate::in_place) continue;
      other.fate = Fate::along;
      other.along_with = todo[at];
      todo.push_back(edge.service);
    }
  }
}

}  // namespace

std::string_view text(Fate fate) {
  switch (fate) {
    case Fate::kept: return "kept";
    case Fate::in_place: return "in-place";
    case Fate::restarted: return "restarted";
    case Fate::along: return "restarted-along";
    case Fate::added: return "added";
    case Fate::removed: return "removed";
    case Fate::stopped: return "stopped";
    case Fate::started: return "started";
  }
  return "";
}

Definition definition_of(const std::shared_ptr<const Database>& database, std::uint32_t index) {
  return {.database = database, .record = &database->service(index), .index = index};
}

UpdatePlan plan_update(std::span<const Definition> now, const Database& next) {
  const Names names(now);
  UpdatePlan plan;
  plan.services.resize(next.size());
  std::vector<bool> stays(now.size(), false);
  for (std::uint32_t i = 0; i < next.size(); ++i) {
    UpdatePlan::Service& service = plan.services[i];
    service.before = names.find(next.name(i));
    if (!service.before) continue;
    compare(now[*service.before], next, i, service);
    stays[*service.before] = service.fate != Fate::added || is_bundle(*now[*service.before].record);
  }
  find_along(next, plan);
  for (std::uint32_t at = 0; at < now.size(); ++at) {
    if (now[at].record != nullptr && !stays[at]) plan.removed.push_back(at);
  }
  return plan;
}

std::vector<std::uint32_t> roots_of(const Database& database) {
  std::vector<std::uint32_t> roots;
  for (std::uint32_t place = 0; place < database.size(); ++place) {
    if (database.service(place).autostart != 0) roots.push_back(place);
  }
  return roots;
}

std::vector<bool> wanted_from(const Database& database, std::vector<std::uint32_t> roots) {
  std::vector<bool> seen(database.size(), false);
  std::vector<bool> wanted(database.size(), false);
  while (!roots.empty()) {
    const std::uint32_t place = roots.back();
    roots.pop_back();
    if (seen[place]) continue;
    seen[place] = true;
    wanted[place] = !is_bundle(database.service(place));
    for (const std::uint32_t content : database.contents(place)) roots.push_back(content);
    for (const format::EdgeRecord& edge : database.dependencies(place)) {
      if (edge.all_kinds().pulls()) roots.push_back(edge.service);
    }
  }
  return wanted;
}

void judge_wanted(UpdatePlan& plan, const Database& next, const std::vector<bool>& was, const std::vector<bool>& will_be) {
  for (std::uint32_t place = 0; place < next.size(); ++place) {
    UpdatePlan::Service& service = plan.services[place];
    if (service.fate == Fate::added || is_bundle(next.service(place)) || was[*service.before] == will_be[place]) continue;
    service.fate = was[*service.before] ? Fate::stopped : Fate::started;
    service.along_with.reset();
  }
}

}  // namespace hcrc

#include "core/present/plan.h"

#include <algorithm>

namespace hcrc::present {

namespace {

constexpr Milliseconds default_deadline(9'000), largest_reserve(1'500);
constexpr Milliseconds logger_patience(5'000);  // of a producer
constexpr Milliseconds unwritten_time(1'000);   // left for a timeout that is not written

// What is depended on before its dependents: the order of a start.
std::vector<std::uint32_t> start_order(const std::vector<Service>& services) {
  std::vector<std::uint32_t> dependents(services.size());
  for (const Service& service : services) {
    for (const Edge& edge : service.edges) ++dependents[edge.target];
  }
  std::vector<std::uint32_t> order;
  order.reserve(services.size());
  for (std::uint32_t i = 0; i < services.size(); ++i) {
    if (dependents[i] == 0) order.push_back(i);
  }
  for (std::size_t at = 0; at < order.size(); ++at) {
    for (const Edge& edge : services[order[at]].edges) {
      if (--dependents[edge.target] == 0) order.push_back(edge.target);
    }
  }
  std::ranges::reverse(order);
  return order;
}

void mark_boot(const std::vector<Service>& services, std::vector<StartOfService>& starts) {
  std::vector<std::uint32_t> todo;
  const auto want = [&](std::uint32_t i) {
    if (starts[i].at_boot) return;
    starts[i].at_boot = true;
    todo.push_back(i);
  };
  for (std::uint32_t i = 0; i < services.size(); ++i) {
    if (services[i].autostart) want(i);
  }
  while (!todo.empty()) {
    const Service& service = services[todo.back()];
    todo.pop_back();
    for (const std::uint32_t content : service.contents) want(content);
    for (const Edge& edge : service.edges) {
      if (edge.kinds.pulls()) want(edge.target);
    }
  }
}

bool says_when_ready(const Service& service) {
  return service.type == ServiceType::longrun && service.ready.kind != ReadyKind::spawned;
}

void find_start(const ServiceGraph& graph, const std::vector<std::uint32_t>& order, Plan& plan) {
  mark_boot(graph.services, plan.starts);
  std::uint32_t last = nobody;
  for (const std::uint32_t i : order) {
    const Service& service = graph.services[i];
    StartOfService& start = plan.starts[i];
    if (!start.at_boot || service.type == ServiceType::bundle) continue;
    Milliseconds begin(0);
    const auto wait = [&](std::uint32_t target, Milliseconds until) {
      if (until <= begin && start.before != nobody) return;
      begin = std::max(begin, until);
      start.before = target;
    };
    Milliseconds spawned(0);
    std::uint32_t logger = nobody;
    for (const Edge& edge : service.edges) {
      const StartOfService& other = plan.starts[edge.target];
      if (!other.at_boot) continue;
      start.level = std::max(start.level, other.level + 1);
      if (edge.kinds.has(EdgeKind::log_to)) {
        const Milliseconds tried = says_when_ready(graph.services[edge.target])
                                       ? other.ready - graph.services[edge.target].ready.timeout
                                       : other.ready;
        if (tried >= spawned) spawned = tried, logger = edge.target;
      }
      if (edge.kinds.requirement() || edge.kinds.has(EdgeKind::wants) || edge.kinds.has(EdgeKind::after)) {
        wait(edge.target, other.ready);
      }
    }
    if (logger != nobody) wait(logger, std::min(spawned, begin + logger_patience));
    if (!service.cleanup.empty()) start.own += service.stop.timeout;
    if (says_when_ready(service)) start.own += service.ready.timeout;
    if (service.type == ServiceType::oneshot) {
      start.bounded = service.timeout.has_value();
      start.own += service.timeout.value_or(Milliseconds(0));
    }
    start.ready = begin + start.own;
    if (last == nobody || start.ready > plan.starts[last].ready) last = i;
  }
  for (std::uint32_t i = 0; i < plan.starts.size(); ++i) {
    if (plan.starts[i].at_boot && !plan.starts[i].bounded) plan.unbounded.push_back(i);
  }
  if (last == nobody) return;
  plan.start_time = plan.starts[last].ready;
  for (std::uint32_t i = last; i != nobody; i = plan.starts[i].before) {
    if (plan.starts[i].own > Milliseconds(0)) plan.start_path.push_back(i);
  }
  std::ranges::reverse(plan.start_path);
}

// What the supervisor leaves for what stops after each service, and in how many steps.
struct Tail {
  Milliseconds time{0};
  std::int64_t levels = 0;
};

void find_late(const std::vector<Service>& services, const std::vector<std::uint32_t>& order, Plan& plan) {
  for (std::size_t i = 0; i < services.size(); ++i) {
    const Service& service = services[i];
    plan.stops[i].instant =
        service.type == ServiceType::bundle || (service.type == ServiceType::oneshot && service.stop.command.empty());
    for (const Edge& edge : service.edges) {
      if (edge.kinds.has(EdgeKind::log_to)) plan.stops[edge.target].late = true;
    }
  }
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    if (!plan.stops[*i].late) continue;
    for (const Edge& edge : services[*i].edges) plan.stops[edge.target].late = true;
  }
}

std::vector<Tail> find_tails(const std::vector<Service>& services, const std::vector<std::uint32_t>& order, Plan& plan) {
  std::vector<Tail> tails(services.size());
  for (const std::uint32_t i : order) {
    StopOfService& stop = plan.stops[i];
    for (const Edge& edge : services[i].edges) {
      const StopOfService& other = plan.stops[edge.target];
      if (other.late) continue;
      const StopRule& rule = services[edge.target].stop;
      const Milliseconds own = other.instant ? Milliseconds(0) : rule.timeout_written ? rule.timeout : unwritten_time;
      tails[i].time = std::max(tails[i].time, tails[edge.target].time + own);
      tails[i].levels = std::max(tails[i].levels, tails[edge.target].levels + (other.instant ? 0 : 1));
      if (other.written_from_here <= stop.written_from_here) continue;
      stop.written_from_here = other.written_from_here;
      stop.next = edge.target;
    }
    const StopRule& rule = services[i].stop;
    if (!stop.late && !stop.instant && rule.timeout_written) stop.written_from_here += rule.timeout;
  }
  return tails;
}

// Whether its timeout is one that adds up along a path.
bool counts(const std::vector<Service>& services, const Plan& plan, std::uint32_t i) {
  const StopRule& rule = services[i].stop;
  return !plan.stops[i].late && !plan.stops[i].instant && rule.timeout_written && rule.timeout > Milliseconds(0);
}

void find_stop(const ServiceGraph& graph, const std::vector<std::uint32_t>& order, Plan& plan) {
  const std::vector<Service>& services = graph.services;
  plan.deadline = graph.node.stop_deadline.value_or(default_deadline);
  plan.reserve = std::min(largest_reserve, plan.deadline / 4);
  find_late(services, order, plan);
  const std::vector<Tail> tails = find_tails(services, order, plan);
  const Milliseconds room = plan.deadline - plan.reserve;
  std::uint32_t last = nobody, first_written = nobody;
  std::vector<Milliseconds> begin(services.size());
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    StopOfService& stop = plan.stops[*at];
    if (!stop.late && !stop.instant) {
      const StopRule& rule = services[*at].stop;
      const auto given = [&](Milliseconds at_when) {
        const Milliseconds left = std::max(Milliseconds(0), room - at_when);
        const Milliseconds share = std::max(left - tails[*at].time, left / (tails[*at].levels + 1));
        return std::min(rule.timeout, rule.timeout_written ? left : share);
      };
      stop.own = given(begin[*at]);
      stop.own += services[*at].cleanup.empty() ? Milliseconds(0) : given(begin[*at] + stop.own);
    }
    stop.gone = begin[*at] + stop.own;
    for (const Edge& edge : services[*at].edges) {
      StopOfService& other = plan.stops[edge.target];
      other.step = std::max(other.step, stop.step + 1);
      other.written_before = other.written_before || stop.written_before || counts(services, plan, *at);
      if (other.late || (stop.gone <= begin[edge.target] && other.before != nobody)) continue;
      begin[edge.target] = std::max(begin[edge.target], stop.gone);
      other.before = *at;
    }
    if (!stop.late && (last == nobody || stop.gone > plan.stops[last].gone)) last = *at;
    if (first_written == nobody || stop.written_from_here > plan.stops[first_written].written_from_here) first_written = *at;
  }
  if (last == nobody && first_written == nobody) return;
  if (last != nobody) plan.stop_time = plan.stops[last].gone;
  for (std::uint32_t i = last; i != nobody; i = plan.stops[i].before) {
    if (plan.stops[i].own > Milliseconds(0)) plan.stop_path.push_back(i);
  }
  std::ranges::reverse(plan.stop_path);
  plan.written_time = plan.stops[first_written].written_from_here;
  for (std::uint32_t i = first_written; i != nobody; i = plan.stops[i].next) {
    if (counts(services, plan, i)) plan.written_path.push_back(i);
  }
}

}  // namespace

Plan make_plan(const ServiceGraph& graph) {
  Plan plan;
  plan.starts.resize(graph.services.size());
  plan.stops.resize(graph.services.size());
  const std::vector<std::uint32_t> order = start_order(graph.services);
  find_start(graph, order, plan);
  find_stop(graph, order, plan);
  return plan;
}

}  // namespace hcrc::present

#include "compiler/stop_time_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/units.h"

namespace hcrc::compiler {

namespace {

constexpr std::uint32_t none = UINT32_MAX;
constexpr std::size_t most_steps = 32;  // of a path that is told

class StopTimeCheck {
 public:
  StopTimeCheck(const ServiceGraph& graph, const NameTable& names, std::span<const Definition> definitions,
                Diagnostics& diagnostics)
      : graph_(graph), names_(names), definitions_(definitions), diagnostics_(diagnostics) {}

  void run();

 private:
  // Dependents before what they depend on: the order of a stop.
  std::vector<std::uint32_t> stop_order() const;
  std::vector<bool> late(const std::vector<std::uint32_t>& order) const;
  Milliseconds written(std::uint32_t service) const;
  Place place(std::uint32_t service) const {
    return definitions_[names_[service].definition].find(Key::stop_timeout)->place;
  }
  void report(std::uint32_t first, Milliseconds sum, Milliseconds room);

  const ServiceGraph& graph_;
  const NameTable& names_;
  std::span<const Definition> definitions_;
  Diagnostics& diagnostics_;
  std::vector<std::uint32_t> next_;  // what stops after a service on its longest path
};

std::vector<std::uint32_t> StopTimeCheck::stop_order() const {
  std::vector<std::uint32_t> dependents(graph_.services.size());
  for (const Service& service : graph_.services) {
    for (const Edge& edge : service.edges) ++dependents[edge.target];
  }
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < dependents.size(); ++i) {
    if (dependents[i] == 0) order.push_back(i);
  }
  for (std::size_t at = 0; at < order.size(); ++at) {
    for (const Edge& edge : graph_.services[order[at]].edges) {
      if (--dependents[edge.target] == 0) order.push_back(edge.target);
    }
  }
  return order;
}

std::vector<bool> StopTimeCheck::late(const std::vector<std::uint32_t>& order) const {
  std::vector<bool> late(order.size());
  for (const std::uint32_t i : order) {
    for (const Edge& edge : graph_.services[i].edges) {
      if (late[i] || edge.kinds.has(EdgeKind::log_to)) late[edge.target] = true;
    }
  }
  return late;
}

Milliseconds StopTimeCheck::written(std::uint32_t i) const {
  const Service& service = graph_.services[i];
  const bool instant = service.type == ServiceType::oneshot && service.stop.command.empty();
  return service.stop.timeout_written && !instant ? service.stop.timeout : Milliseconds(0);
}

void StopTimeCheck::report(std::uint32_t first, Milliseconds sum, Milliseconds room) {
  std::vector<Note> notes;
  std::size_t left_out = 0;
  for (std::uint32_t i = first; i != none; i = next_[i]) {
    if (written(i) == Milliseconds(0)) continue;
    if (notes.size() == most_steps) {
      ++left_out;
    } else {
      notes.push_back({fmt::format("{} may take {}", names_[i].text, format_duration(written(i))), place(i)});
    }
  }
  if (left_out > 0) notes.push_back({fmt::format("... and {} more", left_out)});
  notes.push_back({"give them shorter timeouts, or node.toml a longer stop-deadline"});
  diagnostics_.add(
      Code::stop_too_long, place(first),
      fmt::format("stopping may take {} from here on, and there are {}", format_duration(sum), format_duration(room)),
      std::move(notes));
}

void StopTimeCheck::run() {
  const Milliseconds deadline = graph_.node.stop_deadline.value_or(Milliseconds(9'000));
  const Milliseconds room = deadline - std::min(Milliseconds(1'500), deadline / 4);
  const auto order = stop_order();
  const auto is_late = late(order);
  std::vector<Milliseconds> below(order.size());  // the longest sum from a service on
  std::vector<bool> covered(order.size());        // something that is written stops before it
  next_.assign(order.size(), none);
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    for (const Edge& edge : graph_.services[*at].edges) {
      if (is_late[edge.target] || below[edge.target] <= below[*at]) continue;
      below[*at] = below[edge.target];
      next_[*at] = edge.target;
    }
    below[*at] += written(*at);
  }
  for (const std::uint32_t i : order) {
    const bool counts = written(i) > Milliseconds(0);
    for (const Edge& edge : graph_.services[i].edges) {
      if (covered[i] || counts) covered[edge.target] = true;
    }
    if (counts && !covered[i] && !is_late[i] && below[i] > room) report(i, below[i], room);
  }
}

}  // namespace

void check_stop_times(const ServiceGraph& graph, const NameTable& names, std::span<const Definition> definitions,
                      Diagnostics& diagnostics) {
  StopTimeCheck(graph, names, definitions, diagnostics).run();
}

}  // namespace hcrc::compiler

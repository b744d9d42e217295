#include "compiler/shortest_cycles.h"

#include <algorithm>
#include <utility>

namespace hcrc::compiler {

namespace {

constexpr std::uint32_t none = UINT32_MAX;

// The arcs of each node next to each other.
class Outgoing {
 public:
  Outgoing(std::size_t nodes, std::span<const Arc> arcs) : begin_(nodes + 1), arcs_(arcs.size()) {
    for (const Arc& arc : arcs) ++begin_[arc.from + 1];
    for (std::size_t i = 0; i < nodes; ++i) begin_[i + 1] += begin_[i];
    std::vector<std::uint32_t> next(begin_.begin(), begin_.end() - 1);
    for (std::uint32_t i = 0; i < arcs.size(); ++i) arcs_[next[arcs[i].from]++] = i;
  }
  std::uint32_t begin(std::uint32_t node) const { return begin_[node]; }
  std::uint32_t end(std::uint32_t node) const { return begin_[node + 1]; }
  std::uint32_t operator[](std::uint32_t at) const { return arcs_[at]; }
  std::span<const std::uint32_t> of(std::uint32_t node) const {
    return std::span(arcs_).subspan(begin_[node], begin_[node + 1] - begin_[node]);
  }

 private:
  std::vector<std::uint32_t> begin_;
  std::vector<std::uint32_t> arcs_;
};

// Tarjan's algorithm, with its stack of calls as a vector.
std::vector<std::uint32_t> find_components(std::size_t nodes, std::span<const Arc> arcs, const Outgoing& outgoing) {
  struct Call {
    std::uint32_t node;
    std::uint32_t at;  // the next of its arcs
  };
  std::vector<std::uint32_t> order(nodes, none), lowest(nodes), component(nodes, none), open;
  std::vector<Call> calls;
  std::uint32_t counted = 0;
  std::uint32_t found = 0;
  const auto enter = [&](std::uint32_t node) {
    order[node] = lowest[node] = counted++;
    open.push_back(node);
    calls.push_back({.node = node, .at = outgoing.begin(node)});
  };
  for (std::uint32_t root = 0; root < nodes; ++root) {
    if (order[root] == none) enter(root);
    while (!calls.empty()) {
      const std::uint32_t node = calls.back().node;
      if (calls.back().at < outgoing.end(node)) {
        const std::uint32_t to = arcs[outgoing[calls.back().at++]].to;
        if (order[to] == none) {
          enter(to);
        } else if (component[to] == none) {
          lowest[node] = std::min(lowest[node], order[to]);
        }
        continue;
      }
      calls.pop_back();
      if (!calls.empty()) lowest[calls.back().node] = std::min(lowest[calls.back().node], lowest[node]);
      if (lowest[node] != order[node]) continue;
      while (true) {
        const std::uint32_t member = open.back();
        open.pop_back();
        component[member] = found;
        if (member == node) break;
      }
      ++found;
    }
  }
  return component;
}

// Breadth-first searches inside components.
class Search {
 public:
  Search(std::span<const Arc> arcs, const Outgoing& outgoing, const std::vector<std::uint32_t>& component)
      : arcs_(arcs),
        outgoing_(outgoing),
        component_(component),
        reached_in_(component.size(), none),
        by_(component.size()) {}

  // The shortest cycle through `start` that has fewer than `bound` arcs; empty where there is none.
  std::vector<std::uint32_t> from(std::uint32_t start, std::size_t bound);
  std::size_t steps() const { return steps_; }

 private:
  std::vector<std::uint32_t> path_to(std::uint32_t last_arc, std::uint32_t start) const;

  std::span<const Arc> arcs_;
  const Outgoing& outgoing_;
  const std::vector<std::uint32_t>& component_;
  std::vector<std::uint32_t> reached_in_;  // the search that reached a node last
  std::vector<std::uint32_t> by_;          // the arc that it was reached by
  std::vector<std::uint32_t> now_, next_;
  std::uint32_t search_ = 0;
  std::size_t steps_ = 0;
};

std::vector<std::uint32_t> Search::path_to(std::uint32_t last_arc, std::uint32_t start) const {
  std::vector<std::uint32_t> path{last_arc};
  while (arcs_[path.back()].from != start) path.push_back(by_[arcs_[path.back()].from]);
  std::ranges::reverse(path);
  return path;
}

std::vector<std::uint32_t> Search::from(std::uint32_t start, std::size_t bound) {
  ++search_;
  now_.assign(1, start);
  for (std::size_t length = 1; !now_.empty() && length < bound; ++length) {
    next_.clear();
    for (const std::uint32_t node : now_) {
      for (const std::uint32_t arc : outgoing_.of(node)) {
        ++steps_;
        const std::uint32_t to = arcs_[arc].to;
        if (to == start && node != start) return path_to(arc, start);
        if (to == start || component_[to] != component_[start] || reached_in_[to] == search_) continue;
        reached_in_[to] = search_;
        by_[to] = arc;
        next_.push_back(to);
      }
    }
    std::swap(now_, next_);
  }
  return {};
}

}  // namespace

std::vector<std::uint32_t> components(std::size_t nodes, std::span<const Arc> arcs) {
  return find_components(nodes, arcs, Outgoing(nodes, arcs));
}

std::vector<std::vector<std::uint32_t>> shortest_cycles(std::size_t nodes, std::span<const Arc> arcs, std::size_t steps) {
  const Outgoing outgoing(nodes, arcs);
  const std::vector<std::uint32_t> component = find_components(nodes, arcs, outgoing);
  // Nodes by component, and within it in their own order, so that the answer depends on nothing else.
  std::vector<std::uint32_t> by_component(nodes);
  for (std::uint32_t i = 0; i < nodes; ++i) by_component[i] = i;
  std::ranges::sort(by_component, {}, [&](std::uint32_t node) { return std::pair(component[node], node); });

  Search search(arcs, outgoing, component);
  std::vector<std::vector<std::uint32_t>> cycles;
  for (std::size_t begin = 0, end = 0; begin < nodes; begin = end) {
    while (end < nodes && component[by_component[end]] == component[by_component[begin]]) ++end;
    if (end - begin < 2) continue;
    std::vector<std::uint32_t> best;
    for (std::size_t i = begin; i < end; ++i) {
      // No cycle is shorter than two arcs.
      if (!best.empty() && (best.size() == 2 || search.steps() > steps)) break;
      auto cycle = search.from(by_component[i], best.empty() ? end - begin + 1 : best.size());
      if (!cycle.empty()) best = std::move(cycle);
    }
    cycles.push_back(std::move(best));
  }
  return cycles;
}

}  // namespace hcrc::compiler

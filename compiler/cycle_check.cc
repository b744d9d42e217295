#include "compiler/cycle_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "compiler/shortest_cycles.h"

namespace hcrc::compiler {

namespace {

// An edge to a bundle is one to all that is in it, and `before` turns it around. Instead of writing those edges down, a
// bundle is two nodes:
//   - its own: whoever waits for the bundle has an arc to it, and it has arcs to all that is in it;
//   - a second one: all that is in the bundle has an arc to it, and it has arcs to those that are `before` the bundle.
// So the graph stays as small as the definitions, and has a cycle exactly where the services have one.
class CycleCheck {
 public:
  CycleCheck(const NameTable& names, std::span<const Connection> connections, Diagnostics& diagnostics)
      : names_(names), connections_(connections), diagnostics_(diagnostics) {}

  void run();

 private:
  std::uint32_t second(std::uint32_t name) const {
    return names_[name].bundle ? static_cast<std::uint32_t>(names_.size()) + name : name;
  }
  void add(std::uint32_t from, std::uint32_t to, std::uint32_t connection) {
    arcs_.push_back({.from = from, .to = to});
    origins_.push_back(connection);
  }
  std::vector<std::uint32_t> bundle_groups();
  void add_arcs(const std::vector<std::uint32_t>& bundle_group);
  const std::string& name_of(std::uint32_t node) const {
    return names_[node < names_.size() ? node : node - static_cast<std::uint32_t>(names_.size())].text;
  }
  void report(std::vector<std::uint32_t> cycle);
  std::string step_text(std::uint32_t arc) const;

  const NameTable& names_;
  std::span<const Connection> connections_;
  Diagnostics& diagnostics_;
  std::vector<Arc> arcs_;
  std::vector<std::uint32_t> origins_;  // the connection of each arc
};

std::string CycleCheck::step_text(std::uint32_t arc) const {
  const Connection& connection = connections_[origins_[arc]];
  const std::string& owner = names_[connection.owner].text;
  const std::string& target = names_[connection.target].text;
  switch (connection.kind) {
    case ConnectionKind::requires_: return fmt::format("{} requires {}", owner, target);
    case ConnectionKind::wants: return fmt::format("{} wants {}", owner, target);
    case ConnectionKind::after: return fmt::format("{} is after {}", owner, target);
    case ConnectionKind::before: return fmt::format("{} is after {}, which has it in before", target, owner);
    case ConnectionKind::binds_to: return fmt::format("{} binds to {}", owner, target);
    case ConnectionKind::log_to: return fmt::format("{} logs to {}", owner, target);
    case ConnectionKind::contents:
      if (arcs_[arc].from == connection.owner) return fmt::format("{} contains {}", owner, target);
      return fmt::format("{} is one of {}", target, owner);
  }
  return {};
}

void CycleCheck::report(std::vector<std::uint32_t> cycle) {
  const auto place = [&](std::uint32_t arc) { return connections_[origins_[arc]].place; };
  std::ranges::rotate(cycle, std::ranges::min_element(cycle, {}, place));
  std::string path;
  std::vector<Note> notes;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const std::size_t left_out = cycle.size() > most_cycle_steps ? cycle.size() - most_cycle_steps : 0;
    if (left_out > 0 && i == most_cycle_steps / 2) {
      path.append("... -> ");
      notes.push_back({fmt::format("... and {} more steps ...", left_out)});
      i += left_out;
    }
    path.append(name_of(arcs_[cycle[i]].from)).append(" -> ");
    notes.push_back({step_text(cycle[i]), place(cycle[i])});
  }
  path.append(name_of(arcs_[cycle[0]].from));
  diagnostics_.add(Code::cycle, place(cycle[0]), fmt::format("these wait for each other: {}", path), std::move(notes));
}

// Bundles that contain each other would show up in both of their nodes: they are reported first, by themselves. Answers
// which bundles do.
std::vector<std::uint32_t> CycleCheck::bundle_groups() {
  for (std::uint32_t i = 0; i < connections_.size(); ++i) {
    const Connection& connection = connections_[i];
    if (connection.kind == ConnectionKind::contents && names_[connection.target].bundle) {
      add(connection.owner, connection.target, i);
    }
  }
  std::vector<std::uint32_t> groups = components(names_.size(), arcs_);
  for (auto& cycle : shortest_cycles(names_.size(), arcs_)) report(std::move(cycle));
  arcs_.clear();
  origins_.clear();
  return groups;
}

void CycleCheck::add_arcs(const std::vector<std::uint32_t>& bundle_group) {
  for (std::uint32_t i = 0; i < connections_.size(); ++i) {
    const Connection& connection = connections_[i];
    if (connection.kind == ConnectionKind::before) {
      add(second(connection.target), connection.owner, i);
    } else if (connection.kind != ConnectionKind::contents) {
      add(connection.owner, connection.target, i);
    } else if (names_[connection.owner].bundle && bundle_group[connection.owner] != bundle_group[connection.target]) {
      add(connection.owner, connection.target, i);
      add(second(connection.target), second(connection.owner), i);
    }
  }
}

void CycleCheck::run() {
  add_arcs(bundle_groups());
  for (auto& cycle : shortest_cycles(2 * names_.size(), arcs_)) report(std::move(cycle));
}

}  // namespace

void check_cycles(const NameTable& names, std::span<const Connection> connections, Diagnostics& diagnostics) {
  CycleCheck(names, connections, diagnostics).run();
}

}  // namespace hcrc::compiler

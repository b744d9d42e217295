#include "core/present/difference.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "core/present/table.h"

namespace hcrc::present {

namespace {

constexpr std::size_t most_keys = 24;  // told in one line

// A graph with the producers of each logger.
struct Side {
  ServiceGraph graph;
  std::vector<std::vector<std::uint32_t>> producers;

  explicit Side(const Database& database) : graph(database.graph()), producers(graph.services.size()) {
    for (std::uint32_t i = 0; i < graph.services.size(); ++i) {
      for (const Edge& edge : graph.services[i].edges) {
        if (edge.kinds.has(EdgeKind::log_to)) producers[edge.target].push_back(i);
      }
    }
  }
  std::vector<std::string_view> names(const std::vector<std::uint32_t>& indexes) const {
    std::vector<std::string_view> result;
    for (const std::uint32_t i : indexes) result.emplace_back(graph.services[i].name);
    return result;
  }
  std::vector<std::string_view> targets(const Service& service, EdgeKind kind) const {
    std::vector<std::string_view> result;
    for (const Edge& edge : service.edges) {
      if (edge.kinds.has(kind)) result.emplace_back(graph.services[edge.target].name);
    }
    return result;
  }
};

std::vector<std::string> changed_keys(const Side& old_side, std::uint32_t old_index, const Side& new_side,
                                      std::uint32_t new_index) {
  const Service& a = old_side.graph.services[old_index];
  const Service& b = new_side.graph.services[new_index];
  std::vector<std::string> keys;
  const auto add = [&](std::string_view key, bool differs) {
    if (differs) keys.emplace_back(key);
  };
  add("type", a.type != b.type);
  add("description", a.description != b.description);
  add("command", a.command != b.command);
  add("contents", old_side.names(a.contents) != new_side.names(b.contents));
  add("autostart", a.autostart != b.autostart);
  for (const EdgeKind kind : {EdgeKind::requires_, EdgeKind::wants, EdgeKind::after, EdgeKind::binds_to, EdgeKind::log_to}) {
    add(text(kind), old_side.targets(a, kind) != new_side.targets(b, kind));
  }
  add("what logs to it", old_side.names(old_side.producers[old_index]) != new_side.names(new_side.producers[new_index]));
  add("essential", a.essential != b.essential);
  add("lock", a.lock != b.lock);
  add("user", a.user != b.user);
  add("group", a.group != b.group);
  add("groups", a.groups != b.groups);
  add("directory", a.directory != b.directory);
  add("umask", a.umask != b.umask);
  add("nice", a.nice != b.nice);
  add("oom-score-adj", a.oom_score_adj != b.oom_score_adj);
  add("timeout", a.timeout != b.timeout);
  add("instances", a.instance != b.instance);
  add("[env]", a.environment != b.environment);
  add("env-files", a.environment_files != b.environment_files);
  add("env-clear", a.environment_clear != b.environment_clear);
  add("[stdin]", a.stdin_file != b.stdin_file || a.stdin_text != b.stdin_text);
  add("[when]", a.conditions != b.conditions);
  add("[ready]", a.ready != b.ready);
  add("[health]", a.health != b.health);
  add("[restart]", a.restart != b.restart);
  add("[stop]", a.stop != b.stop);
  add("cleanup", a.cleanup != b.cleanup);
  add("[schedule]", a.schedule != b.schedule);
  add("[limits]", a.limits != b.limits);
  add("[security]", a.no_new_privileges != b.no_new_privileges || a.capabilities != b.capabilities);
  add("[resources]", a.resources != b.resources);
  return keys;
}

// Marks what is restarted because something that it requires is: the index of that one, by new service.
std::vector<std::optional<std::uint32_t>> find_along(const Database& database, const std::vector<bool>& restarted,
                                                     const std::vector<bool>& runs) {
  std::vector<std::optional<std::uint32_t>> along(database.size());
  std::vector<std::uint32_t> todo;
  for (std::uint32_t i = 0; i < database.size(); ++i) {
    if (restarted[i]) todo.push_back(i);
  }
  for (std::size_t at = 0; at < todo.size(); ++at) {
    for (const format::EdgeRecord& edge : database.dependents(todo[at])) {
      const bool comes_along = EdgeKinds(static_cast<std::uint8_t>(edge.kinds)).requirement();
      if (!comes_along || restarted[edge.service] || along[edge.service] || !runs[edge.service]) continue;
      along[edge.service] = todo[at];
      todo.push_back(edge.service);
    }
  }
  return along;
}

std::string joined(const std::vector<std::string>& words) {
  return listed(std::vector<std::string_view>(words.begin(), words.end()), most_keys);
}

std::string what_happens(const ServiceChange& change) {
  switch (change.change) {
    case Change::added: return "added";
    case Change::removed: return "removed: stopped";
    case Change::restarted: return "restarted: " + joined(change.keys);
    case Change::restarted_along:
      return "restarted along with " + change.along_with + (change.keys.empty() ? "" : "; in place: " + joined(change.keys));
    case Change::in_place: return "in place: " + joined(change.keys);
  }
  return {};
}

std::string_view sign(Change change) {
  switch (change) {
    case Change::added: return "+ ";
    case Change::removed: return "- ";
    case Change::restarted:
    case Change::restarted_along: return "! ";
    case Change::in_place: return "= ";
  }
  return {};
}

}  // namespace

Difference difference(const Database& old_one, const Database& new_one) {
  const Side old_side(old_one), new_side(new_one);
  Difference result;
  const NodeSettings &a = old_side.graph.node, &b = new_side.graph.node;
  if (a.stop_deadline != b.stop_deadline) result.node_keys.emplace_back("stop-deadline");
  if (a.history != b.history) result.node_keys.emplace_back("history");
  if (a.socket_group != b.socket_group) result.node_keys.emplace_back("socket-group");

  const std::size_t size = new_one.size();
  std::vector<std::optional<std::uint32_t>> before(size);  // the same service in the old one
  std::vector<bool> restarted(size), runs(size);
  for (std::uint32_t i = 0; i < size; ++i) {
    before[i] = old_one.find(new_one.name(i));
    const bool bundle = new_side.graph.services[i].type == ServiceType::bundle;
    runs[i] = before[i] && !bundle;
    const bool was_bundle = before[i] && old_side.graph.services[*before[i]].type == ServiceType::bundle;
    restarted[i] = runs[i] && !was_bundle && old_one.service(*before[i]).hash_runs != new_one.service(i).hash_runs;
  }
  const auto along = find_along(new_one, restarted, runs);
  for (std::uint32_t i = 0; i < size; ++i) {
    ServiceChange change{.name = std::string(new_one.name(i)), .change = Change::added, .keys = {}, .along_with = {}};
    if (before[i]) {
      const format::ServiceRecord &was = old_one.service(*before[i]), &is = new_one.service(i);
      const bool same = was.hash_runs == is.hash_runs && was.hash_looked_after == is.hash_looked_after;
      if (same && !along[i]) continue;
      if (!same) change.keys = changed_keys(old_side, *before[i], new_side, i);
      change.change = restarted[i] ? Change::restarted : along[i] ? Change::restarted_along : Change::in_place;
      if (along[i]) change.along_with = std::string(new_one.name(*along[i]));
    }
    result.services.push_back(std::move(change));
  }
  for (std::uint32_t i = 0; i < old_one.size(); ++i) {
    if (new_one.find(old_one.name(i))) continue;
    result.services.push_back(
        {.name = std::string(old_one.name(i)), .change = Change::removed, .keys = {}, .along_with = {}});
  }
  std::ranges::sort(result.services, {}, &ServiceChange::name);
  return result;
}

std::string difference_text(const Difference& difference) {
  std::string out;
  std::size_t width = 12;
  for (const ServiceChange& change : difference.services)
    width = std::max(width, std::min<std::size_t>(30, change.name.size() + 2));
  if (!difference.node_keys.empty()) {
    out += "= ";
    put_cell(out, "node.toml", width);
    put_wrapped(out, "in place: " + joined(difference.node_keys), 2 + width);
    out += '\n';
  }
  for (const ServiceChange& change : difference.services) {
    out += sign(change.change);
    put_cell(out, change.name, width);
    put_wrapped(out, what_happens(change), 2 + width);
    out += '\n';
  }
  return out.empty() ? "nothing changes\n" : out;
}

}  // namespace hcrc::present

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

std::string joined(const std::vector<std::string>& words) {
  return listed(std::vector<std::string_view>(words.begin(), words.end()), most_keys);
}

std::string what_happens(const ServiceChange& change) {
  const std::string also = change.keys.empty() ? "" : "; in place: " + joined(change.keys);
  const std::string changed = change.keys.empty() ? "" : "; changed: " + joined(change.keys);
  switch (change.fate) {
    case Fate::kept: return "nothing changes";
    case Fate::added: return "added";
    case Fate::removed: return "removed: stopped";
    case Fate::restarted: return "restarted: " + joined(change.keys);
    case Fate::along: return "restarted along with " + change.along_with + also;
    case Fate::in_place: return "in place: " + joined(change.keys);
    case Fate::stopped: return "no longer wanted: stopped" + changed;
    case Fate::started: return "wanted now: started" + changed;
  }
  return {};
}

std::string_view sign(Fate fate) {
  switch (fate) {
    case Fate::added:
    case Fate::started: return "+ ";
    case Fate::removed:
    case Fate::stopped: return "- ";
    case Fate::restarted:
    case Fate::along: return "! ";
    case Fate::kept:
    case Fate::in_place: return "= ";
  }
  return {};
}

std::vector<Definition> definitions_of(const Database& database) {
  const std::shared_ptr<const Database> borrowed(std::shared_ptr<void>(), &database);
  std::vector<Definition> definitions;
  for (std::uint32_t place = 0; place < database.size(); ++place) definitions.push_back(definition_of(borrowed, place));
  return definitions;
}

}  // namespace

Difference difference(const Database& old_one, const Database& new_one) {
  const Side old_side(old_one), new_side(new_one);
  Difference result;
  const NodeSettings &a = old_side.graph.node, &b = new_side.graph.node;
  if (a.stop_deadline != b.stop_deadline) result.node_keys.emplace_back("stop-deadline");
  if (a.history != b.history) result.node_keys.emplace_back("history");
  if (a.socket_group != b.socket_group) result.node_keys.emplace_back("socket-group");

  UpdatePlan plan = plan_update(definitions_of(old_one), new_one);
  judge_wanted(plan, new_one, wanted_from(old_one, roots_of(old_one)), wanted_from(new_one, roots_of(new_one)));
  for (std::uint32_t i = 0; i < new_one.size(); ++i) {
    const UpdatePlan::Service& planned = plan.services[i];
    if (planned.fate == Fate::kept) continue;
    ServiceChange change{.name = std::string(new_one.name(i)), .fate = planned.fate, .keys = {}, .along_with = {}};
    if (planned.before && planned.fate != Fate::added) change.keys = changed_keys(old_side, *planned.before, new_side, i);
    if (planned.along_with) change.along_with = std::string(new_one.name(*planned.along_with));
    result.services.push_back(std::move(change));
  }
  for (const std::uint32_t i : plan.removed) {
    result.services.push_back({.name = std::string(old_one.name(i)), .fate = Fate::removed, .keys = {}, .along_with = {}});
  }
  std::ranges::stable_sort(result.services, {}, &ServiceChange::name);
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
    out += sign(change.fate);
    put_cell(out, change.name, width);
    put_wrapped(out, what_happens(change), 2 + width);
    out += '\n';
  }
  return out.empty() ? "nothing changes\n" : out;
}

}  // namespace hcrc::present

// A graph made from another by random changes: for updates.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/database_writer.h"
#include "core/random.h"
#include "core/simulation/world.h"

namespace hcrc::simulation {

class ChangedGraph {
 public:
  ChangedGraph(const Database& before, Random& random) : random_(random), graph_(before.graph()) {
    const std::uint64_t changes = random_.upto(5);
    for (std::uint64_t i = 0; i < changes; ++i) change();
    if (one_in(4)) connect_anew();
  }

  std::shared_ptr<const Database> database() const {
    auto bytes = write_database(graph_);
    auto database = Database::load(std::move(bytes.value()));
    return std::make_shared<const Database>(std::move(database.value()));
  }

 private:
  bool one_in(std::uint64_t n) { return random_.upto(n - 1) == 0; }
  Milliseconds upto_ms(std::uint64_t most) { return Milliseconds(static_cast<std::int64_t>(random_.upto(most))); }
  std::uint32_t any() { return static_cast<std::uint32_t>(random_.upto(graph_.services.size() - 1)); }

  void change() {
    Service& service = graph_.services[any()];
    const bool bundle = service.type == ServiceType::bundle;
    switch (random_.upto(17)) {
      case 0: service.description += "x"; return;
      case 1: service.autostart = !service.autostart; return;
      case 2: return add();
      case 3: return remove();
      case 4:
        if (bundle) return;
        [[fallthrough]];
      case 5:
        if (!bundle) service.command.push_back(Template{{{.text = "x", .fallback = {}}}});
        return;
      case 6:
        service.restart.hold = std::chrono::seconds(2) + upto_ms(20'000);
        service.restart.delay = upto_ms(1'000);
        service.restart.max_delay = service.restart.delay + upto_ms(3'000);
        service.restart.attempts = static_cast<std::uint32_t>(random_.upto(4));
        return;
      case 7: service.stop.timeout = Milliseconds(100) + upto_ms(3'000); return;
      case 8:
        if (service.type != ServiceType::longrun) return;
        service.health.kind = one_in(3) ? HealthKind::none : HealthKind::tcp;
        service.health.address.reset();
        if (service.health.kind == HealthKind::tcp) service.health.address = service.command.front();
        service.health.interval = std::chrono::seconds(1) + upto_ms(5'000);
        return;
      case 9: service.schedule.every = std::chrono::seconds(1) + upto_ms(10'000); return;
      case 10:
        if (service.type == ServiceType::oneshot || service.type == ServiceType::periodic) {
          service.timeout = Milliseconds(500) + upto_ms(3'000);
        }
        return;
      case 11: return change_type(service);
      case 12:
        if (service.type == ServiceType::longrun) service.essential = one_in(4);
        return;
      case 13: return bundle_some();
      case 14:
        if (!bundle) service.cleanup = service.cleanup.empty() ? service.command : Arguments{};
        return;
      case 15:
      case 16:
        if (bundle) return;
        // In an empty environment one of them holds, and the other does not.
        service.conditions = {
            {.kind = one_in(2) ? ConditionKind::env_set : ConditionKind::env_unset, .name = "X", .value = {}}};
        if (one_in(3)) service.conditions.clear();
        return;
      default: return change_edge();
    }
  }

  static Service plain(std::string name, ServiceType type) {
    Service service;
    service.name = std::move(name);
    service.type = type;
    if (type == ServiceType::oneshot) service.restart.policy = RestartPolicy::never;
    service.autostart = type != ServiceType::bundle;
    if (type != ServiceType::bundle) service.command = {Template{{{.text = "/bin/" + service.name, .fallback = {}}}}};
    return service;
  }

  // What is longrun alone, or not of this type, goes.
  void change_type(Service& service) {
    if (service.type == ServiceType::bundle) return;
    for (const Service& other : graph_.services) {
      for (const Edge& edge : other.edges) {
        if (edge.kinds.has(EdgeKind::log_to) && &graph_.services[edge.target] == &service) return;
      }
    }
    Service changed = plain(service.name, static_cast<ServiceType>(random_.upto(2)));
    changed.edges = service.edges;
    service = changed;
  }

  void insert(Service service) {
    const auto where = std::ranges::lower_bound(graph_.services, service.name, {}, &Service::name);
    if (where != graph_.services.end() && where->name == service.name) return;
    const auto place = static_cast<std::uint32_t>(where - graph_.services.begin());
    for (Service& other : graph_.services) {
      for (Edge& edge : other.edges) edge.target += edge.target >= place ? 1 : 0;
      for (std::uint32_t& content : other.contents) content += content >= place ? 1 : 0;
    }
    graph_.services.insert(where, std::move(service));
  }

  // Names that come and go, so that what was removed comes back, too.
  void add() {
    const std::string name = {static_cast<char>('a' + random_.upto(1)), static_cast<char>('0' + random_.upto(3))};
    const auto type = static_cast<ServiceType>(random_.upto(2));
    insert(plain(one_in(2) ? name : "t" + name, type));
    for (int i = 0; i < 3; ++i) change_edge();
  }

  void remove() {
    if (graph_.services.size() <= 1) return;
    const std::uint32_t place = any();
    graph_.services.erase(graph_.services.begin() + place);
    for (Service& other : graph_.services) {
      std::erase_if(other.edges, [place](const Edge& edge) { return edge.target == place; });
      std::erase(other.contents, place);
      for (Edge& edge : other.edges) edge.target -= edge.target > place ? 1 : 0;
      for (std::uint32_t& content : other.contents) content -= content > place ? 1 : 0;
    }
  }

  void bundle_some() {
    Service all = plain("all", ServiceType::bundle);
    all.autostart = one_in(2);
    insert(all);
    for (Service& service : graph_.services) {
      if (service.name != "all") continue;
      service.contents.clear();
      for (std::uint32_t place = 0; place < graph_.services.size(); ++place) {
        if (graph_.services[place].type != ServiceType::bundle && one_in(3)) service.contents.push_back(place);
      }
    }
  }

  bool leads_to(std::uint32_t from, std::uint32_t to) const {
    std::vector<std::uint32_t> todo = {from};
    for (std::size_t at = 0; at < todo.size() && todo.size() < 10'000; ++at) {
      if (todo[at] == to) return true;
      for (const Edge& edge : graph_.services[todo[at]].edges) todo.push_back(edge.target);
    }
    return false;
  }

  // Removes an edge, or puts one where it closes no circle.
  void change_edge() {
    const std::uint32_t from = any(), to = any();
    Service& source = graph_.services[from];
    const Service& target = graph_.services[to];
    const auto there = std::ranges::find(source.edges, to, &Edge::target);
    if (there != source.edges.end()) {
      source.edges.erase(there);
      return;
    }
    if (source.type == ServiceType::bundle || target.type == ServiceType::bundle || leads_to(to, from)) return;
    constexpr EdgeKind kinds[] = {EdgeKind::requires_, EdgeKind::wants, EdgeKind::after, EdgeKind::binds_to,
                                  EdgeKind::log_to};
    const EdgeKind kind = kinds[random_.upto(4)];
    if (kind == EdgeKind::log_to) {
      if (target.type != ServiceType::longrun) return;
      for (const Edge& edge : source.edges) {
        if (edge.kinds.has(EdgeKind::log_to)) return;
      }
    }
    source.edges.push_back({.target = to, .kinds = kind});
    std::ranges::sort(source.edges, {}, &Edge::target);
  }

  // All edges anew, in whatever direction: some lead the other way from where they led.
  void connect_anew() {
    for (Service& service : graph_.services) service.edges.clear();
    for (std::size_t i = 0; i < 2 * graph_.services.size(); ++i) change_edge();
  }

  Random& random_;
  ServiceGraph graph_;
};

}  // namespace hcrc::simulation

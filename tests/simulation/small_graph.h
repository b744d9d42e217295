// Graphs for tests, written down in a line: Graph().longrun("a").oneshot("b").edge("a", EdgeKind::requires_, "b").database()
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/database.h"
#include "core/database_writer.h"
#include "core/graph.h"

namespace hcrc::simulation {

class Graph {
 public:
  // The service just added, for more settings: valid until the next one is added.
  Service& add(std::string_view name, ServiceType type) {
    Service service;
    service.name = name;
    if (const std::size_t at = name.find('@'); at != std::string_view::npos) service.instance = name.substr(at + 1);
    service.type = type;
    if (type == ServiceType::oneshot) service.restart.policy = RestartPolicy::never;
    service.restart.jitter_milli = 0;
    service.autostart = type != ServiceType::bundle;
    if (type != ServiceType::bundle) service.command = {Template{{{.text = "/bin/" + std::string(name), .fallback = {}}}}};
    services_.push_back(service);
    return services_.back();
  }
  Service& longrun(std::string_view name) { return add(name, ServiceType::longrun); }
  // Ready when it says so.
  Service& notifying(std::string_view name) {
    Service& service = longrun(name);
    service.ready.kind = ReadyKind::notify;
    return service;
  }
  Service& oneshot(std::string_view name) { return add(name, ServiceType::oneshot); }
  Service& periodic(std::string_view name) { return add(name, ServiceType::periodic); }
  // One that is there; valid until the next is added.
  Service& service(std::string_view name) {
    return *std::find_if(services_.begin(), services_.end(), [name](const Service& one) { return one.name == name; });
  }
  Graph& edge(std::string_view source, EdgeKind kind, std::string_view target) {
    edges_.push_back({std::string(source), kind, std::string(target)});
    return *this;
  }

  Database database() const {
    ServiceGraph graph;
    graph.services = services_;
    std::sort(graph.services.begin(), graph.services.end(),
              [](const Service& a, const Service& b) { return a.name < b.name; });
    const auto find = [&graph](const std::string& name) {
      std::uint32_t index = 0;
      while (graph.services[index].name != name) ++index;
      return index;
    };
    for (const auto& [source, kind, target] : edges_) {
      std::vector<Edge>& edges = graph.services[find(source)].edges;
      const std::uint32_t index = find(target);
      auto edge = std::find_if(edges.begin(), edges.end(), [index](const Edge& one) { return one.target == index; });
      if (edge == edges.end()) edge = edges.insert(edges.end(), Edge{.target = index, .kinds = {}});
      edge->kinds.add(kind);
      std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.target < b.target; });
    }
    auto bytes = write_database(graph);
    auto database = Database::load(std::move(bytes.value()));
    return std::move(database.value());
  }

 private:
  struct NamedEdge {
    std::string source;
    EdgeKind kind;
    std::string target;
  };
  std::vector<Service> services_;
  std::vector<NamedEdge> edges_;
};

}  // namespace hcrc::simulation

#include "compiler/graph_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hcrc::compiler {

namespace {

// How many bytes of the graph one service of this definition is, about.
std::size_t weight(const Definition& definition) {
  const auto of_text = [](const Template& text) {
    std::size_t bytes = 0;
    for (const TemplatePiece& piece : text.pieces) bytes += sizeof piece + piece.text.size() + piece.fallback.size();
    return bytes;
  };
  std::size_t bytes = sizeof(Service);
  for (const Setting& setting : definition.settings) {
    if (const auto* text = std::get_if<std::string>(&setting.value)) bytes += text->size();
    if (const auto* text = std::get_if<Template>(&setting.value)) bytes += of_text(*text);
    if (const auto* items = std::get_if<Items>(&setting.value)) {
      if (setting.key == Key::instances) continue;
      for (const Item& item : *items) bytes += sizeof(Template) + item.name.size() + of_text(item.text);
    }
  }
  return bytes;
}

class GraphBuilder {
 public:
  GraphBuilder(std::span<const Definition> definitions, const NameTable& names, std::span<const Connection> connections,
               const Limits& limits, Diagnostics& diagnostics)
      : definitions_(definitions),
        names_(names),
        connections_(connections),
        limits_(limits),
        diagnostics_(diagnostics),
        contents_(names.size()) {}

  std::optional<ServiceGraph> build();

 private:
  bool small_enough();
  bool too_many(Place place);
  void fill_services();
  bool flatten_bundles();
  bool fill_edges();
  void fill_loggers();

  // What a name stands for: itself, or all that is in the bundle.
  std::span<const std::uint32_t> services_of(const std::uint32_t& name) const {
    return names_[name].bundle ? std::span<const std::uint32_t>(contents_[name]) : std::span(&name, 1);
  }

  std::span<const Definition> definitions_;
  const NameTable& names_;
  std::span<const Connection> connections_;
  const Limits& limits_;
  Diagnostics& diagnostics_;
  std::vector<std::vector<std::uint32_t>> contents_;  // of each bundle: plain services, sorted
  ServiceGraph graph_;
};

bool GraphBuilder::small_enough() {
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < definitions_.size(); ++i) {
    const std::size_t one = weight(definitions_[i]);
    const std::size_t copies = std::max<std::size_t>(names_.services_of(i).size(), 1);
    if (one > (limits_.graph_bytes - bytes) / copies) {
      diagnostics_.add(Code::too_large, {.file = definitions_[i].place.file, .line = 1, .column = 1},
                       "the definitions are too large from here on",
                       {{fmt::format("a database has at most {} MiB", bounds::database_bytes >> 20)}});
      return false;
    }
    bytes += one * copies;
  }
  return true;
}

bool GraphBuilder::too_many(Place place) {
  diagnostics_.add(Code::too_large, place, "with all that bundles stand for there are too many connections from here on",
                   {{fmt::format("a database has room for {}", limits_.connections)}});
  return false;
}

void GraphBuilder::fill_services() {
  graph_.services.resize(names_.size());
  for (std::uint32_t i = 0; i < definitions_.size(); ++i) {
    const std::uint32_t own = names_.own_name(i);
    Service service = service_of(definitions_[i]);
    if (!names_[own].bundle) {
      graph_.services[own] = std::move(service);
      continue;
    }
    for (const std::uint32_t one : names_.services_of(i)) {
      graph_.services[one] = service;
      graph_.services[one].name = names_[one].text;
      graph_.services[one].instance = names_[one].instance;
    }
    Service& bundle = graph_.services[own];
    bundle.name = names_[own].text;
    bundle.type = ServiceType::bundle;
    bundle.description = service.description;
    // The instances say themselves whether they are wanted.
    bundle.autostart = service.type == ServiceType::bundle && service.autostart;
  }
}

// Bundles from the inside out: one is expanded when all that are in it have been.
bool GraphBuilder::flatten_bundles() {
  std::vector<std::vector<std::uint32_t>> containers(names_.size());  // connections that lead to a bundle
  std::vector<std::uint32_t> waits_for(names_.size());
  std::vector<std::uint32_t> ready;
  for (std::uint32_t i = 0; i < connections_.size(); ++i) {
    const Connection& connection = connections_[i];
    if (connection.kind != ConnectionKind::contents) continue;
    if (names_[connection.target].bundle) {
      containers[connection.target].push_back(i);
      ++waits_for[connection.owner];
    } else {
      contents_[connection.owner].push_back(connection.target);
    }
  }
  for (std::uint32_t i = 0; i < names_.size(); ++i) {
    if (names_[i].bundle && waits_for[i] == 0) ready.push_back(i);
  }
  std::size_t total = 0;
  while (!ready.empty()) {
    const std::uint32_t bundle = ready.back();
    ready.pop_back();
    auto& inside = contents_[bundle];
    std::ranges::sort(inside);
    inside.erase(std::unique(inside.begin(), inside.end()), inside.end());
    for (const std::uint32_t i : containers[bundle]) {
      const Connection& connection = connections_[i];
      auto& outside = contents_[connection.owner];
      if (inside.size() > limits_.connections - total) return too_many(connection.place);
      total += inside.size();
      outside.insert(outside.end(), inside.begin(), inside.end());
      if (--waits_for[connection.owner] == 0) ready.push_back(connection.owner);
    }
  }
  for (std::uint32_t i = 0; i < names_.size(); ++i) graph_.services[i].contents = contents_[i];
  return true;
}

bool GraphBuilder::fill_edges() {
  std::size_t total = 0;
  for (const Connection& connection : connections_) {
    if (connection.kind == ConnectionKind::contents) continue;
    const auto targets = services_of(connection.target);
    if (targets.size() > limits_.connections - total) return too_many(connection.place);
    total += targets.size();
    for (const std::uint32_t target : targets) {
      switch (connection.kind) {
        case ConnectionKind::requires_:
          graph_.services[connection.owner].edges.push_back({.target = target, .kinds = EdgeKind::requires_});
          break;
        case ConnectionKind::wants:
          graph_.services[connection.owner].edges.push_back({.target = target, .kinds = EdgeKind::wants});
          break;
        case ConnectionKind::after:
          graph_.services[connection.owner].edges.push_back({.target = target, .kinds = EdgeKind::after});
          break;
        case ConnectionKind::before:
          graph_.services[target].edges.push_back({.target = connection.owner, .kinds = EdgeKind::after});
          break;
        case ConnectionKind::binds_to:
          graph_.services[connection.owner].edges.push_back({.target = target, .kinds = EdgeKind::binds_to});
          break;
        case ConnectionKind::log_to:
          graph_.services[connection.owner].edges.push_back({.target = target, .kinds = EdgeKind::log_to});
          break;
        case ConnectionKind::contents: break;
      }
    }
  }
  for (Service& service : graph_.services) {
    std::ranges::sort(service.edges, {}, &Edge::target);
    std::vector<Edge> merged;
    for (const Edge& edge : service.edges) {
      if (merged.empty() || merged.back().target != edge.target) {
        merged.push_back(edge);
      } else {
        merged.back().kinds = EdgeKinds(static_cast<std::uint8_t>(merged.back().kinds.bits() | edge.kinds.bits()));
      }
    }
    service.edges = std::move(merged);
  }
  return true;
}

void GraphBuilder::fill_loggers() {
  for (const Connection& connection : connections_) {
    if (connection.kind != ConnectionKind::log_to) continue;
    const Definition& definition = definitions_[names_[connection.target].definition];
    restart_as_log_receiver(graph_.services[connection.target].restart, definition.has(Key::restart_attempts),
                            definition.has(Key::restart_max_delay));
  }
}

std::optional<ServiceGraph> GraphBuilder::build() {
  if (!small_enough()) return std::nullopt;
  fill_services();
  if (!flatten_bundles() || !fill_edges()) return std::nullopt;
  fill_loggers();
  return std::move(graph_);
}

}  // namespace

std::optional<ServiceGraph> build_graph(const Definition* node, std::span<const Definition> definitions,
                                        const NameTable& names, std::span<const Connection> connections,
                                        const Limits& limits, Diagnostics& diagnostics) {
  auto graph = GraphBuilder(definitions, names, connections, limits, diagnostics).build();
  if (graph && node != nullptr) graph->node = node_settings_of(*node);
  return graph;
}

}  // namespace hcrc::compiler

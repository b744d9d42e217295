#include "tests/compiler/compile_text.h"

#include <algorithm>

#include "tests/catch.h"

namespace hcrc::compiler {

Compiled compile_files(const std::vector<TextFile>& files) {
  Input input{.folders = {"first", "second", "third"}, .files = {}};
  for (const TextFile& file : files) {
    input.files.push_back({.folder = file.folder, .name = file.name + ".toml", .text = file.text});
  }
  return compile(std::move(input));
}

std::string told(const Compiled& compiled) { return diagnostics_text(compiled.diagnostics, compiled.sources, false); }

ServiceGraph graph_of(const std::vector<TextFile>& files) {
  Compiled compiled = compile_files(files);
  INFO(told(compiled));
  REQUIRE(compiled.graph);
  return std::move(*compiled.graph);
}

const Service& find_service(const ServiceGraph& graph, std::string_view name) {
  const auto at = std::ranges::find(graph.services, name, &Service::name);
  REQUIRE(at != graph.services.end());
  return *at;
}

Service service_of_text(const std::string& text) { return find_service(graph_of({{"s", text}}), "s"); }

std::string codes(const std::vector<TextFile>& files) {
  std::string text;
  for (const Diagnostic& diagnostic : compile_files(files).diagnostics.sorted()) {
    text.append(text.empty() ? "" : " ").append(row(diagnostic.code).id);
  }
  return text;
}

std::string edges(const ServiceGraph& graph) {
  std::string all;
  for (const Service& service : graph.services) {
    for (const Edge& edge : service.edges) {
      for (const EdgeKind kind :
           {EdgeKind::requires_, EdgeKind::wants, EdgeKind::after, EdgeKind::binds_to, EdgeKind::log_to}) {
        if (!edge.kinds.has(kind)) continue;
        all.append(all.empty() ? "" : ", ").append(service.name).append(" ").append(text(kind)).append(" ");
        all.append(graph.services[edge.target].name);
      }
    }
  }
  return all;
}

}  // namespace hcrc::compiler

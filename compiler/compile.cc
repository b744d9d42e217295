#include "compiler/compile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "compiler/connections.h"
#include "compiler/cycle_check.h"
#include "compiler/definition.h"
#include "compiler/graph_builder.h"
#include "compiler/layer_reader.h"
#include "compiler/layers.h"
#include "compiler/names.h"
#include "compiler/reach_check.h"
#include "compiler/service_check.h"
#include "compiler/stop_time_check.h"

namespace hcrc::compiler {

namespace {

constexpr std::size_t shown_producers = 2;  // of a logger

class Compilation {
 public:
  Compilation(Input input, const Limits& limits) : input_(std::move(input)), limits_(limits) {}

  Compiled run();

 private:
  void lay_over_all();
  void check_all(const NameTable& names, const Connections& connections);

  Input input_;
  const Limits& limits_;
  Compiled result_;
  std::vector<Layer> layers_;
  std::optional<Definition> node_;
  std::vector<Definition> definitions_;  // sorted by name
};

void Compilation::lay_over_all() {
  // Names come together, each in the order of the folders, which is that of the files.
  const auto place = [](const Layer& layer) {
    return std::tie(layer.node, layer.definition.name, layer.definition.place.file);
  };
  if (!std::ranges::is_sorted(layers_, {}, place)) std::ranges::sort(layers_, {}, place);
  for (std::size_t begin = 0, end = 0; begin < layers_.size(); begin = end) {
    std::vector<Definition> same;
    for (; end < layers_.size() && layers_[end].node == layers_[begin].node &&
           (same.empty() || layers_[end].definition.name == same.front().name);
         ++end) {
      same.push_back(std::move(layers_[end].definition));
    }
    const bool node = layers_[begin].node;
    Definition laid = lay_over(std::move(same), node ? Key::node_override : Key::override_, result_.diagnostics);
    if (node) {
      node_ = std::move(laid);
    } else {
      definitions_.push_back(std::move(laid));
    }
  }
  layers_.clear();
}

void Compilation::check_all(const NameTable& names, const Connections& connections) {
  std::vector<ServiceSurroundings> surroundings(definitions_.size());
  std::vector<std::uint32_t> producers(names.size());
  for (const Connection& connection : connections.all) {
    if (connection.kind != ConnectionKind::log_to) continue;
    ServiceSurroundings& logger = surroundings[names[connection.target].definition];
    logger.producers = std::max<std::size_t>(logger.producers, ++producers[connection.target]);
    auto& places = logger.logged_from;
    const bool told = !places.empty() && places.back() == connection.place;  // by another instance
    if (!told && places.size() < shown_producers) places.push_back(connection.place);
  }
  for (std::size_t i = 0; i < definitions_.size(); ++i) check_service(definitions_[i], surroundings[i], result_.diagnostics);
  check_cycles(names, connections.all, result_.diagnostics);
}

Compiled Compilation::run() {
  const auto place = [](const InputFile& file) { return std::tie(file.folder, file.name); };
  if (!std::ranges::is_sorted(input_.files, {}, place)) std::ranges::sort(input_.files, {}, place);
  result_.sources.reserve(input_.files.size());
  for (InputFile& file : input_.files) {
    std::string_view folder = input_.folders[file.folder];
    while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
    result_.sources.emplace_back(fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", file.name),
                                 std::move(file.text));
  }
  Layers layers = read_layers(input_.files, result_.sources);
  layers_ = std::move(layers.all);
  result_.diagnostics = std::move(layers.diagnostics);
  lay_over_all();
  if (definitions_.empty() && result_.diagnostics.errors() == 0) {
    result_.diagnostics.add(
        Code::no_service, {},
        fmt::format("there is no service in {}", harmless(fmt::format("{}", fmt::join(input_.folders, ", ")))),
        {{"a service NAME is defined by a file NAME.toml"}});
  }

  const NameTable names(definitions_, limits_, result_.diagnostics);
  const Connections connections = connect(definitions_, names, limits_, result_.diagnostics);
  check_all(names, connections);
  if (result_.diagnostics.errors() > 0) return std::move(result_);
  result_.graph = build_graph(node_ ? &*node_ : nullptr, definitions_, names, connections.all, limits_, result_.diagnostics);
  if (!result_.graph) return std::move(result_);
  check_stop_times(*result_.graph, names, definitions_, result_.diagnostics);
  check_reach(definitions_, names, connections.all, result_.diagnostics);
  return std::move(result_);
}

}  // namespace

Compiled compile(Input input, const Limits& limits) { return Compilation(std::move(input), limits).run(); }

}  // namespace hcrc::compiler

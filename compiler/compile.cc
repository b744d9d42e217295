#include "compiler/compile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "compiler/connections.h"
#include "compiler/cycle_check.h"
#include "compiler/definition.h"
#include "compiler/definition_reader.h"
#include "compiler/graph_builder.h"
#include "compiler/key_suggestions.h"
#include "compiler/layers.h"
#include "compiler/names.h"
#include "compiler/reach_check.h"
#include "compiler/service_check.h"
#include "compiler/stop_time_check.h"
#include "compiler/toml_reader.h"

namespace hcrc::compiler {

namespace {

constexpr std::string_view extension = ".toml";
constexpr std::string_view node_name = "node";
constexpr std::size_t shown_producers = 2;  // of a logger

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Why a text cannot be a service's name; empty where it can.
std::string problem_of_name(std::string_view name) {
  if (name.empty()) return "the name is missing in front of .toml";
  if (name.size() > bounds::name_bytes)
    return fmt::format("a name has at most {} bytes, and this one {}", bounds::name_bytes, name.size());
  if (!is_alphanumeric(name[0])) return "a name begins with a letter or digit";
  for (std::string_view rest = name; !rest.empty();) {
    const CodePoint point = next_code_point(rest);
    const std::string_view bytes = rest.substr(0, point.bytes);
    rest.remove_prefix(point.bytes);
    if (bytes.size() == 1 && (is_alphanumeric(bytes[0]) || bytes[0] == '_' || bytes[0] == '.' || bytes[0] == '-')) continue;
    if (!point.valid || point.value < 0x80)
      return fmt::format("{} cannot be in a name: it has letters, digits, _, . and -", in_quotes(bytes));
    return fmt::format("{} (U+{:04X}) cannot be in a name: letters are those of ASCII", in_quotes(bytes),
                       static_cast<unsigned>(point.value));
  }
  return {};
}

class Compilation {
 public:
  Compilation(Input input, const Limits& limits) : input_(std::move(input)), limits_(limits) {}

  Compiled run();

 private:
  // One file of one folder, read.
  struct Layer {
    bool node = false;
    Definition definition;
  };

  void read_file(std::uint32_t file, const InputFile& input);
  bool is_definition(const InputFile& input, Place place);
  Definition read_text(std::uint32_t file, bool node, std::string name);
  void lay_over_all();
  void check_all(const NameTable& names, const Connections& connections);

  Input input_;
  const Limits& limits_;
  Compiled result_;
  KeySuggestions suggestions_;
  std::vector<Layer> layers_;
  std::optional<Definition> node_;
  std::vector<Definition> definitions_;  // sorted by name
};

// Reports what is no definition, or none that can be read.
bool Compilation::is_definition(const InputFile& input, Place place) {
  Diagnostics& diagnostics = result_.diagnostics;
  if (!input.name.ends_with(extension)) {
    diagnostics.add(Code::stray_file, place, "this is no definition, and is not read",
                    {{"definitions end in .toml; hidden files and README* may be here, too"}});
    return false;
  }
  const std::string name = input.name.substr(0, input.name.size() - extension.size());
  if (auto problem = problem_of_name(name); !problem.empty()) {
    diagnostics.add(Code::bad_file_name, place, fmt::format("{} cannot be a service's name", in_quotes(name)),
                    {{std::move(problem)}});
    return false;
  }
  return true;
}

Definition Compilation::read_text(std::uint32_t file, bool node, std::string name) {
  auto tree = read_toml(result_.sources[file], file);
  if (tree) return read_definition(*tree, node, std::move(name), {.file = file}, suggestions_, result_.diagnostics);
  Diagnostic& error = tree.error();
  result_.diagnostics.add(error.code, error.place, std::move(error.message), std::move(error.notes));
  return {.name = std::move(name), .place = {.file = file}, .settings = {}, .meant = {}, .incomplete = true};
}

void Compilation::read_file(std::uint32_t file, const InputFile& input) {
  const Place place{.file = file};
  if (!is_definition(input, place)) return;
  std::string name = input.name.substr(0, input.name.size() - extension.size());
  const bool node = name == node_name;
  const auto unreadable = [&](Code code, std::string message, std::string note) {
    result_.diagnostics.add(code, place, std::move(message), {{std::move(note)}});
    layers_.push_back(
        {.node = node,
         .definition = {.name = std::move(name), .place = place, .settings = {}, .meant = {}, .incomplete = true}});
  };
  const bool too_big = result_.sources[file].text().size() > bounds::source_file_bytes;
  switch (too_big ? Found::too_big : input.found) {
    case Found::file: layers_.push_back({.node = node, .definition = read_text(file, node, std::move(name))}); return;
    case Found::link_out:
      return unreadable(Code::not_a_file, "this link leads out of the folder, or to nothing",
                        "a definition is a file of the folder, or a link to one");
    case Found::folder:
      return unreadable(Code::not_a_file, "this is a folder, and should be a file",
                        "container engines make a folder where a file that is to be mounted does not exist");
    case Found::special:
      return unreadable(Code::not_a_file, "this is no regular file",
                        "a definition is a file of the folder, or a link to one");
    case Found::too_big:
      return unreadable(Code::file_too_big, fmt::format("the file has more than {} bytes", bounds::source_file_bytes),
                        "what a service reads as data belongs into a file of its own");
  }
}

void Compilation::lay_over_all() {
  // Names come together, each in the order of the folders, which is that of the files.
  std::ranges::sort(layers_, {}, [](const Layer& layer) {
    return std::tie(layer.node, layer.definition.name, layer.definition.place.file);
  });
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
  std::ranges::sort(input_.files, {}, [](const InputFile& file) { return std::tie(file.folder, file.name); });
  for (InputFile& file : input_.files) {
    std::string_view folder = input_.folders[file.folder];
    while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
    result_.sources.emplace_back(fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", file.name),
                                 std::move(file.text));
  }
  for (std::uint32_t i = 0; i < input_.files.size(); ++i) read_file(i, input_.files[i]);
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

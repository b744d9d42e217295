#include "compiler/layer_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/definition_reader.h"
#include "compiler/key_suggestions.h"
#include "compiler/parallel.h"
#include "compiler/toml_reader.h"
#include "core/bounds.h"

namespace hcrc::compiler {

namespace {

constexpr std::string_view extension = ".toml";
constexpr std::string_view node_name = "node";
// Files that share what is bounded for all of them. The same on every machine, so that all say the same.
constexpr std::size_t files_at_once = 512;

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

class LayerReader {
 public:
  explicit LayerReader(const Sources& sources) : sources_(sources) {}

  void read_file(std::uint32_t file, const InputFile& input);
  Layers take() { return std::move(layers_); }

 private:
  bool is_definition(const InputFile& input, Place place);
  Definition read_text(std::uint32_t file, bool node, std::string name);

  const Sources& sources_;
  KeySuggestions suggestions_;
  Layers layers_;
};

// Reports what is no definition, or none that can be read.
bool LayerReader::is_definition(const InputFile& input, Place place) {
  Diagnostics& diagnostics = layers_.diagnostics;
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

Definition LayerReader::read_text(std::uint32_t file, bool node, std::string name) {
  auto tree = read_toml(sources_[file], file);
  if (tree) return read_definition(*tree, node, std::move(name), {.file = file}, suggestions_, layers_.diagnostics);
  Diagnostic& error = tree.error();
  layers_.diagnostics.add(error.code, error.place, std::move(error.message), std::move(error.notes));
  return {.name = std::move(name), .place = {.file = file}, .settings = {}, .meant = {}, .incomplete = true};
}

void LayerReader::read_file(std::uint32_t file, const InputFile& input) {
  const Place place{.file = file};
  if (!is_definition(input, place)) return;
  std::string name = input.name.substr(0, input.name.size() - extension.size());
  const bool node = name == node_name;
  const auto unreadable = [&](Code code, std::string message, std::string note) {
    layers_.diagnostics.add(code, place, std::move(message), {{std::move(note)}});
    layers_.all.push_back(
        {.node = node,
         .definition = {.name = std::move(name), .place = place, .settings = {}, .meant = {}, .incomplete = true}});
  };
  const bool too_big = sources_[file].text().size() > bounds::source_file_bytes;
  switch (too_big ? Found::too_big : input.found) {
    case Found::file: layers_.all.push_back({.node = node, .definition = read_text(file, node, std::move(name))}); return;
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

}  // namespace

Layers read_layers(std::span<const InputFile> files, const Sources& sources) {
  std::vector<Layers> parts((files.size() + files_at_once - 1) / files_at_once);
  in_parallel(parts.size(), [&](std::size_t part) {
    LayerReader reader(sources);
    const std::size_t begin = part * files_at_once;
    for (std::size_t i = begin; i < std::min(begin + files_at_once, files.size()); ++i) {
      reader.read_file(static_cast<std::uint32_t>(i), files[i]);
    }
    parts[part] = reader.take();
  });
  Layers layers;
  layers.all.reserve(files.size());
  for (Layers& part : parts) {
    layers.all.insert(layers.all.end(), std::make_move_iterator(part.all.begin()), std::make_move_iterator(part.all.end()));
    layers.diagnostics.add_all(std::move(part.diagnostics));
  }
  return layers;
}

}  // namespace hcrc::compiler

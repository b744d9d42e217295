#include "tests/compiler/golden_folders.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "compiler/folder_reader.h"
#include "tests/catch.h"

namespace hcrc::compiler {

namespace fs = std::filesystem;

namespace {

void add_specials(const fs::path& path, Input& input, Limits& limits) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string verb, name;
    std::size_t count = 0;
    words >> verb;
    if (verb == "services") words >> limits.services;
    if (verb == "connections") words >> limits.connections;
    if (verb == "graph") words >> limits.graph_bytes;
    if (verb == "grow") {
      words >> name >> count;
      input.files.push_back({.name = name, .text = std::string(count, ' ')});
    }
    const Found found = verb == "link-out"  ? Found::link_out
                        : verb == "folder"  ? Found::folder
                        : verb == "special" ? Found::special
                                            : Found::file;
    if (found == Found::file) continue;
    words >> name;
    input.files.push_back({.name = name, .found = found});
  }
}

}  // namespace

std::vector<fs::path> golden_folders() {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(fs::path(HCRC_SOURCE_DIR) / "tests/golden")) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

Compiled compile_golden(const fs::path& folder) {
  std::vector<fs::path> layers;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && entry.path().filename().string().starts_with("layer")) layers.push_back(entry.path());
  }
  std::ranges::sort(layers);
  if (layers.empty()) layers.push_back(folder);
  Input input;
  Limits limits;
  for (const fs::path& layer : layers) {
    const auto index = static_cast<std::uint32_t>(input.folders.size());
    input.folders.push_back(layer == folder ? "services.d" : layer.filename().string());
    auto files = read_folder(layer.string(), index);
    REQUIRE(files);
    std::erase_if(*files, [](const InputFile& file) { return file.name == "expected"; });
    input.files.insert(input.files.end(), std::make_move_iterator(files->begin()), std::make_move_iterator(files->end()));
  }
  add_specials(folder / ".golden", input, limits);
  return compile(std::move(input), limits);
}

}  // namespace hcrc::compiler

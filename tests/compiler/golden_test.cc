// Diagnostics to the letter. Each folder of tests/golden/ holds definitions, and in `expected` what the compiler says about
// them; folders layer1, layer2, ... in it are laid over each other. HCRC_GOLDEN_UPDATE=1 writes what is said now.
//
// A hidden file .golden holds what cannot lie in a repository, one a line:
//   grow NAME BYTES                        a file of so many blanks
//   link-out NAME, folder NAME, special NAME   something that is no file of the folder
//   services N, connections N, graph BYTES     lower limits
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "compiler/compile.h"
#include "compiler/diagnostic_codes.h"
#include "compiler/folder_reader.h"
#include "tests/catch.h"

namespace hcrc::compiler {

namespace {

namespace fs = std::filesystem;

const fs::path source_dir = HCRC_SOURCE_DIR;

bool updating() { return std::getenv("HCRC_GOLDEN_UPDATE") != nullptr; }

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Compares with a file, or writes it.
void compare(const fs::path& path, const std::string& text) {
  if (updating()) std::ofstream(path, std::ios::binary) << text;
  INFO(path.string());
  CHECK(read_text(path) == text);
}

std::vector<fs::path> golden_folders() {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(source_dir / "tests/golden")) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

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

}  // namespace

TEST_CASE("golden diagnostics") {
  for (const fs::path& folder : golden_folders()) {
    const Compiled compiled = compile_golden(folder);
    compare(folder / "expected", diagnostics_text(compiled.diagnostics, compiled.sources, false));
    CHECK(compiled.graph.has_value() == (compiled.diagnostics.errors() == 0));
  }
}

TEST_CASE("every code has an example, and every example that is named after a code shows it") {
  std::string all;
  for (const fs::path& folder : golden_folders()) {
    const std::string expected = read_text(folder / "expected");
    all.append(expected);
    const std::string id = folder.filename().string().substr(0, 4);
    if (!find_code(id)) continue;
    INFO(folder.string());
    CHECK(expected.find("[" + id + "]") != std::string::npos);
  }
  for (const CodeRow& row : diagnostic_codes()) {
    INFO(row.id);
    CHECK(all.find("[" + std::string(row.id) + "]") != std::string::npos);
    const auto named = [&](const fs::path& folder) { return folder.filename().string().starts_with(row.id); };
    CHECK(std::ranges::any_of(golden_folders(), named));
  }
}

TEST_CASE("docs/diagnostics.md is what the table of codes says") {
  compare(source_dir / "docs/diagnostics.md", diagnostics_page());
}

TEST_CASE("ten mistakes in three files are all reported") {
  const Compiled compiled = compile_golden(source_dir / "tests/golden/ten-mistakes");
  CHECK(compiled.diagnostics.errors() >= 10);
}

}  // namespace hcrc::compiler

// Any text as definitions: an answer without a crash, and whatever is accepted holds its promises all the way.
//
// An input is one or several files, each below a line `=== NAME.toml`, or `=== 2/NAME.toml` for the second folder; what
// stands before the first such line is `s.toml`.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/compile.h"
#include "compiler/dump.h"
#include "core/database.h"
#include "core/database_writer.h"
#include "core/present/difference.h"
#include "core/present/drawing.h"
#include "core/present/plan.h"
#include "tests/core/database_surgery.h"

using namespace hcrc;

namespace {

void expect(bool holds) {
  if (!holds) std::abort();
}

compiler::Input input_of(std::string_view text) {
  compiler::Input input{.folders = {"first", "second", "third"}, .files = {}};
  input.files.push_back({.folder = 0, .name = "s.toml"});
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with("=== ")) {
      input.files.back().text.append(line).append("\n");
      continue;
    }
    std::string_view name = line.substr(4);
    std::uint32_t folder = 0;
    if (name.size() > 2 && name[0] >= '1' && name[0] <= '3' && name[1] == '/') {
      folder = static_cast<std::uint32_t>(name[0] - '1');
      name.remove_prefix(2);
    }
    input.files.push_back({.folder = folder, .name = std::string(name)});
  }
  // In one folder a name is there once.
  for (std::size_t i = 0; i < input.files.size(); ++i) {
    for (std::size_t j = input.files.size() - 1; j > i; --j) {
      const auto &a = input.files[i], &b = input.files[j];
      if (a.folder == b.folder && a.name == b.name) input.files.erase(input.files.begin() + static_cast<std::ptrdiff_t>(j));
    }
  }
  return input;
}

void use(const ServiceGraph& graph) {
  const auto bytes = write_database(graph);
  if (!bytes) return;  // too large
  const auto database = Database::load(*bytes);
  expect(database.has_value());
  expect(walk(*database).fault == nullptr);
  expect(database->graph() == graph);
  expect(compiler::same_again(compiler::dump(graph), graph));
  const present::Plan plan = present::make_plan(graph);
  expect(!present::plan_text(graph, plan).empty() && !present::plan_json(graph, plan).empty());
  expect(!present::drawing_dot(graph).empty() && !present::drawing_mermaid(graph).empty());
  expect(!present::drawing_text(graph).empty());
  expect(!present::difference_text(present::difference(*database, *database)).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const compiler::Limits limits{.services = 300, .connections = 2'000, .graph_bytes = 1u << 20};
  const compiler::Compiled compiled = compiler::compile(input_of(text), limits);
  expect(compiled.graph.has_value() == (compiled.diagnostics.errors() == 0));
  const std::string told = compiler::diagnostics_text(compiled.diagnostics, compiled.sources, false);
  // What is shown on a terminal: no control but the ends of lines.
  for (const char c : told) expect(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
  if (compiled.graph) use(*compiled.graph);
  return 0;
}

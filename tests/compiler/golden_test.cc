// Diagnostics to the letter. Each folder of tests/golden/ holds definitions, and in `expected` what the compiler says about
// them. HCRC_GOLDEN_UPDATE=1 writes what is said now.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "compiler/diagnostic_codes.h"
#include "compiler/key_table.h"
#include "compiler/language_page.h"
#include "compiler/language_schema.h"
#include "tests/catch.h"
#include "tests/compiler/golden_folders.h"

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
    INFO(folder.string());
    const bool named_after_code = id.size() == 4 && (id[0] == 'E' || id[0] == 'W') && id[1] >= '0' && id[1] <= '9';
    CHECK(named_after_code == find_code(id).has_value());
    if (!find_code(id)) continue;
    CHECK(expected.find("[" + id + "]") != std::string::npos);
  }
  for (const CodeRow& row : diagnostic_codes()) {
    INFO(row.id);
    CHECK(all.find("[" + std::string(row.id) + "]") != std::string::npos);
    const auto named = [&](const fs::path& folder) { return folder.filename().string().starts_with(row.id); };
    CHECK(std::ranges::any_of(golden_folders(), named));
  }
}

TEST_CASE("every code is explained by what is wrong and what to do, under its own heading") {
  const std::string page = read_text(source_dir / "docs/diagnostics.md");
  std::size_t headings = 0;
  for (std::size_t at = page.find("\n## "); at != std::string::npos; at = page.find("\n## ", at + 1)) ++headings;
  CHECK(headings == diagnostic_codes().size());
  for (const CodeRow& row : diagnostic_codes()) {
    INFO(row.id);
    CHECK(page.find(std::string("\n## ").append(row.id).append(": ").append(row.title).append("\n")) != std::string::npos);
    CHECK(explain(row.code).size() > row.title.size() + 40);
    CHECK(find_code(row.id) == row.code);
  }
}

TEST_CASE("docs/diagnostics.md is what the table of codes says") {
  compare(source_dir / "docs/diagnostics.md", diagnostics_page());
}

TEST_CASE("the page and the schemas of the language are what the key table says") {
  compare(source_dir / "docs/services.md", language_page());
  compare(source_dir / "docs/service.schema.json", service_schema());
  compare(source_dir / "docs/node.schema.json", node_schema());
}

TEST_CASE("the fuzzer's dictionary has every word of the language") {
  std::string words;
  const auto add = [&](std::string_view before, std::string_view word, std::string_view behind) {
    words.append("\"").append(before).append(word).append(behind).append("\"\n");
  };
  for (const bool node : {false, true}) {
    for (const std::string_view table : table_names(node)) add("[", table, "]\\x0A");
  }
  for (const KeyRow& row : key_table()) {
    add("", row.name, " = ");
    for (const std::string_view choice : row.choices) add("\\\"", choice, "\\\"");
  }
  for (const char* text : {"${", "${A}", "${A:-b}", "$$", "@", "\\\"unlimited\\\"", "[\\\"s\\\"]", "\\x0A=== a.toml\\x0A",
                           "\\x0A=== 2/s.toml\\x0A", "\\x0A=== node.toml\\x0A", "1h30m", "\\\"16M\\\"", "\\xEF\\xBB\\xBF",
                           "\\x0D\\x0A", "\\\"\\\"\\\"", "SIGINT", "CAP_CHOWN"}) {
    add("", text, "");
  }
  compare(source_dir / "tests/fuzz/definitions.dict", words);
}

TEST_CASE("ten mistakes in three files are all reported") {
  const Compiled compiled = compile_golden(source_dir / "tests/golden/ten-mistakes");
  CHECK(compiled.diagnostics.errors() >= 10);
}

}  // namespace hcrc::compiler

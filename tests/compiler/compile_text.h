// Definitions in a test, compiled without a disk.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"

namespace hcrc::compiler {

struct TextFile {
  std::string name;  // without .toml
  std::string text;
  std::uint32_t folder = 0;
};

Compiled compile_files(const std::vector<TextFile>& files);
// Of definitions that are right; the test fails where they are not.
ServiceGraph graph_of(const std::vector<TextFile>& files);
// The one service s.toml.
Service service_of_text(const std::string& text);
const Service& find_service(const ServiceGraph& graph, std::string_view name);
// All diagnostics as the user sees them.
std::string told(const Compiled& compiled);
// The codes of all diagnostics, in order, as "E020 E030".
std::string codes(const std::vector<TextFile>& files);
// "a requires b, c after a": all edges by name.
std::string edges(const ServiceGraph& graph);

}  // namespace hcrc::compiler

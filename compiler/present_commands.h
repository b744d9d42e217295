// hcrc-compile --plan, --graph and --diff: what is shown of a graph instead of writing it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/system_error.h"
#include "core/graph.h"

namespace hcrc::compiler {

enum class Drawing : std::uint8_t { dot, mermaid, svg, text };
std::optional<Drawing> drawing_named(std::string_view name);

std::string plan_of(const ServiceGraph& graph, bool as_json);

// Svg is made by graphviz's `dot`, looked up in the PATH; the error says what to install where it is not there.
[[nodiscard]] std::expected<std::string, std::string> drawing_of(const ServiceGraph& graph, Drawing drawing);

// What an update from one database file to the other would do; errors are those of read_database_file.
[[nodiscard]] std::expected<std::string, SystemError> difference_of(const std::string& old_path,
                                                                    const std::string& new_path);

}  // namespace hcrc::compiler

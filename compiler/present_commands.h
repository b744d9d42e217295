// hcrc-compile --plan and --graph: what is shown of a graph instead of writing it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "core/graph.h"

namespace hcrc::compiler {

enum class Drawing : std::uint8_t { dot, mermaid, svg, text };
std::optional<Drawing> drawing_named(std::string_view name);

std::string plan_of(const ServiceGraph& graph, bool as_json);

// Svg is made by graphviz's `dot`, looked up in the PATH; the error says what to install where it is not there.
[[nodiscard]] std::expected<std::string, std::string> drawing_of(const ServiceGraph& graph, Drawing drawing);

}  // namespace hcrc::compiler

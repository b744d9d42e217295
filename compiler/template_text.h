// `${NAME}`, `${NAME:-default}` and `$$` in a text, as the pieces that are put together at start (contract, section 4).
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "core/graph.h"

namespace hcrc::compiler {

struct TemplateError {
  std::string message;
  std::string note;
};

[[nodiscard]] std::expected<Template, TemplateError> parse_template(std::string_view text);

// A text that stands for itself, whatever is in it.
Template literal_template(std::string_view text);

// The text of a template without variables; none where it has any.
const std::string* literal_text(const Template& text);

}  // namespace hcrc::compiler

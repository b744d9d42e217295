// What each kind of value is, in words: for messages, and for the reference page.
#pragma once

#include <string_view>

#include "compiler/key_table.h"

namespace hcrc::compiler {

struct KindText {
  std::string_view name;         // as a link on the page: "duration"
  std::string_view what;         // "a duration"
  std::string_view example;      // as TOML; "" where the key itself has to give one
  std::string_view explanation;  // sentences of Markdown; "" where the name says all
};

KindText kind_text(ValueKind kind);

}  // namespace hcrc::compiler

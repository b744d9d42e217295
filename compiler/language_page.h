// docs/services.md: the language as a page for people, made from the key table.
#pragma once

#include <string>

namespace hcrc::compiler {

std::string language_page();

}  // namespace hcrc::compiler

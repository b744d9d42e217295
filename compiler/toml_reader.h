// TOML text as a syntax tree. toml_reader.cc is the one file that knows which library parses it.
#pragma once

#include <cstdint>
#include <expected>

#include "compiler/diagnostics.h"
#include "compiler/source_file.h"
#include "compiler/syntax_tree.h"

namespace hcrc::compiler {

// Reads one file; `file` is its index in Sources and comes back in every place. Whatever the text is, it takes time and
// memory in proportion to it, and no depth of stack that grows with it. The error is the first thing that is wrong: the
// parser does not go on behind it.
[[nodiscard]] std::expected<SyntaxTree, Diagnostic> read_toml(const SourceFile& source, std::uint32_t file);

}  // namespace hcrc::compiler

#include "compiler/program_name.h"

#include <string>

namespace hcrc::compiler {

bool may_be_program(const Template& path, std::string_view name) {
  std::string known;
  for (const TemplatePiece& piece : path.pieces) {
    switch (piece.kind) {
      case TemplatePiece::Kind::literal: known.append(piece.text); break;
      case TemplatePiece::Kind::variable_or: known.append(piece.fallback); break;
      case TemplatePiece::Kind::variable:
        // A later `/` begins a part that is known again.
        known.assign(1, '\0');
        break;
    }
  }
  const std::string last = known.substr(known.rfind('/') + 1);
  return last == name || last.starts_with('\0');
}

}  // namespace hcrc::compiler

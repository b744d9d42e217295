// How much the compiler takes before it says that it is too much. Tests lower them; the defaults are the contract's.
#pragma once

#include <cstddef>

#include "core/bounds.h"

namespace hcrc::compiler {

struct Limits {
  std::size_t services = bounds::services;  // with instances and bundles
  std::size_t database_bytes = bounds::database_bytes;

  // An edge takes two records of eight bytes.
  std::size_t connections() const { return database_bytes / 16; }
  // A text is often shared between instances, in the database but not in the graph.
  std::size_t graph_bytes() const { return 4 * database_bytes; }
};

}  // namespace hcrc::compiler

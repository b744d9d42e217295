// How much the compiler takes before it says that it is too much. Tests lower them; the defaults are the contract's.
#pragma once

#include <cstddef>

#include "core/bounds.h"

namespace hcrc::compiler {

struct Limits {
  std::size_t services = bounds::services;                            // with instances and bundles
  std::size_t connections = bounds::database_bytes / 16;              // an edge takes two records of eight bytes
  std::size_t graph_bytes = std::size_t{4} * bounds::database_bytes;  // texts that the database shares are several here
};

}  // namespace hcrc::compiler

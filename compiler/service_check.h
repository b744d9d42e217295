// Whether the keys of one definition fit together, once all folders are laid over each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compiler/definition.h"
#include "compiler/diagnostics.h"

namespace hcrc::compiler {

// What others decide about a service: how many log to it (of its instances, the one with the most).
struct ServiceSurroundings {
  std::size_t producers = 0;
  std::vector<Place> logged_from = {};  // where the first few of them say so
};

void check_service(const Definition& definition, const ServiceSurroundings& surroundings, Diagnostics& diagnostics);

}  // namespace hcrc::compiler

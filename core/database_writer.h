// The service graph as the bytes of a database (core/database.h).
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

#include "core/database.h"
#include "core/graph.h"

namespace hcrc {

// Deterministic: equal graphs give equal bytes. The graph must keep what core/graph.h promises (asserted). Fails only where
// the bytes would not fit the format (bounds::database_bytes, 32-bit counts); the sentence says which bound.
[[nodiscard]] std::expected<std::vector<std::byte>, DatabaseError> write_database(const ServiceGraph& graph);

}  // namespace hcrc

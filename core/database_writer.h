// The service graph as the bytes of a database (core/database.h).
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

#include "core/database.h"
#include "core/graph.h"

namespace hcrc {

// Deterministic: equal graphs give equal bytes. What it writes, Database::load accepts: it has passed the same check. Fails
// where the bytes would not fit the format (bounds::services, bounds::database_bytes), which a user can mend, and where the
// graph breaks a promise of core/graph.h, which is the caller's error; the sentence says which.
[[nodiscard]] std::expected<std::vector<std::byte>, DatabaseError> write_database(const ServiceGraph& graph);

}  // namespace hcrc

// The two hashes of a service, by which an update tells what has changed.
//
// Texts are hashed by their content and other services by their names, never by index or offset: what an unrelated service
// adds to the database changes nothing here. docs/database.md lists which key belongs to which hash.
#pragma once

#include <cstdint>

#include "core/database.h"

namespace hcrc {

struct ServiceHashes {
  std::uint64_t runs;          // how it runs: a change restarts it
  std::uint64_t looked_after;  // how it is looked after: a change is taken over in place
  friend bool operator==(const ServiceHashes&, const ServiceHashes&) = default;
};

// Computed from the records, not read from them.
ServiceHashes service_hashes(const Database& database, std::uint32_t index);

}  // namespace hcrc

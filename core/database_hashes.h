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

// Parts of how a service is looked after, for an update that has to do something at once where one changes: look at its
// conditions or its health anew, or set another time for its next run.
struct CareHashes {
  std::uint64_t conditions;
  std::uint64_t health;
  std::uint64_t schedule;
};
CareHashes care_hashes(const Database& database, std::uint32_t index);

// Computed from the records, not read from them.
ServiceHashes service_hashes(const Database& database, std::uint32_t index);

}  // namespace hcrc

// A database that was tampered with, made to look whole again, and all of one looked at: for tests and fuzzers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <vector>

#include "core/database.h"

namespace hcrc {

// Build id and checksum fit the bytes again, as far as there are any: what a hostile supplier would do first.
void seal(std::vector<std::byte>& bytes);
// And the hashes of the services: only where nothing else is wrong with the records.
void seal_services(std::vector<std::byte>& bytes);
// Loads them with everything sealed that can be.
std::expected<Database, DatabaseError> load_sealed(std::vector<std::byte>& bytes);

// Looks at all that the accessors give, so that a sanitizer sees every byte of it.
struct Walked {
  std::uint64_t sum = 0;        // so that nothing is left out
  const char* fault = nullptr;  // what an accepted database cannot be
};
Walked walk(const Database& database);

}  // namespace hcrc

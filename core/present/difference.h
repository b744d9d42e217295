// What an update from one database to another would do (contract, section 8).
//
// A service is known by its name. What changes how it runs restarts it, and along with it whatever requires it or is bound
// to it, directly or through others; what changes how it is looked after is taken over in place. The database's two hashes
// decide; the keys are told for those who read. A bundle is a name: it never runs, and is taken over in place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/database.h"

namespace hcrc::present {

enum class Change : std::uint8_t { added, removed, restarted, restarted_along, in_place };

struct ServiceChange {
  std::string name;
  Change change{};
  std::vector<std::string> keys;  // as they stand in TOML: those that differ, of restarted, restarted_along and in_place
  std::string along_with;         // of restarted_along: one that is restarted and that it depends on directly
  friend bool operator==(const ServiceChange&, const ServiceChange&) = default;
};

struct Difference {
  std::vector<std::string> node_keys;   // of node.toml
  std::vector<ServiceChange> services;  // by name; those to which nothing happens are not in it
};

// Linear in what both hold. A requirement is looked for in the new database: its edges are in force when the rest is done.
Difference difference(const Database& old_one, const Database& new_one);

// A line for each, of at most 100 columns where it is not broken; "nothing changes" where that is so.
std::string difference_text(const Difference& difference);

}  // namespace hcrc::present

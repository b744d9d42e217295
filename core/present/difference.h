// What an update from one database to another would do (contract, section 8).
//
// What becomes of each service is core/update_plan.h's to say, which the supervisor goes by, too; the keys are told for
// those who read. The node is taken to have been started without a target, and no operator to have been at it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/database.h"
#include "core/update_plan.h"

namespace hcrc::present {

struct ServiceChange {
  std::string name;
  Fate fate{};
  std::vector<std::string> keys;  // as they stand in TOML: those that differ, of what is restarted, along or in place
  std::string along_with;         // of `along`: one that is restarted and that it depends on directly
  friend bool operator==(const ServiceChange&, const ServiceChange&) = default;
};

struct Difference {
  std::vector<std::string> node_keys;   // of node.toml
  std::vector<ServiceChange> services;  // by name; those to which nothing happens are not in it
};

// Of a name that is a bundle in one and a service in the other both are told: removed and added.
Difference difference(const Database& old_one, const Database& new_one);

// A line for each, of at most 100 columns where it is not broken; "nothing changes" where that is so.
std::string difference_text(const Difference& difference);

}  // namespace hcrc::present

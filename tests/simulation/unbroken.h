// What tests of a world ask of it: that no promise was broken; where one was, its whole story is shown.
#pragma once

#include <string>

#include "core/simulation/world.h"

namespace hcrc::simulation {

inline std::string story(const World& world) {
  std::string all;
  for (const std::string& line : world.trace()) all += line + '\n';
  return all;
}

}  // namespace hcrc::simulation

#define REQUIRE_UNBROKEN(world) \
  INFO(story(world));           \
  REQUIRE(world.broken().empty())

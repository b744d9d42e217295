// Random graphs, random misbehaviour, random commands: a phase of faults, then a calm one. In the first nothing may be
// broken, in the second everything wanted must settle, and a shutdown at the end must be over in time. HCRC_SEEDS and
// HCRC_SEED choose how many histories, and the first; a failing one prints its seed and its story.
#include <cstdlib>
#include <string>

#include "core/simulation/world.h"
#include "tests/catch.h"
#include "tests/simulation/random_history.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string story(std::uint64_t seed, const World& world) {
  std::string all = "HCRC_SEED=" + std::to_string(seed) + " HCRC_SEEDS=1 simulation-tests [random]\n";
  for (const std::string& line : world.trace()) all += line + '\n';
  const Supervisor& supervisor = world.supervisor();
  for (Slot slot = 0; slot < supervisor.slots(); ++slot) {
    const Unit& unit = supervisor.unit(slot);
    all += std::string(supervisor.name(slot)) + ": " + std::string(text(unit.state)) + " phase " +
           std::to_string(static_cast<int>(unit.phase)) + (unit.wanted ? " wanted" : "") + " facts " +
           std::to_string(unit.facts) + " unmet " + std::to_string(unit.unmet) + " leaving " +
           std::to_string(unit.leaving_dependents);
    for (const Links::Link& link : supervisor.dependencies(slot)) {
      all += " -> " + std::string(supervisor.name(link.service)) + ":" + std::to_string(link.kinds.bits());
    }
    all += '\n';
  }
  return all;
}

TEST_CASE("random histories keep every promise, settle in calm, and stop in time", "[random]") {
  const std::uint64_t first = number_from("HCRC_SEED", 1);
  const std::uint64_t seeds = number_from("HCRC_SEEDS", std::getenv("HCRC_SIMULATION_LONG") == nullptr ? 20'000 : 1'000'000);
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    RandomHistory history(seed);
    const Database database = history.database();
    Supervisor::Options options;
    options.seed = seed;
    World world(database, options);
    history.live(world);
    // Calm: long enough for every hold, delay and timeout that is still going.
    world.run_until(300s);
    if (!world.broken().empty() || (!world.exited() && world.supervisor().unsettled() > 0)) FAIL(story(seed, world));
    if (!world.exited()) world.at(301s, event::Shutdown{.signal = 15, .code = 0});
    world.run_until(400s);
    if (!world.broken().empty() || !world.exited()) FAIL(story(seed, world));
  }
  SUCCEED();
}

}  // namespace
}  // namespace hcrc::simulation

// Random histories with updates to random graphs at any moment: in the phase of faults, one after the other, with commands
// and shutdowns in between. The same promises as without.
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/simulation/world.h"
#include "tests/catch.h"
#include "tests/simulation/changed_graph.h"
#include "tests/simulation/random_history.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string story(std::uint64_t seed, const World& world) {
  std::string all = "HCRC_SEED=" + std::to_string(seed) + " HCRC_SEEDS=1 simulation-tests [update-random]\n";
  for (const std::string& line : world.trace()) all += line + '\n';
  const Supervisor& supervisor = world.supervisor();
  for (Slot slot = 0; slot < supervisor.slots(); ++slot) {
    const Unit& unit = supervisor.unit(slot);
    if (unit.vacant) continue;
    all += std::string(supervisor.name(slot)) + ": " + std::string(text(unit.state)) + " phase " +
           std::to_string(static_cast<int>(unit.phase)) + (unit.wanted ? " wanted" : "") +
           (unit.departing ? " departing" : "") + (unit.removed ? " removed" : "") + (unit.added ? " added" : "") +
           " unmet " + std::to_string(unit.unmet) + " leaving " + std::to_string(unit.leaving_dependents) + " requirers " +
           std::to_string(unit.active_requirers);
    for (const Links::Link& link : supervisor.dependencies(slot)) {
      all += " -> " + std::string(supervisor.name(link.service)) + ':' + std::to_string(link.kinds.bits());
    }
    all += '\n';
  }
  return all;
}

TEST_CASE("updates at any moment of random histories keep every promise", "[update-random]") {
  const std::uint64_t first = number_from("HCRC_SEED", 1);
  const std::uint64_t seeds = number_from("HCRC_SEEDS", std::getenv("HCRC_SIMULATION_LONG") == nullptr ? 10'000 : 500'000);
  std::uint64_t updates = 0;
  std::uint64_t departed = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    RandomHistory history(seed);
    const auto database = std::make_shared<const Database>(history.database());
    Random random(seed ^ 0x75706461'74652121ull);
    Supervisor::Options options;
    options.seed = seed;
    options.command = random.upto(7) == 0;
    World world(*database, options);
    std::vector<std::shared_ptr<const Database>> graphs = {database};
    const std::uint64_t count = 1 + random.upto(4);
    Duration when{};
    for (std::uint64_t i = 0; i < count; ++i) {
      // Some close behind one another, while the stops of the last are still going on.
      when += Milliseconds(static_cast<std::int64_t>(random.upto(random.upto(2) == 0 ? 40'000 : 40)));
      const auto& from = graphs[random.upto(3) == 0 ? random.upto(graphs.size() - 1) : graphs.size() - 1];
      graphs.push_back(ChangedGraph(*from, random).database());
      world.update(when, graphs.back());
    }
    updates += count;
    if (random.upto(2) == 0) world.newcomers().stops_after.reset();
    if (random.upto(2) == 0) world.newcomers().ends_after = 700ms;
    history.live(world);
    for (Slot slot = 0; slot < world.supervisor().slots(); ++slot) world.behaviour(slot) = Behaviour{};
    world.newcomers() = Behaviour{};
    // Calm: long enough for every hold, delay and timeout that is still going.
    world.run_until(400s);
    if (!world.broken().empty()) FAIL(story(seed, world));
    if (!world.exited()) {
      const Supervisor& supervisor = world.supervisor();
      if (supervisor.unsettled() > 0 || supervisor.departing() > 0) FAIL(story(seed, world));
      if (supervisor.database().build_id() != graphs.back()->build_id()) FAIL(story(seed, world));
      world.at(401s, event::Shutdown{.signal = 15, .code = 0});
    }
    world.run_until(500s);
    if (!world.broken().empty() || !world.exited()) FAIL(story(seed, world));
    for (const std::string& line : world.trace())
      departed += line.find("what the update stops") != std::string::npos ? 1 : 0;
  }
  if (seeds >= 10'000) REQUIRE(departed > seeds / 4);
  SUCCEED();
}

}  // namespace
}  // namespace hcrc::simulation

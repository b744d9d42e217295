// The script of a history: a graph, how its processes misbehave, and what comes from outside and when. Written down, so that
// it can be lived again, and made smaller until nothing can be left out of what breaks a promise.
//
// First a phase of faults, of 100 seconds; then calm, in which everything wanted must settle; then a shutdown, which must be
// over in time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/database.h"
#include "core/graph.h"
#include "core/simulation/world.h"

namespace hcrc::simulation {

// Something from outside.
struct Thing {
  enum class Kind : std::uint8_t {
    start,
    stop,
    restart,
    stale_ready,
    crash,
    ends_well,
    hang,
    signal,
    copier_ends,
    shutdown,
    update
  };
  Duration at{};
  Kind kind = Kind::start;
  Slot slot = 0;             // of what concerns a service
  std::uint32_t number = 0;  // of a stale event: its run; of an update: which graph
};

struct Script {
  std::uint64_t seed = 0;
  ServiceGraph graph;
  std::vector<Behaviour> behaviours;  // by place in the graph, CMD's last
  Supervisor::Options options;
  bool notify_usable = true;
  bool shuffled = false;  // what falls into one moment comes in any order
  std::optional<Duration> orphans_end_after = std::chrono::milliseconds(1);
  std::vector<Thing> things;
  std::vector<std::shared_ptr<const Database>> graphs;  // of its updates
  Behaviour newcomers;                                  // services that an update adds
};

// A graph that is known to be right, as a database.
Database database_of(const ServiceGraph& graph);

// All of it drawn from the seed: up to 40 services of all types and kinds of edges. Some faults are wholly off in a script,
// so that others get to happen; every third has updates.
Script random_script(std::uint64_t seed);

struct Outcome {
  std::string problem;  // the first promise that was broken; empty: none was
  std::vector<std::string> trace;
  std::vector<std::string> ends;  // what each service was in at the end, where there is a problem
  std::uint64_t steps = 0;        // events and effects
  std::uint64_t faults = 0;
};

enum class Watched : std::uint8_t { fully, without_oracle };
Outcome live(const Script& script, Watched watched = Watched::fully, Watcher* watcher = nullptr);

// The same problem, or another, from less: fewer things, fewer faults, fewer services. Deterministic; lives at most `lives`
// histories.
Script shrink(Script script, std::uint32_t lives = 400);

// The history in words: its services, how they misbehave, what happens.
std::string text(const Script& script);

}  // namespace hcrc::simulation

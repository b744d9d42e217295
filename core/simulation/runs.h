// Many random histories of one database (`hcrc simulate --runs`): what was the worst, and which seed shows it again.
//
// A history is ten minutes of random faults (core/simulation/scenario.h), then calm until all is well or the time that the
// definitions need at most is over, then a shutdown at which some services do not hear their stop signal. It depends on the
// database, the options and the seed alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/simulation/timeline.h"

namespace hcrc::simulation {

// The longest time in one piece that a wanted service was not up or skipped, or hung.
struct Outage {
  Duration longest{0};
  bool for_good = false;  // it was not over when the calm was, or the node exited
  std::uint64_t seed = 0;
};

// A service on the path that a shutdown waited for, in order: how long its process took to end once it was asked to.
struct StopStep {
  Slot slot = 0;
  Duration took{0};
};

struct History {
  bool recovered = false;
  Verdict verdict;                   // before the shutdown
  std::vector<Outage> outages;       // by slot; of services that are not wanted nothing
  std::optional<Duration> shutdown;  // how long it took; none where it did not end
  std::vector<StopStep> path;
  std::vector<std::string> broken;  // promises that the supervisor broke: none, ever
};

// `options.seed` is the history's seed. The timeline is filled from boot to exit.
History live(const Database& database, const Supervisor::Options& options, Timeline& timeline);

struct Summary {
  std::uint64_t runs = 0;
  std::uint64_t first_seed = 0;
  std::uint64_t not_recovered = 0;
  std::uint64_t not_recovered_seed = 0;  // the first
  std::vector<Outage> worst;             // by slot
  Duration slowest_shutdown{0};
  std::uint64_t slowest_seed = 0;
  std::vector<StopStep> path;
  std::vector<std::string> broken;
};

// Histories of the seeds options.seed, options.seed + 1, ...
Summary live_many(const Database& database, const Supervisor::Options& options, std::uint64_t runs);

// For people; `replay` is the command that a seed is put behind: "hcrc simulate node.db --runs 1 --seed".
std::string as_text(const Summary& summary, const Database& database, std::string_view replay);
std::string as_json(const Summary& summary, const Database& database);

}  // namespace hcrc::simulation

// Random graphs, random misbehaviour, random commands, updates and shutdowns: a phase of faults, then a calm one. In the
// first no promise may be broken, in the second everything wanted must settle, and a shutdown at the end must be over in
// time. HCRC_SEED and HCRC_SEEDS choose the first history and how many; HCRC_SIMULATION_LONG lives many more. A failing one
// is made smaller, and its story printed with the command that lives it again.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/simulation/allocations.h"
#include "tests/simulation/script.h"

namespace hcrc::simulation {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Sums {
  std::uint64_t steps = 0;
  std::uint64_t faults = 0;
  std::uint64_t updates = 0;  // that stopped something
  std::optional<std::uint64_t> failed;
};

// Every so many histories are lived twice: the same seed must tell the same story.
constexpr std::uint64_t lived_twice = 64;

Sums live_all(std::uint64_t first, std::uint64_t seeds) {
  Sums sums;
  std::mutex guard;
  std::atomic<std::uint64_t> next = first;
  const auto work = [&] {
    Sums own;
    for (std::uint64_t seed = next++; seed < first + seeds; seed = next++) {
      const Script script = random_script(seed);
      const Outcome outcome = live(script);
      own.steps += outcome.steps;
      own.faults += outcome.faults;
      for (const std::string& line : outcome.trace) own.updates += line.find("what the update stops") != std::string::npos;
      const bool same = seed % lived_twice != 0 || live(script).trace == outcome.trace;
      if (outcome.problem.empty() && same) continue;
      own.failed = seed;
      next = first + seeds;
    }
    const std::lock_guard lock(guard);
    sums.steps += own.steps;
    sums.faults += own.faults;
    sums.updates += own.updates;
    if (own.failed && (!sums.failed || *own.failed < *sums.failed)) sums.failed = own.failed;
  };
  std::vector<std::thread> threads(std::max(1u, std::thread::hardware_concurrency()));
  for (std::thread& thread : threads) thread = std::thread(work);
  for (std::thread& thread : threads) thread.join();
  return sums;
}

std::string story(std::uint64_t seed) {
  const Script whole = random_script(seed);
  const Script small = shrink(whole);
  const Outcome outcome = live(small);
  std::string all = "HCRC_SEED=" + std::to_string(seed) + " HCRC_SEEDS=1 simulation-tests [random]\n" + live(whole).problem +
                    "\nmade smaller, from " + std::to_string(whole.graph.services.size()) + " services and " +
                    std::to_string(whole.things.size()) + " things from outside to " +
                    std::to_string(small.graph.services.size()) + " and " + std::to_string(small.things.size()) + ": " +
                    outcome.problem + "\n" + text(small);
  for (const std::string& line : outcome.trace) all += line + '\n';
  for (const std::string& line : outcome.ends) all += line + '\n';
  return all;
}

TEST_CASE("random histories keep every promise, settle in calm, and stop in time", "[random]") {
  const std::uint64_t first = number_from("HCRC_SEED", 1);
  const std::uint64_t seeds =
      number_from("HCRC_SEEDS", std::getenv("HCRC_SIMULATION_LONG") == nullptr ? 200'000 : 5'000'000);
  const Sums sums = live_all(first, seeds);
  std::printf("%llu histories: %llu steps, %llu faults, %llu updates that stopped something\n",
              static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(sums.steps),
              static_cast<unsigned long long>(sums.faults), static_cast<unsigned long long>(sums.updates));
  if (sums.failed) FAIL(story(*sums.failed));
  // A history without faults proves nothing.
  if (seeds >= 1'000) REQUIRE(sums.faults >= 10 * seeds);
  if (seeds >= 1'000) REQUIRE(sums.updates >= seeds / 16);
}

// The core keeps what it needs from the beginning on: after construction nothing is allocated, whatever happens.
class Allocating : public Watcher {
 public:
  void told(Duration, std::string_view) override {}
  void changed(Duration, Slot, State, State) override {}
  void core_begins() override { allocations_left = 0; }
  void core_ends() override { allocations_left = -1; }
};

TEST_CASE("in no history does the core allocate") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Allocating watcher;
    INFO("seed " << seed);
    REQUIRE(live(random_script(seed), Watched::without_oracle, &watcher).problem.empty());
  }
}

}  // namespace
}  // namespace hcrc::simulation

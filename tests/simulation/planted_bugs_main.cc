// Plants each bug of core/planted.h in turn and lives random histories until a promise is broken: the proof that the
// simulation sees. Prints a table: the bug, the seed that shows it, and what is seen. Exits 1 where one is not caught within
// its budget of seeds, or where histories without a bug break a promise.
//
//   planted-bugs [BUDGET]     how many seeds a bug has to show itself (10,000)
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/planted.h"
#include "tests/simulation/script.h"

namespace hcrc {

Bug planted_bug = Bug::none;

namespace {

using namespace simulation;

#define HCRC_BUG(name) {Bug::name, #name}
constexpr std::pair<Bug, const char*> bugs[] = {
    HCRC_BUG(one_attempt_more),
    HCRC_BUG(one_attempt_less),
    HCRC_BUG(first_delay_grows),
    HCRC_BUG(max_delay_ignored),
    HCRC_BUG(jitter_below),
    HCRC_BUG(resource_delay_stays),
    HCRC_BUG(reset_counts_from_spawn),
    HCRC_BUG(reset_never),
    HCRC_BUG(hold_counts_from_spawn),
    HCRC_BUG(requirement_ignored),
    HCRC_BUG(bound_dependents_ignored),
    HCRC_BUG(periodic_without_requirement),
    HCRC_BUG(lock_ignored),
    HCRC_BUG(ready_timeout_halved),
    HCRC_BUG(extension_shortens),
    HCRC_BUG(health_one_failure_early),
    HCRC_BUG(watchdog_not_rearmed),
    HCRC_BUG(ending_itself_watched),
    HCRC_BUG(ending_itself_unbounded),
    HCRC_BUG(failed_attempt_blocks),
    HCRC_BUG(skipped_blocks),
    HCRC_BUG(stale_exit_believed),
    HCRC_BUG(failure_taken_for_success),
    HCRC_BUG(permanent_code_retried),
    HCRC_BUG(clean_end_fails),
    HCRC_BUG(stop_counts_as_end),
    HCRC_BUG(leftovers_not_awaited),
    HCRC_BUG(sigcont_forgotten),
    HCRC_BUG(stop_signal_twice),
    HCRC_BUG(kill_too_early),
    HCRC_BUG(dependents_not_awaited),
    HCRC_BUG(helper_never_killed),
    HCRC_BUG(cannot_start_untold),
    HCRC_BUG(deadline_doubled),
    HCRC_BUG(orphans_answer_lost),
    HCRC_BUG(services_not_awaited),
    HCRC_BUG(health_miscounted),
    HCRC_BUG(run_numbers_forgotten),
    HCRC_BUG(change_without_restart),
    HCRC_BUG(stopped_by_operator_forgotten),
};
#undef HCRC_BUG
static_assert(std::size(bugs) == static_cast<std::size_t>(Bug::stopped_by_operator_forgotten), "a bug is not listed");

struct Catch {
  std::uint64_t seed = 0;
  std::string problem;  // empty: not caught
  std::uint64_t steps = 0;
};

// The failing history made smaller: it must fail still, be no larger, and be the same each time.
struct Smaller {
  std::size_t services = 0;
  std::size_t things = 0;
  std::string wrong;
};

Smaller smaller(std::uint64_t seed) {
  const Script whole = random_script(seed);
  const Script small = shrink(whole);
  Smaller result{.services = small.graph.services.size(), .things = small.things.size(), .wrong = {}};
  if (live(small).problem.empty()) result.wrong = "made smaller, it does not fail any more";
  if (result.services > whole.graph.services.size() || result.things > whole.things.size()) result.wrong = "made larger";
  if (text(shrink(whole)) != text(small)) result.wrong = "made smaller in two ways";
  return result;
}

Catch hunt(std::uint64_t budget) {
  Catch caught;
  std::mutex guard;
  std::atomic<std::uint64_t> next = 1;
  const auto work = [&] {
    for (std::uint64_t seed = next++; seed <= budget; seed = next++) {
      const Outcome outcome = live(random_script(seed));
      if (outcome.problem.empty()) continue;
      const std::lock_guard lock(guard);
      if (caught.problem.empty() || seed < caught.seed)
        caught = {.seed = seed, .problem = outcome.problem, .steps = outcome.steps};
      next = budget + 1;
    }
  };
  std::vector<std::thread> threads(std::max(1u, std::thread::hardware_concurrency()));
  for (std::thread& thread : threads) thread = std::thread(work);
  for (std::thread& thread : threads) thread.join();
  return caught;
}

}  // namespace
}  // namespace hcrc

int main(int argc, char** argv) {
  const std::uint64_t budget = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000;
  const hcrc::Catch none = hcrc::hunt(1'000);
  if (!none.problem.empty()) {
    std::printf("without a bug, seed %llu: %s\n", static_cast<unsigned long long>(none.seed), none.problem.c_str());
    return 1;
  }
  std::size_t caught = 0;
  std::printf("%-30s  seed  steps  smallest  what is seen\n", "bug");
  for (const auto& [bug, name] : hcrc::bugs) {
    hcrc::planted_bug = bug;
    const hcrc::Catch one = hcrc::hunt(budget);
    if (one.problem.empty()) {
      std::printf("%-30s NOT CAUGHT within %llu seeds\n", name, static_cast<unsigned long long>(budget));
      continue;
    }
    const hcrc::Smaller least = hcrc::smaller(one.seed);
    if (least.wrong.empty()) ++caught;
    std::printf("%-30s %5llu %6llu  %2zu + %-2zu   %s%s\n", name, static_cast<unsigned long long>(one.seed),
                static_cast<unsigned long long>(one.steps), least.services, least.things, one.problem.c_str(),
                least.wrong.empty() ? "" : (" -- " + least.wrong).c_str());
    std::fflush(stdout);
  }
  std::printf("%zu of %zu planted bugs caught\n", caught, std::size(hcrc::bugs));
  return caught == std::size(hcrc::bugs) ? 0 : 1;
}

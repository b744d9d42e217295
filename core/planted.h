// Bugs planted on purpose, to prove that the simulation sees them. Only a test program of its own is built with them
// (HCRC_PLANTED_BUGS), from the same sources; everywhere else planted<> is a constant, and nothing of them is left.
#pragma once

#include <cstdint>

namespace hcrc {

enum class Bug : std::uint8_t {
  none,
  // Restart arithmetic.
  one_attempt_more,
  one_attempt_less,
  first_delay_grows,
  max_delay_ignored,
  jitter_below,
  resource_delay_stays,
  reset_counts_from_spawn,
  reset_never,
  hold_counts_from_spawn,
  // The way up.
  requirement_ignored,
  bound_dependents_ignored,
  periodic_without_requirement,
  lock_ignored,
  ready_timeout_halved,
  extension_shortens,
  health_one_failure_early,
  watchdog_not_rearmed,
  ending_itself_watched,
  ending_itself_unbounded,
  failed_attempt_blocks,
  skipped_blocks,
  // Ends and stops.
  stale_exit_believed,
  failure_taken_for_success,
  permanent_code_retried,
  clean_end_fails,
  stop_counts_as_end,
  leftovers_not_awaited,
  sigcont_forgotten,
  stop_signal_twice,
  kill_too_early,
  dependents_not_awaited,
  helper_never_killed,
  cannot_start_untold,
  // The node.
  deadline_doubled,
  orphans_answer_lost,
  services_not_awaited,
  health_miscounted,
  // Updates.
  run_numbers_forgotten,
  change_without_restart,
  stopped_by_operator_forgotten,
};

#ifdef HCRC_PLANTED_BUGS
extern Bug planted_bug;  // set before anything runs

template <Bug bug>
struct Planted {
  operator bool() const { return planted_bug == bug; }
};

template <Bug bug>
inline constexpr Planted<bug> planted{};
#else
template <Bug bug>
inline constexpr bool planted = false;
#endif

}  // namespace hcrc

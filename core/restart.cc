#include "core/restart.h"

#include <algorithm>

#include "core/bounds.h"
#include "core/planted.h"

namespace hcrc {

bool attempts_left(const format::ServiceRecord& rule, const RestartRow& row) {
  if (planted<Bug::one_attempt_more> && row.restarts == rule.restart_attempts) return true;
  if (planted<Bug::one_attempt_less> && row.restarts + 1 == rule.restart_attempts) return false;
  return rule.restart_attempts == RestartRule::unlimited || row.restarts < rule.restart_attempts;
}

Milliseconds scaled(Milliseconds milliseconds, std::uint32_t milli) {
  // Both factors are bounded (ten years, 100,000 thousandths), so the product of the parts stays within 64 bits.
  const std::int64_t whole = milliseconds.count() / 1000;
  const std::int64_t rest = milliseconds.count() % 1000;
  const std::int64_t product = whole * milli + rest * milli / 1000;
  return Milliseconds(std::min(product, bounds::duration_ms));
}

Milliseconds take_restart(const format::ServiceRecord& rule, RestartRow& row, Random& random) {
  const Milliseconds most(rule.restart_max_delay_ms);
  row.delay =
      row.restarts == 0 ? Milliseconds(rule.restart_delay_ms) : std::min(most, scaled(row.delay, rule.restart_factor_milli));
  if (planted<Bug::first_delay_grows> && row.restarts == 0) row.delay = scaled(row.delay, rule.restart_factor_milli);
  if (planted<Bug::max_delay_ignored>) row.delay = std::max(row.delay, scaled(row.delay, rule.restart_factor_milli));
  // An unlimited service never gets to the end of its count.
  row.restarts = std::min(row.restarts + 1, UINT32_MAX - 1);
  const Milliseconds jitter = scaled(row.delay, rule.restart_jitter_milli);
  if (jitter.count() == 0) return row.delay;
  if (planted<Bug::jitter_below>) return row.delay - jitter;
  return row.delay + Milliseconds(static_cast<std::int64_t>(random.upto(static_cast<std::uint64_t>(jitter.count()))));
}

bool earns_new_row(const format::ServiceRecord& rule, Instant ready_at, Instant now) {
  if (planted<Bug::reset_never>) return false;
  return ready_at != end_of_time && now - ready_at >= Milliseconds(rule.restart_reset_after_ms);
}

Milliseconds take_resource_delay(Milliseconds& delay) {
  constexpr Milliseconds first(100);
  constexpr Milliseconds most(5'000);
  if (planted<Bug::resource_delay_stays>) return delay = first;
  delay = delay.count() == 0 ? first : std::min(most, delay * 2);
  return delay;
}

}  // namespace hcrc

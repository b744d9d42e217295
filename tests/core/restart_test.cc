#include "core/restart.h"

#include "core/bounds.h"
#include "tests/catch.h"

namespace hcrc {
namespace {

format::ServiceRecord rule(std::int64_t delay, std::uint32_t factor_milli, std::int64_t most,
                           std::uint32_t jitter_milli = 0) {
  format::ServiceRecord record{};
  record.restart_delay_ms = delay;
  record.restart_factor_milli = factor_milli;
  record.restart_max_delay_ms = most;
  record.restart_jitter_milli = jitter_milli;
  record.restart_attempts = 5;
  record.restart_reset_after_ms = 1'000;
  return record;
}

std::vector<std::int64_t> delays(const format::ServiceRecord& record, int count) {
  RestartRow row;
  Random random(1);
  std::vector<std::int64_t> all;
  for (int i = 0; i < count; ++i) all.push_back(take_restart(record, row, random).count());
  return all;
}

TEST_CASE("delays grow by the factor, in whole milliseconds rounded down, up to the most") {
  CHECK(delays(rule(250, 2'000, 4'000), 6) == std::vector<std::int64_t>{250, 500, 1'000, 2'000, 4'000, 4'000});
  CHECK(delays(rule(3, 1'500, 60'000), 5) == std::vector<std::int64_t>{3, 4, 6, 9, 13});
  CHECK(delays(rule(100, 1'000, 60'000), 3) == std::vector<std::int64_t>{100, 100, 100});
  CHECK(delays(rule(0, 2'000, 60'000), 3) == std::vector<std::int64_t>{0, 0, 0});
  CHECK(delays(rule(bounds::duration_ms, 100'000, bounds::duration_ms), 3).back() == bounds::duration_ms);
}

TEST_CASE("jitter comes on top, is bounded, and grows nothing") {
  RestartRow row;
  Random random(3);
  const format::ServiceRecord record = rule(1'000, 1'000, 1'000, 100);
  bool differs = false;
  for (int i = 0; i < 1'000; ++i) {
    const auto delay = take_restart(record, row, random).count();
    REQUIRE(delay >= 1'000);
    REQUIRE(delay <= 1'100);
    differs = differs || delay != 1'000;
  }
  CHECK(differs);
  CHECK(row.delay.count() == 1'000);
}

TEST_CASE("attempts count restarts, and none is left after the last") {
  format::ServiceRecord record = rule(1, 1'000, 1);
  RestartRow row;
  Random random(1);
  for (int i = 0; i < 5; ++i) {
    CHECK(attempts_left(record, row));
    take_restart(record, row, random);
  }
  CHECK_FALSE(attempts_left(record, row));
  record.restart_attempts = RestartRule::unlimited;
  CHECK(attempts_left(record, row));
}

TEST_CASE("a new row is earned by ready time, to the millisecond") {
  const format::ServiceRecord record = rule(1, 1'000, 1);
  CHECK_FALSE(earns_new_row(record, end_of_time, Instant(std::chrono::hours(1))));
  CHECK_FALSE(earns_new_row(record, Instant{}, Instant(Milliseconds(999))));
  CHECK(earns_new_row(record, Instant{}, Instant(Milliseconds(1'000))));
}

TEST_CASE("lack of a resource waits 100 ms, doubling to 5 s") {
  Milliseconds delay{0};
  std::vector<std::int64_t> all;
  for (int i = 0; i < 8; ++i) all.push_back(take_resource_delay(delay).count());
  CHECK(all == std::vector<std::int64_t>{100, 200, 400, 800, 1'600, 3'200, 5'000, 5'000});
}

}  // namespace
}  // namespace hcrc

#include "core/timers.h"

#include <map>

#include "core/random.h"
#include "tests/catch.h"

namespace hcrc {
namespace {

TEST_CASE("timers come in the order of their deadlines, equal ones in the order of their keys") {
  Timers timers(10);
  timers.arm(7, Instant(Milliseconds(5)));
  timers.arm(2, Instant(Milliseconds(5)));
  timers.arm(9, Instant(Milliseconds(1)));
  CHECK(timers.earliest() == Instant(Milliseconds(1)));
  CHECK(timers.take() == 9);
  CHECK(timers.take() == 2);
  CHECK(timers.take() == 7);
  CHECK(timers.earliest() == end_of_time);
}

TEST_CASE("timers are armed, moved and disarmed as a sorted list would be") {
  Timers timers(64);
  std::map<std::uint32_t, Instant> expected;
  Random random(11);
  for (int i = 0; i < 50'000; ++i) {
    const auto key = static_cast<std::uint32_t>(random.upto(63));
    if (random.upto(2) == 0) {
      timers.disarm(key);
      expected.erase(key);
    } else {
      const Instant at(Milliseconds(static_cast<std::int64_t>(random.upto(1'000))));
      timers.arm(key, at);
      expected[key] = at;
    }
    Instant earliest = end_of_time;
    std::uint32_t first = 0;
    for (const auto& [each, at] : expected) {
      if (at < earliest) {
        earliest = at;
        first = each;
      }
    }
    REQUIRE(timers.earliest() == earliest);
    if (i % 7 == 0 && earliest != end_of_time) {
      REQUIRE(timers.take() == first);
      expected.erase(first);
    }
  }
}

}  // namespace
}  // namespace hcrc

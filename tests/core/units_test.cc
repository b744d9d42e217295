#include "core/units.h"

#include "core/bounds.h"
#include "core/random.h"
#include "tests/catch.h"

namespace hcrc {
namespace {

UnitError duration_error(std::string_view text) {
  const auto parsed = parse_duration(text);
  REQUIRE(!parsed);
  return parsed.error();
}

UnitError size_error(std::string_view text) {
  const auto parsed = parse_size(text);
  REQUIRE(!parsed);
  return parsed.error();
}

TEST_CASE("durations as people write them") {
  CHECK(parse_duration("250ms") == Milliseconds(250));
  CHECK(parse_duration("2s") == Milliseconds(2'000));
  CHECK(parse_duration("5m") == Milliseconds(300'000));
  CHECK(parse_duration("24h") == Milliseconds(86'400'000));
  CHECK(parse_duration("1d") == Milliseconds(86'400'000));
  CHECK(parse_duration("1h30m") == Milliseconds(5'400'000));
  CHECK(parse_duration("1d2h3m4s5ms") == Milliseconds(93'784'005));
  CHECK(parse_duration("90s") == Milliseconds(90'000));
  CHECK(parse_duration("0s") == Milliseconds(0));
  CHECK(parse_duration("007s") == Milliseconds(7'000));
}

TEST_CASE("a bare number lacks its unit") {
  CHECK(duration_error("10") == UnitError::bare_number);
  CHECK(duration_error("0") == UnitError::bare_number);
  CHECK(size_error("4096") == UnitError::bare_number);
  CHECK(advice_for_duration(UnitError::bare_number).starts_with("add a unit"));
  CHECK(advice_for_size(UnitError::bare_number).starts_with("add a unit"));
}

TEST_CASE("what is no duration") {
  CHECK(duration_error("") == UnitError::empty);
  for (const std::string_view text : {"s", "-1s", "+1s", "1.5s", " 1s", "1s ", "1 s", "1h 30m", "1S", "1sec", "30m1h",
                                      "1m1m", "1ms1s", "1h30", "1\xC2\xB5s", "0x1s", "1s\n", "1s1", "ms"}) {
    CAPTURE(text);
    CHECK(duration_error(text) == UnitError::malformed);
  }
}

TEST_CASE("sizes are powers of two, one number each") {
  CHECK(parse_size("0B") == 0u);
  CHECK(parse_size("1B") == 1u);
  CHECK(parse_size("512K") == 524'288u);
  CHECK(parse_size("16M") == 16'777'216u);
  CHECK(parse_size("1G") == 1'073'741'824u);
  CHECK(parse_size("1T") == 1'099'511'627'776u);
  CHECK(size_error("") == UnitError::empty);
  for (const std::string_view text : {"M", "-1M", "1.5M", "16MB", "16m", "1M512K", "1 M", "1KiB"}) {
    CAPTURE(text);
    CHECK(size_error(text) == UnitError::malformed);
  }
}

TEST_CASE("the largest duration and size, and one more") {
  const auto longest = static_cast<std::uint64_t>(bounds::duration_ms);
  CHECK(parse_duration(std::to_string(longest) + "ms") == Milliseconds(bounds::duration_ms));
  CHECK(duration_error(std::to_string(longest + 1) + "ms") == UnitError::too_large);
  CHECK(duration_error(std::to_string(longest / 86'400'000) + "d" + std::to_string(longest) + "ms") == UnitError::too_large);
  CHECK(parse_size("9223372036854775808B") == std::uint64_t{1} << 63);
  CHECK(parse_size("8388608T") == std::uint64_t{1} << 63);
  CHECK(size_error("9223372036854775809B") == UnitError::too_large);
  CHECK(size_error("8388609T") == UnitError::too_large);
  CHECK(size_error("18446744073709551616B") == UnitError::too_large);  // 2^64
  CHECK(size_error("99999999999999999999999999999999T") == UnitError::too_large);
}

TEST_CASE("a share of the processors is a percentage, or a quota and its period") {
  const auto share = [](std::string_view text) -> std::string {
    const auto parsed = parse_cpu_share(text);
    if (!parsed) return std::to_string(static_cast<int>(parsed.error()));
    return std::to_string(parsed->quota_us) + "/" + std::to_string(parsed->period_us) + " " + format_cpu_share(*parsed);
  };
  const auto refused = [](UnitError error) { return std::to_string(static_cast<int>(error)); };
  CHECK(share("50%") == "50000/100000 50%");
  CHECK(share("250%") == "250000/100000 250%");
  CHECK(share("50000 100000") == "50000/100000 50%");
  CHECK(share("1001 1000000") == "1001/1000000 1001 1000000");
  CHECK(share("100000%") == "100000000/100000 100000%");
  for (const std::string_view text :
       {"0%", "100001%", "99999999999999999999999%", "999 100000", "1000 999", "1000 1000001"}) {
    INFO(text);
    CHECK(share(text) == refused(UnitError::too_large));
  }
  for (const std::string_view text :
       {"%", "-5%", "+5%", "5 %", "max 100000", "50000  100000", "50000 100000 ", "1.5%", " 5%"}) {
    INFO(text);
    CHECK(share(text) == refused(UnitError::malformed));
  }
  CHECK(share("") == refused(UnitError::empty));
  CHECK(share("2") == refused(UnitError::bare_number));
}

TEST_CASE("what is formatted is read as the same") {
  CHECK(format_duration(Milliseconds(0)) == "0ms");
  CHECK(format_duration(Milliseconds(303'000)) == "5m3s");
  CHECK(format_duration(Milliseconds(1'500)) == "1s500ms");
  CHECK(format_duration(Milliseconds(86'400'000)) == "1d");
  CHECK(format_size(0) == "0B");
  CHECK(format_size(16'777'216) == "16M");
  CHECK(format_size(1'536) == "1536B");
  CHECK(format_size(std::uint64_t{1} << 63) == "8388608T");
  Random random(5);
  for (int i = 0; i < 2'000; ++i) {
    const Milliseconds duration(static_cast<std::int64_t>(random.upto(static_cast<std::uint64_t>(bounds::duration_ms))));
    REQUIRE(parse_duration(format_duration(duration)) == duration);
    const std::uint64_t size = random.upto(std::uint64_t{1} << 63) >> random.upto(63);
    REQUIRE(parse_size(format_size(size)) == size);
  }
}

}  // namespace
}  // namespace hcrc

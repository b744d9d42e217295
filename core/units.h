// Durations and sizes as people write them: `250ms`, `2s`, `1h30m`; `16M`, `1G`. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "core/text.h"
#include "core/time.h"

namespace hcrc {

// Why a text is no duration or size. A bare number is told apart, since its cure is to add a unit.
enum class UnitError : std::uint8_t { empty, bare_number, malformed, too_large };

// A whole text such as `1h30m`: numbers with units h, m, s, ms (d too), each at most once and from long to short. At most
// bounds::duration_ms.
[[nodiscard]] std::expected<Milliseconds, UnitError> parse_duration(std::string_view text);

// A whole text such as `16M`: bytes, K, M, G or T in powers of two. At most 2^63.
[[nodiscard]] std::expected<std::uint64_t, UnitError> parse_size(std::string_view text);

// How much of the processors: microseconds of them in each period, over all of them together.
struct CpuShare {
  std::uint64_t quota_us = 0;
  std::uint64_t period_us = 100'000;
};

// A percentage of one processor, `50%` or `250%`, or cpu.max's own form (cgroup v2), `50000 100000`. A lone number has no
// unit; what is out of the kernel's range (bounds.h) is too_large, on either side.
[[nodiscard]] std::expected<CpuShare, UnitError> parse_cpu_share(std::string_view text);
// The shortest text that is read as the same.
std::string format_cpu_share(CpuShare share);
void put_cpu_share(TextWriter& line, CpuShare share);

// The shortest text that parse_duration reads as the same: `5m3s`, `0ms`, `1s500ms`.
std::string format_duration(Milliseconds duration);
// The same for sizes: `16M`, `1536B`.
std::string format_size(std::uint64_t bytes);
void put_size(TextWriter& line, std::uint64_t bytes);

// What is wrong and what to do, as "add a unit: ms, s, m, h or d".
std::string_view advice_for_duration(UnitError error);
std::string_view advice_for_size(UnitError error);

}  // namespace hcrc

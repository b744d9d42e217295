#include "core/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "core/bounds.h"

namespace hcrc {

namespace {

constexpr std::uint64_t most_bytes = std::uint64_t{1} << 63;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 5> time_units = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000},
                                            Unit{"ms", 1}};
constexpr std::array<Unit, 5> size_units = {Unit{"T", std::uint64_t{1} << 40}, Unit{"G", std::uint64_t{1} << 30},
                                            Unit{"M", std::uint64_t{1} << 20}, Unit{"K", std::uint64_t{1} << 10},
                                            Unit{"B", 1}};

bool is_digit(char character) { return character >= '0' && character <= '9'; }

// NUMBER UNIT [NUMBER UNIT ...], units from long to short, each at most once.
std::expected<std::uint64_t, UnitError> parse(std::string_view text, std::span<const Unit> units, std::uint64_t most,
                                              bool several) {
  if (text.empty()) return std::unexpected(UnitError::empty);
  std::uint64_t total = 0;
  std::size_t next_unit = 0;
  bool first = true;
  while (!text.empty()) {
    std::size_t digits = 0;
    std::uint64_t value = 0;
    bool too_large = false;
    for (; digits < text.size() && is_digit(text[digits]); ++digits) {
      const auto digit = static_cast<std::uint64_t>(text[digits] - '0');
      if (value > (most - digit) / 10) too_large = true;
      if (!too_large) value = value * 10 + digit;
    }
    if (digits == 0) return std::unexpected(UnitError::malformed);
    text.remove_prefix(digits);
    if (text.empty()) return std::unexpected(first ? UnitError::bare_number : UnitError::malformed);
    std::size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    std::size_t unit = next_unit;
    while (unit < units.size() && units[unit].name != text.substr(0, letters)) ++unit;
    if (unit == units.size() || (!several && !first)) return std::unexpected(UnitError::malformed);
    text.remove_prefix(letters);
    if (too_large || value > (most - total) / units[unit].factor) return std::unexpected(UnitError::too_large);
    total += value * units[unit].factor;
    next_unit = unit + 1;
    first = false;
  }
  return total;
}

}  // namespace

std::expected<Milliseconds, UnitError> parse_duration(std::string_view text) {
  const auto parsed = parse(text, time_units, static_cast<std::uint64_t>(bounds::duration_ms), true);
  if (!parsed) return std::unexpected(parsed.error());
  return Milliseconds(static_cast<std::int64_t>(*parsed));
}

std::expected<std::uint64_t, UnitError> parse_size(std::string_view text) {
  return parse(text, size_units, most_bytes, false);
}

std::expected<CpuShare, UnitError> parse_cpu_share(std::string_view text) {
  if (text.empty()) return std::unexpected(UnitError::empty);
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    // Its range is looked at below: what does not fit is above it.
    if (error == std::errc::result_out_of_range) value = UINT64_MAX / 1'000;
    return digits.empty() || end != digits.data() + digits.size() || error == std::errc::invalid_argument
               ? std::nullopt
               : std::optional(std::min(value, UINT64_MAX / 1'000));
  };
  CpuShare share;
  if (text.ends_with('%')) {
    const auto percent = number(text.substr(0, text.size() - 1));
    if (!percent) return std::unexpected(UnitError::malformed);
    share.quota_us = *percent * 1'000;
  } else {
    const std::size_t blank = text.find(' ');
    const auto quota = number(text.substr(0, blank));
    if (quota && blank == std::string_view::npos) return std::unexpected(UnitError::bare_number);
    const auto period = blank == std::string_view::npos ? std::nullopt : number(text.substr(blank + 1));
    if (!quota || !period) return std::unexpected(UnitError::malformed);
    share = {.quota_us = *quota, .period_us = *period};
  }
  const bool in_range = share.quota_us >= bounds::cpu_quota_us_min && share.quota_us <= bounds::cpu_quota_us_max &&
                        share.period_us >= bounds::cpu_period_us_min && share.period_us <= bounds::cpu_period_us_max;
  if (!in_range) return std::unexpected(UnitError::too_large);
  return share;
}

void put_cpu_share(TextWriter& line, CpuShare share) {
  if (share.period_us == CpuShare().period_us && share.quota_us % 1'000 == 0) {
    line.number(share.quota_us / 1'000).put('%');
  } else {
    line.number(share.quota_us).put(' ').number(share.period_us);
  }
}

std::string format_cpu_share(CpuShare share) {
  std::array<char, 48> bytes;
  TextWriter text(bytes);
  put_cpu_share(text, share);
  return std::string(text.view());
}

std::string format_duration(Milliseconds duration) {
  std::string text;
  auto left = static_cast<std::uint64_t>(duration.count());
  for (const Unit& unit : time_units) {
    if (left < unit.factor) continue;
    text += std::to_string(left / unit.factor);
    text += unit.name;
    left %= unit.factor;
  }
  return text.empty() ? "0ms" : text;
}

void put_size(TextWriter& line, std::uint64_t bytes) {
  for (const Unit& unit : size_units) {
    if (bytes < unit.factor || bytes % unit.factor != 0) continue;
    line.number(bytes / unit.factor).put(unit.name);
    return;
  }
  line.put("0B");
}

std::string format_size(std::uint64_t bytes) {
  std::array<char, 24> room;
  TextWriter text(room);
  put_size(text, bytes);
  return std::string(text.view());
}

std::string_view advice_for_duration(UnitError error) {
  switch (error) {
    case UnitError::empty:
    case UnitError::malformed: return "write it as 250ms, 2s, 5m, 24h or 1h30m";
    case UnitError::bare_number: return "add a unit: ms, s, m, h or d";
    case UnitError::too_large: return "the longest duration is ten years";
  }
  return {};
}

std::string_view advice_for_size(UnitError error) {
  switch (error) {
    case UnitError::empty:
    case UnitError::malformed: return "write it as 512K, 16M or 1G";
    case UnitError::bare_number: return "add a unit: B, K, M, G or T";
    case UnitError::too_large: return "the largest size is 2^63 bytes";
  }
  return {};
}

}  // namespace hcrc

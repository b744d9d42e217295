#include "core/notify_message.h"

#include <algorithm>
#include <charconv>

#include "core/bounds.h"
#include "core/json.h"

namespace hcrc {

namespace {

std::optional<Duration> parse_microseconds(std::string_view value) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (end != value.data() + value.size() || value.empty()) return std::nullopt;
  constexpr auto longest = static_cast<std::uint64_t>(bounds::duration_ms) * 1'000;
  if (error == std::errc::result_out_of_range || count > longest) count = longest;
  return std::chrono::microseconds(count);
}

void take_line(NotifyMessage& message, std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view key = line.substr(0, equals);
  const std::string_view value = line.substr(equals + 1);
  if (key == "READY") message.ready = value == "1";
  if (key == "STOPPING") message.stopping = value == "1";
  if (key == "WATCHDOG") message.watchdog = value == "1";
  if (key == "STATUS") message.status = cut_at_character(value, bounds::status_text_bytes);
  if (key == "EXTEND_TIMEOUT_USEC") {
    if (const auto extension = parse_microseconds(value)) message.extend_timeout = extension;
  }
}

}  // namespace

NotifyMessage parse_notify(std::string_view datagram) {
  NotifyMessage message;
  while (!datagram.empty()) {
    const std::size_t end = std::min(datagram.find('\n'), datagram.size());
    take_line(message, datagram.substr(0, end));
    datagram.remove_prefix(std::min(end + 1, datagram.size()));
  }
  return message;
}

}  // namespace hcrc

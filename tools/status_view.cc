#include "tools/status_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/bounds.h"
#include "core/control_protocol.h"
#include "core/story.h"
#include "core/text.h"

namespace hcrc {

namespace {

std::string string_of(const JsonValue& object, std::string_view key) {
  const auto value = object.member(key);
  return value ? value->string().value_or("") : "";
}

std::optional<std::int64_t> number_of(const JsonValue& object, std::string_view key) {
  const auto value = object.member(key);
  return value ? value->integer() : std::nullopt;
}

std::optional<std::int64_t> time_of(const JsonValue& object, std::string_view key) {
  return parse_iso8601(string_of(object, key));
}

std::string duration(std::int64_t ms) {
  std::array<char, 64> room;
  TextWriter out(room);
  put_duration(out, Milliseconds(std::clamp<std::int64_t>(ms, 0, bounds::duration_ms)));
  return std::string(out.view());
}

// From a second on in whole seconds: a table that is read again and again stays calm.
std::string age(std::optional<std::int64_t> since_ms, std::int64_t now_ms) {
  if (!since_ms) return "-";
  const std::int64_t ms = now_ms - *since_ms;
  return duration(ms < 1'000 ? ms : ms - ms % 1'000);
}

constexpr std::string_view plain = "\x1b[0m";

std::string_view colour(std::string_view state) {
  if (state == "up") return "\x1b[32m";
  if (state == "failed" || state == "held") return "\x1b[31m";
  if (state == "backoff" || state == "starting" || state == "stopping" || state == "waiting") return "\x1b[33m";
  return "\x1b[2m";  // down, skipped
}

std::string reason(const ServiceRow& row, std::int64_t now_ms) {
  std::string text = row.why;
  const auto add = [&](const std::string& more) { text += (text.empty() ? "" : "; ") + more; };
  // The reasons of the other states with a next start say it themselves.
  if (row.next_start_ms && row.state == "up") add("next run in " + age(now_ms, *row.next_start_ms));
  if (!row.status.empty()) add("says: " + row.status);
  return for_terminal(text);
}

}  // namespace

std::string for_terminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u;
    if (byte < 0x20 || byte == 0x7F) {
      out += '?';
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {  // U+0080 to U+009F
      out += '?';
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

void StatusView::take(const JsonValue& line) {
  if (const auto node = line.member("node")) {
    node_json_ = node->text();
    node_state_ = string_of(*node, "state");
    node_version_ = string_of(*node, "version");
    node_db_ = string_of(*node, "db");
    node_build_ = string_of(*node, "build");
    node_since_ms_ = time_of(*node, "since");
    node_pid_ = number_of(*node, "pid");
  }
  if (const auto orphan = line.member("orphan")) {
    orphan_json_.emplace_back(orphan->text());
    orphans_.push_back({.pid = number_of(*orphan, "pid").value_or(0), .name = string_of(*orphan, "name")});
  }
  const auto service = line.member("service");
  if (!service) return;
  service_json_.emplace_back(service->text());
  const auto wanted = service->member("wanted");
  rows_.push_back({.name = string_of(*service, "name"),
                   .type = string_of(*service, "type"),
                   .state = string_of(*service, "state"),
                   .wanted = wanted && wanted->boolean().value_or(false),
                   .pid = number_of(*service, "pid"),
                   .since_ms = time_of(*service, "since"),
                   .restarts = number_of(*service, "restarts").value_or(0),
                   .next_start_ms = time_of(*service, "next_start"),
                   .why = string_of(*service, "why"),
                   .status = string_of(*service, "status")});
}

std::string StatusView::json() const {
  return fmt::format("{{\"node\":{},\"services\":[{}],\"orphans\":[{}]}}", node_json_, fmt::join(service_json_, ","),
                     fmt::join(orphan_json_, ","));
}

std::string StatusView::heading(std::int64_t now_ms) const {
  std::string text = "node " + node_state_;
  if (node_since_ms_) text += ", running for " + age(node_since_ms_, now_ms);
  if (node_pid_) text += ", pid " + std::to_string(*node_pid_);
  if (!node_version_.empty()) text += ", hcrc " + node_version_;
  if (!node_db_.empty()) text += ", " + node_db_;
  if (!node_build_.empty()) text += " build " + node_build_;
  return for_terminal(text) + '\n';
}

std::string StatusView::table(std::int64_t now_ms, bool colours) const {
  return heading(now_ms) + (rows_.empty() ? "" : service_table(now_ms, colours)) + orphan_line();
}

std::string StatusView::orphan_line() const {
  if (orphans_.empty()) return {};
  std::string out = orphans_.size() < bounds::orphans_told ? "\norphans, which no service owns:"
                                                           : "\nmany orphans, which no service owns:";
  std::string_view separator = " ";
  for (const OrphanRow& orphan : orphans_) {
    out += fmt::format("{}{} {}", separator, orphan.pid, for_terminal(orphan.name));
    separator = ", ";
  }
  return out + '\n';
}

std::string StatusView::service_table(std::int64_t now_ms, bool colours) const {
  std::vector<std::array<std::string, 5>> cells{{"SERVICE", "STATE", "SINCE", "PID", "RESTARTS"}};
  for (const ServiceRow& row : rows_) {
    cells.push_back({for_terminal(row.name), for_terminal(row.state), age(row.since_ms, now_ms),
                     row.pid ? std::to_string(*row.pid) : "-", std::to_string(row.restarts)});
  }
  std::array<std::size_t, 5> widths{};
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string out = "\n";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto& [name, state, since, pid, restarts] = cells[i];
    const bool coloured = colours && i > 0;
    std::string line = fmt::format("{:<{}}  {}{:<{}}{}  {:>{}}  {:>{}}  {:>{}}  {}", name, widths[0],
                                   coloured ? colour(state) : "", state, widths[1], coloured ? plain : "", since, widths[2],
                                   pid, widths[3], restarts, widths[4], i == 0 ? "WHY" : reason(rows_[i - 1], now_ms));
    while (line.ends_with(' ')) line.pop_back();
    out += line + '\n';
  }
  return out;
}

std::string StatusView::fingerprint() const {
  std::string out = node_state_ + '\n' + node_build_ + '\n';
  for (const ServiceRow& row : rows_) {
    out += fmt::format("{}\n{}\n{}\n{}\n{}\n", row.name, row.state, row.pid.value_or(-1), row.restarts, row.status);
  }
  for (const OrphanRow& orphan : orphans_) out += fmt::format("{}\n", orphan.pid);
  return out;
}

}  // namespace hcrc

#include "core/control_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <initializer_list>

#include "core/time.h"

namespace hcrc {

namespace {

constexpr std::array all_verbs{Verb::status, Verb::list, Verb::why,    Verb::start,  Verb::stop,    Verb::restart,
                               Verb::signal, Verb::wait, Verb::health, Verb::update, Verb::shutdown};
constexpr std::string_view blanks = " \t";

bool is_control(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7F;
}

// Takes the next word, option or not, off `rest`; empty at the end.
std::string_view take_word(std::string_view& rest) {
  const std::size_t begin = std::min(rest.find_first_not_of(blanks), rest.size());
  const std::size_t end = std::min(rest.find_first_of(blanks, begin), rest.size());
  const std::string_view word = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return word;
}

std::unexpected<RequestError> refuse(std::initializer_list<std::string_view> pieces) {
  std::array<char, bounds::report_text_bytes> room;
  TextWriter out(room);
  for (const std::string_view piece : pieces) out.put(piece);
  return std::unexpected(RequestError(cut_at_character(out.view(), room.size() - 1)));
}

// As much of a word as a sentence about it should hold.
std::string_view shown(std::string_view word) { return cut_at_character(word, 48); }

std::optional<Verb> find_verb(std::string_view word) {
  const auto found = std::find_if(all_verbs.begin(), all_verbs.end(), [&](Verb verb) { return text(verb) == word; });
  return found == all_verbs.end() ? std::nullopt : std::optional(*found);
}

template <typename Number>
std::optional<Number> parse_number(std::string_view word) {
  Number value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (word.empty() || error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

using Parsed = std::expected<void, RequestError>;

struct NameCount {
  std::size_t least;
  std::size_t most;
};

NameCount names_of(Verb verb) {
  switch (verb) {
    case Verb::list:
    case Verb::health:
    case Verb::shutdown: return {0, 0};
    case Verb::status:
    case Verb::wait: return {0, SIZE_MAX};
    case Verb::why:
    case Verb::update:
    case Verb::signal: return {1, 1};
    case Verb::start:
    case Verb::stop:
    case Verb::restart: return {1, SIZE_MAX};
  }
  return {0, 0};
}

Parsed check_names(const Request& request) {
  const auto [least, most] = names_of(request.verb);
  const std::size_t count = request.names.count();
  if (request.verb == Verb::update && count != 1) return refuse({"update takes the path of one database, without blanks"});
  if (count < least) return refuse({text(request.verb), " needs the name of a service"});
  if (count <= most) return {};
  if (most == 0) return refuse({text(request.verb), " takes no name, not '", shown(request.names.front()), "'"});
  return refuse({text(request.verb), " takes one name"});
}

std::unexpected<RequestError> unknown_option(Verb verb, std::string_view option) {
  return refuse({text(verb), " has no option '", shown(option), "'"});
}

// The options of a verb that has at most flags. `take` answers whether it knows one.
template <typename Take>
Parsed parse_flags(Verb verb, std::string_view rest, Take take) {
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
    if (word.front() == '-' && !take(word)) return unknown_option(verb, word);
  }
  return {};
}

Parsed parse_wait(Request& request, std::string_view rest) {
  int states = 0;
  const Parsed flags = parse_flags(request.verb, rest, [&](std::string_view option) {
    for (const WaitFor state : {WaitFor::up, WaitFor::down, WaitFor::settled}) {
      if (option.substr(0, 2) != "--" || option.substr(2) != text(state)) continue;
      request.wait_for = state;
      ++states;
      return true;
    }
    return false;
  });
  if (!flags) return flags;
  if (states != 1) return refuse({"wait needs one of --up, --down and --settled"});
  return {};
}

Parsed parse_signal(Request& request, std::string_view rest) {
  const std::string_view name = take_word(rest);
  const std::string_view signal = take_word(rest);
  if (name.empty() || signal.empty() || !take_word(rest).empty()) return refuse({"signal needs a name and a signal"});
  if (name.front() == '-') return unknown_option(request.verb, name);
  const std::optional<int> number = parse_number<int>(signal);
  const std::optional<int> known = number ? (signal_name(*number).empty() ? std::nullopt : number) : signal_number(signal);
  if (!known) return refuse({"no signal '", shown(signal), "': one such as SIGHUP, or its number"});
  request.names = Names(name);
  request.signal = *known;
  return {};
}

Parsed parse_shutdown(Request& request, std::string_view rest) {
  request.names = {};
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
    if (word.front() != '-') return refuse({"shutdown takes no name, not '", shown(word), "'"});
    if (word != "--exit-code") return unknown_option(request.verb, word);
    const std::string_view value = take_word(rest);
    request.exit_code = parse_number<std::uint8_t>(value);
    if (!request.exit_code) return refuse({"--exit-code needs a number from 0 to 255, not '", shown(value), "'"});
  }
  return {};
}

// What stands behind the verb.
Parsed parse_arguments(Request& request, std::string_view rest) {
  switch (request.verb) {
    case Verb::status:
    case Verb::list:
    case Verb::why:
    case Verb::health: return parse_flags(request.verb, rest, [](std::string_view) { return false; });
    case Verb::start:
    case Verb::stop:
    case Verb::restart:
      return parse_flags(request.verb, rest, [&](std::string_view option) {
        request.no_wait = request.no_wait || option == "--no-wait";
        return option == "--no-wait";
      });
    case Verb::update:
      return parse_flags(request.verb, rest, [&](std::string_view option) {
        request.no_wait = request.no_wait || option == "--no-wait";
        request.dry_run = request.dry_run || option == "--dry-run";
        return option == "--no-wait" || option == "--dry-run";
      });
    case Verb::signal: return parse_signal(request, rest);
    case Verb::wait: return parse_wait(request, rest);
    case Verb::shutdown: return parse_shutdown(request, rest);
  }
  return {};
}

}  // namespace

std::string_view text(Verb verb) {
  switch (verb) {
    case Verb::status: return "status";
    case Verb::list: return "list";
    case Verb::why: return "why";
    case Verb::start: return "start";
    case Verb::stop: return "stop";
    case Verb::restart: return "restart";
    case Verb::signal: return "signal";
    case Verb::wait: return "wait";
    case Verb::health: return "health";
    case Verb::update: return "update";
    case Verb::shutdown: return "shutdown";
  }
  return "";
}

std::string_view text(WaitFor state) {
  switch (state) {
    case WaitFor::up: return "up";
    case WaitFor::down: return "down";
    case WaitFor::settled: return "settled";
  }
  return "";
}

void Names::Iterator::advance() {
  do {
    word_ = take_word(rest_);
  } while (word_.starts_with('-'));
}

std::size_t Names::count() const {
  std::size_t count = 0;
  for ([[maybe_unused]] const std::string_view name : *this) ++count;
  return count;
}

std::expected<Request, RequestError> parse_request(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto stray = std::find_if(line.begin(), line.end(), [](char c) { return is_control(c) && c != '\t'; });
  if (stray != line.end()) return refuse({"a request is one line of plain words"});

  const std::string_view word = take_word(line);
  const std::optional<Verb> verb = find_verb(word);
  if (!verb) {
    const std::string_view what = word.empty() ? "an empty request" : "no verb '";
    return refuse({what, shown(word), word.empty() ? "" : "'",
                   ": one of status, list, why, start, stop, restart, signal, wait, health, update, shutdown"});
  }
  Request request;
  request.verb = *verb;
  request.names = Names(line);
  if (const Parsed arguments = parse_arguments(request, line); !arguments) return std::unexpected(arguments.error());
  if (const Parsed names = check_names(request); !names) return std::unexpected(names.error());
  return request;
}

bool can_be_name(std::string_view word) {
  if (word.empty() || word.front() == '-') return false;
  return std::none_of(word.begin(), word.end(), [](char character) { return character == ' ' || is_control(character); });
}

namespace {

void put_text(JsonLine& line, std::string_view key, std::string_view value, std::size_t limit) {
  if (value.empty()) {
    line.null(key);
  } else {
    line.text(key, value, limit);
  }
}

void put_time(JsonLine& line, std::string_view key, std::optional<std::int64_t> unix_ms) {
  if (unix_ms) {
    line.text(key, iso8601(*unix_ms).view());
  } else {
    line.null(key);
  }
}

void put_exit(JsonLine& line, const ExitText& exit) {
  switch (exit.kind) {
    case ExitText::Kind::none: line.null("exit"); return;
    case ExitText::Kind::code: line.begin_object("exit").number("code", exit.value).end_object(); return;
    case ExitText::Kind::signal: {
      // A signal without a name (32 and 33 belong to the C library) is its number.
      std::array<char, 16> room;
      const std::string_view name = signal_name(exit.value);
      TextWriter number(room);
      if (name.empty()) number.number(exit.value);
      line.begin_object("exit").text("signal", name.empty() ? number.view() : name).end_object();
      return;
    }
  }
}

}  // namespace

void write(JsonLine& line, const NodeStatus& node) {
  std::array<char, 16> build;
  for (std::size_t i = 0; i < build.size(); ++i) build[i] = "0123456789abcdef"[node.build >> (60 - 4 * i) & 15];
  line.begin_object().begin_object("node");
  line.text("state", node.state).text("build", {build.data(), build.size()});
  put_text(line, "db", node.db, SIZE_MAX);
  put_time(line, "since", node.since);
  put_text(line, "version", node.version, SIZE_MAX);
  line.number("pid", node.pid).end_object().end_object();
}

void write(JsonLine& line, const ServiceStatus& service) {
  line.begin_object().begin_object("service");
  line.text("name", service.name).text("type", text(service.type)).text("state", text(service.state));
  line.flag("wanted", service.wanted);
  if (service.pid) {
    line.number("pid", *service.pid);
  } else {
    line.null("pid");
  }
  put_time(line, "since", service.since);
  put_text(line, "why", service.why, bounds::story_line_bytes);
  line.number("restarts", service.restarts);
  put_time(line, "next_start", service.next_start);
  put_exit(line, service.exit);
  put_text(line, "status", service.status, bounds::status_text_bytes);
  put_text(line, "description", service.description, bounds::control_description_bytes);
  line.end_object().end_object();
}

void write_why(JsonLine& line, std::string_view sentence) {
  line.begin_object().text("why", sentence, bounds::story_line_bytes).end_object();
}

void write_orphan(JsonLine& line, std::int32_t pid, std::string_view name) {
  line.begin_object().begin_object("orphan").number("pid", pid).text("name", name).end_object().end_object();
}

void write_change(JsonLine& line, std::string_view name, std::string_view does, std::string_view along_with) {
  line.begin_object().begin_object("update").text("name", name).text("does", does);
  put_text(line, "along_with", along_with, SIZE_MAX);
  line.end_object().end_object();
}

void write_listed(JsonLine& line, std::string_view name, ServiceType type, std::string_view description) {
  line.begin_object().begin_object("listed").text("name", name).text("type", text(type));
  put_text(line, "description", description, bounds::control_description_bytes);
  line.end_object().end_object();
}

void write_result(JsonLine& line, std::uint8_t code, std::string_view text) {
  line.begin_object();
  line.text("result", code == exit_code::done ? "ok" : code == exit_code::failed ? "failed" : "error");
  if (code != exit_code::done) line.number("code", code);
  if (!text.empty()) line.text("text", text, bounds::control_result_text_bytes);
  line.end_object();
}

namespace {

void put_digits(TextWriter& out, std::int64_t value, int width) {
  std::int64_t unit = 1;
  for (int i = 1; i < width; ++i) unit *= 10;
  for (; unit > 0; unit /= 10) out.put(static_cast<char>('0' + value / unit % 10));
}

}  // namespace

TimeText iso8601(std::int64_t unix_ms) {
  constexpr std::int64_t earliest = -62'167'219'200'000;  // 0000-01-01T00:00:00.000Z
  constexpr std::int64_t latest = 253'402'300'799'999;    // 9999-12-31T23:59:59.999Z
  const std::chrono::sys_time<Milliseconds> instant{Milliseconds(std::clamp(unix_ms, earliest, latest))};
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(instant - day);

  std::array<char, 24> room;
  TextWriter out(room);
  put_digits(out, static_cast<int>(date.year()), 4);
  put_digits(out.put('-'), static_cast<unsigned>(date.month()), 2);
  put_digits(out.put('-'), static_cast<unsigned>(date.day()), 2);
  put_digits(out.put('T'), time.hours().count(), 2);
  put_digits(out.put(':'), time.minutes().count(), 2);
  put_digits(out.put(':'), time.seconds().count(), 2);
  put_digits(out.put('.'), time.subseconds().count(), 3);
  return TimeText(out.put('Z').view());
}

std::optional<std::int64_t> parse_iso8601(std::string_view text) {
  constexpr std::string_view form = "dddd-dd-ddTdd:dd:dd.dddZ";
  if (text.size() != form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) return std::nullopt;
  }
  const auto part = [&](std::size_t at, std::size_t width) { return *parse_number<unsigned>(text.substr(at, width)); };
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(part(0, 4))), std::chrono::month(part(5, 2)),
                                         std::chrono::day(part(8, 2)));
  if (!date.ok() || part(11, 2) > 23 || part(14, 2) > 59 || part(17, 2) > 59) return std::nullopt;
  const Milliseconds time = std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(part(11, 2)) +
                            std::chrono::minutes(part(14, 2)) + std::chrono::seconds(part(17, 2)) +
                            Milliseconds(part(20, 3));
  return time.count();
}

}  // namespace hcrc

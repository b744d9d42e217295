#include "tests/stand_in/mischief.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <map>
#include <utility>

#include "tests/stand_in/files.h"

namespace stand_in {
namespace {

using Settings = std::map<std::string, std::string, std::less<>>;

constexpr std::array<std::string_view, 12> names{"crash",  "crash-at", "crash-after", "ready-after",       "hang-after",
                                                 "stop",   "flood",    "leftovers",   "leftovers-session", "stubborn",
                                                 "starts", "memory"};

std::string variable_name(std::string_view setting) {
  std::string name = "STAND_IN_";
  for (char c : setting) name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return name;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::expected<Settings, std::string> collect(const std::string& data_folder) {
  Settings settings;
  for (std::string_view name : names) {
    if (const char* value = std::getenv(variable_name(name).c_str())) settings[std::string(name)] = value;
  }
  const std::string path = data_folder + "/stand-in";
  const std::string file = read_file(path).value_or("");
  for (std::string_view rest = file; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = trim(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    const std::string_view name = trim(line.substr(0, equals));
    if (equals == std::string_view::npos || std::find(names.begin(), names.end(), name) == names.end()) {
      return std::unexpected(path + ": `" + std::string(line) + "` is no setting: see --help");
    }
    settings[std::string(name)] = trim(line.substr(equals + 1));
  }
  return settings;
}

bool number(std::string_view text, long& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0;
}

bool duration(std::string_view text, int& ms) {
  constexpr std::array<std::pair<std::string_view, long>, 3> units{{{"ms", 1}, {"s", 1000}, {"m", 60'000}}};
  for (const auto& [unit, factor] : units) {
    long count = 0;
    if (!text.ends_with(unit) || !number(text.substr(0, text.size() - unit.size()), count) || count > 1'000'000) continue;
    ms = static_cast<int>(count * factor);
    return true;
  }
  return false;
}

bool ending(std::string_view text, Ending& end) {
  constexpr std::array<std::pair<std::string_view, int>, 8> signals{{{"SEGV", SIGSEGV},
                                                                     {"KILL", SIGKILL},
                                                                     {"ABRT", SIGABRT},
                                                                     {"TERM", SIGTERM},
                                                                     {"INT", SIGINT},
                                                                     {"HUP", SIGHUP},
                                                                     {"QUIT", SIGQUIT},
                                                                     {"BUS", SIGBUS}}};
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view what = text.substr(colon + 1);
  long value = 0;
  if (text.starts_with("exit:") && number(what, value) && value <= 255) {
    end = {Ending::Kind::code, static_cast<int>(value)};
    return true;
  }
  if (!text.starts_with("signal:")) return false;
  if (!number(what, value)) {
    for (const auto& [name, signal] : signals) {
      if (what == name) value = signal;
    }
  }
  end = {Ending::Kind::signal, static_cast<int>(value)};
  return value >= 1 && value <= 64;
}

bool count(std::string_view text, int& value) {
  long wide = 0;
  if (!number(text, wide) || wide > 1000) return false;
  value = static_cast<int>(wide);
  return true;
}

bool apply(std::string_view name, std::string_view value, Mischief& mischief) {
  if (name == "crash") return ending(value, mischief.crash);
  if (name == "crash-after") return duration(value, mischief.crash_after_ms);
  if (name == "hang-after") return duration(value, mischief.hang_after_ms);
  if (name == "memory") return number(value, mischief.memory_mib);
  if (name == "leftovers") return count(value, mischief.leftovers);
  if (name == "leftovers-session") return count(value, mischief.leftovers_session);
  if (name == "crash-at") {
    mischief.crash_at = value == "start" ? Phase::start : Phase::ready;
    return value == "start" || value == "ready";
  }
  if (name == "ready-after") {
    if (value != "never") return duration(value, mischief.ready_after_ms);
    mischief.ready_after_ms = Mischief::never;
    return true;
  }
  if (name == "stop") {
    mischief.ignore_stop = value == "ignore";
    return mischief.ignore_stop || duration(value, mischief.stop_after_ms);
  }
  if (name == "flood") {
    if (value != "endless") return number(value, mischief.flood_lines);
    mischief.flood_lines = Mischief::never;
    return true;
  }
  if (name == "stubborn") {
    mischief.stubborn = value == "yes";
    return mischief.stubborn || value == "no";
  }
  long starts = 0;  // "starts" itself: read by read_mischief
  return number(value, starts);
}

// How many starts this data folder has seen, this one included: a byte each in a file.
std::size_t count_start(const std::string& data_folder) {
  const std::string path = data_folder + "/stand-in-starts";
  append_file(path, ".");
  return read_file(path).value_or(".").size();
}

}  // namespace

std::expected<Mischief, std::string> read_mischief(const std::string& data_folder) {
  const std::size_t start = count_start(data_folder);
  auto settings = collect(data_folder);
  if (!settings) return std::unexpected(settings.error());
  Mischief mischief;
  for (const auto& [name, value] : *settings) {
    if (!apply(name, value, mischief)) return std::unexpected(name + " = " + value + ": no such value: see --help");
  }
  if (const auto starts = settings->find("starts"); starts != settings->end()) {
    if (start > std::strtoul(starts->second.c_str(), nullptr, 10)) return Mischief{};
  }
  return mischief;
}

}  // namespace stand_in

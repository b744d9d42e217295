#include "tools/client.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "core/units.h"
#include "tools/conversation.h"
#include "tools/status_view.h"

namespace hcrc {

namespace {

using Clock = Patience::Clock;
using std::chrono::milliseconds;

constexpr milliseconds answer_time{10'000};  // without a byte, of an answer that waits for nothing
constexpr milliseconds appear_pause{50};     // between looks for a runtime that is to appear
constexpr milliseconds watch_interval{1'000};

void say(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void complain(const std::string& sentence) {
  const std::string line = "hcrc: " + for_terminal(sentence) + '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::int64_t wall_clock_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool waits(Verb verb) {
  switch (verb) {
    case Verb::start:
    case Verb::stop:
    case Verb::restart:
    case Verb::update:
    case Verb::wait: return true;
    case Verb::status:
    case Verb::list:
    case Verb::why:
    case Verb::signal:
    case Verb::health:
    case Verb::shutdown: return false;
  }
  return false;
}

Patience patience_for(const Command& command, Clock::time_point began) {
  Patience patience;
  if (command.timeout) patience.until = began + *command.timeout;
  if (!waits(command.verb)) patience.silence = answer_time;
  return patience;
}

std::uint8_t finish(const Ending& ending) {
  if (ending.code != exit_code::done) {
    complain(ending.text.empty() ? "the runtime says no, without a reason" : ending.text);
  } else if (!ending.text.empty()) {
    say(for_terminal(ending.text) + '\n');
  }
  return ending.code;
}

std::string line_of(const JsonValue& line, std::string_view key) {
  const auto value = line.member(key);
  return value ? for_terminal(value->string().value_or("")) + '\n' : "";
}

std::string name_of(const JsonValue& line) {
  const auto listed = line.member("listed");
  return listed ? line_of(*listed, "name") : "";
}

std::uint8_t status(const Command& command, const RuntimeSearch& search, const Patience& patience) {
  StatusView view;
  const Ending ending = converse(search, command.request, patience, [&](const JsonValue& line) { view.take(line); });
  if (ending.code != exit_code::done) return finish(ending);
  const char* term = std::getenv("TERM");
  const bool colours = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
                       std::string_view(term) != "dumb";
  say(command.json ? view.json() + '\n' : view.table(wall_clock_ms(), colours));
  return exit_code::done;
}

// A table that takes the place of the one before; what the window does not hold is counted.
std::string redrawn(const std::string& table) {
  winsize window{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 2;
  const std::size_t most = known ? window.ws_row - 1u : SIZE_MAX;
  const auto lines = static_cast<std::size_t>(std::count(table.begin(), table.end(), '\n'));
  std::string out = "\x1b[H";
  std::size_t shown = 0;
  for (std::size_t at = 0; at < table.size(); ++shown) {
    if (lines > most && shown + 1 == most) {
      out += fmt::format("and {} more\x1b[K\n", lines - shown);
      break;
    }
    const std::size_t end = table.find('\n', at);
    out.append(table, at, end - at).append("\x1b[K\n");
    at = end + 1;
  }
  return out + "\x1b[J";
}

// Until it is interrupted. A runtime that goes is told about, and may come back.
std::uint8_t watch(const Command& command, const RuntimeSearch& search, const Patience& patience) {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  std::string last;
  bool seen = false;
  while (true) {
    StatusView view;
    const Ending ending = converse(search, command.request, patience, [&](const JsonValue& line) { view.take(line); });
    const bool reached = ending.kind == Ending::Kind::answered;
    if (reached ? ending.code != exit_code::done : !seen) return finish(ending);
    const std::string now = reached ? view.fingerprint() : ending.text;
    const std::string text = reached ? view.table(wall_clock_ms(), terminal) : for_terminal(ending.text) + '\n';
    if (terminal) {
      say((seen ? "" : "\x1b[2J") + redrawn(text));
    } else if (now != last) {
      say((seen ? "\n" : "") + text);
    }
    std::fflush(stdout);
    if (std::ferror(stdout) != 0) return exit_code::system;
    seen = true;
    last = now;
    std::this_thread::sleep_for(watch_interval);
  }
}

// With a timeout the runtime itself is waited for, and one that goes may come back.
std::uint8_t wait(const Command& command, const RuntimeSearch& search, const Patience& patience) {
  while (true) {
    Ending ending = converse(search, command.request, patience, [](const JsonValue&) {});
    const bool absent = ending.kind == Ending::Kind::unreachable || ending.kind == Ending::Kind::lost;
    if (ending.kind == Ending::Kind::timed_out) ending.text += ": see hcrc status for what is not there yet";
    if (!absent || !command.timeout) return finish(ending);
    if (Clock::now() + appear_pause >= patience.until) {
      std::this_thread::sleep_until(patience.until);
      complain("timed out: " + ending.text);
      return exit_code::timed_out;
    }
    std::this_thread::sleep_for(appear_pause);
  }
}

// One line on stdout either way: it is what a container engine keeps of a health check.
std::uint8_t health(const Command& command, const RuntimeSearch& search, const Patience& patience) {
  const Ending ending = converse(search, command.request, patience, [](const JsonValue&) {});
  if (ending.kind != Ending::Kind::answered || ending.code > exit_code::failed) return finish(ending);
  const std::string text = ending.text.empty() && ending.code == exit_code::done ? "healthy" : ending.text;
  say(for_terminal(text) + '\n');
  return ending.code;
}

// "! web   restarted along with base": the signs of hcrc-compile --diff.
std::string change_line(const JsonValue& change) {
  const auto member = [&change](std::string_view key) {
    const auto value = change.member(key);
    return value ? for_terminal(value->string().value_or("")) : std::string();
  };
  const std::string does = member("does"), along = member("along_with");
  if (does == "kept") return {};
  char sign = '!';
  std::string words = does;
  if (does == "added" || does == "started") sign = '+';
  if (does == "removed" || does == "stopped") sign = '-';
  if (does == "removed") words = "removed: stopped";
  if (does == "stopped") words = "no longer wanted: stopped";
  if (does == "started") words = "wanted now: started";
  if (does == "in-place") {
    sign = '=';
    words = "in place";
  }
  return fmt::format("{} {:<12}{}\n", sign, member("name"),
                     along.empty() ? " " + words : fmt::format(" restarted along with {}", along));
}

// What is kept is counted.
std::uint8_t update(const Command& command, const RuntimeSearch& search, const Patience& patience) {
  std::size_t kept = 0;
  bool any = false;
  const Ending ending = converse(search, command.request, patience, [&](const JsonValue& line) {
    const auto change = line.member("update");
    if (!change) return;
    const std::string text = change_line(*change);
    kept += text.empty() ? 1 : 0;
    any = true;
    say(text);
    std::fflush(stdout);
  });
  if (any && kept > 0) say(fmt::format("{} as before\n", kept));
  if (ending.kind != Ending::Kind::timed_out || !command.timeout) return finish(ending);
  complain("timed out after " + format_duration(*command.timeout) + ", and the runtime goes on with it: see hcrc status");
  return ending.code;
}

std::uint8_t ask(const Command& command, const RuntimeSearch& search, const Patience& patience) {
  std::string out;
  const Ending ending = converse(search, command.request, patience, [&](const JsonValue& line) {
    out += command.verb == Verb::list ? name_of(line) : line_of(line, "why");
  });
  say(out);
  if (ending.kind != Ending::Kind::timed_out || !command.timeout) return finish(ending);
  complain("timed out after " + format_duration(*command.timeout) + ", and the runtime goes on with it: see hcrc status");
  return ending.code;
}

std::uint8_t dispatch(const Command& command, const RuntimeSearch& search, const Patience& patience) {
  switch (command.verb) {
    case Verb::status: return command.watch ? watch(command, search, patience) : status(command, search, patience);
    case Verb::wait: return wait(command, search, patience);
    case Verb::health: return health(command, search, patience);
    case Verb::update: return update(command, search, patience);
    case Verb::list:
    case Verb::why:
    case Verb::start:
    case Verb::stop:
    case Verb::restart:
    case Verb::signal:
    case Verb::shutdown: return ask(command, search, patience);
  }
  return exit_code::system;
}

}  // namespace

std::uint8_t run(const Command& command, const RuntimeSearch& search) {
  const std::uint8_t code = dispatch(command, search, patience_for(command, Clock::now()));
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  complain("cannot write the answer to stdout");
  return exit_code::system;
}

}  // namespace hcrc

#include "core/runtime/options.h"

#include <fmt/format.h>

#include <charconv>

#include "core/units.h"

namespace hcrc {

namespace {

using Status = std::expected<void, std::string>;

Status bad(std::string_view where, std::string_view value, std::string_view wanted) {
  return std::unexpected(fmt::format("{} is \"{}\": give {}", where, value, wanted));
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Status set_duration(std::string_view where, std::string_view value, Milliseconds& into) {
  const auto parsed = parse_duration(value);
  if (!parsed) return bad(where, value, "a duration such as 250ms, 9s or 1m30s");
  into = *parsed;
  return {};
}

// A setting has one name on the command line and one in the environment; both go through here.
enum class Setting : std::uint8_t {
  db,
  run_dir,
  target,
  stop_deadline,
  on_exhausted,
  command_wait,
  verbosity,
  seed,
  notify_fd
};

Status set(InitOptions& options, Setting setting, std::string_view where, std::string_view value) {
  switch (setting) {
    case Setting::db:
      if (value.empty()) return bad(where, value, "the path of a database");
      options.db = value;
      return {};
    case Setting::run_dir:
      if (!value.starts_with('/')) return bad(where, value, "an absolute path");
      options.run_dir = value;
      return {};
    case Setting::target: options.target = value; return {};
    case Setting::stop_deadline: {
      Milliseconds deadline{};
      if (Status status = set_duration(where, value, deadline); !status) return status;
      if (deadline.count() == 0) return bad(where, value, "more than no time");
      options.stop_deadline = deadline;
      return {};
    }
    case Setting::on_exhausted:
      for (const Exhausted exhausted : {Exhausted::fail, Exhausted::hold, Exhausted::shutdown}) {
        if (value == text(exhausted)) options.on_exhausted = exhausted;
      }
      if (!options.on_exhausted) return bad(where, value, "fail, hold or shutdown");
      return {};
    case Setting::command_wait: return set_duration(where, value, options.command_wait);
    case Setting::verbosity:
      if (value == "quiet") {
        options.verbosity = Verbosity::quiet;
      } else if (value == "normal") {
        options.verbosity = Verbosity::normal;
      } else if (value == "verbose") {
        options.verbosity = Verbosity::verbose;
      } else {
        return bad(where, value, "quiet, normal or verbose");
      }
      return {};
    case Setting::seed: {
      std::uint64_t seed = 0;
      if (!parse_number(value, seed)) return bad(where, value, "a whole number");
      options.seed = seed;
      return {};
    }
    case Setting::notify_fd:
      if (!parse_number(value, options.notify_fd) || options.notify_fd < 3)
        return bad(where, value, "a descriptor from 3 up");
      return {};
  }
  return {};
}

struct Flag {
  std::string_view name;
  Setting setting;
};
constexpr Flag flags[] = {{"--db", Setting::db},
                          {"--run-dir", Setting::run_dir},
                          {"--target", Setting::target},
                          {"--stop-deadline", Setting::stop_deadline},
                          {"--notify-fd", Setting::notify_fd}};

struct Variable {
  const char* name;
  Setting setting;
};
constexpr Variable variables[] = {{"HCRC_DB", Setting::db},
                                  {"HCRC_RUN_DIR", Setting::run_dir},
                                  {"HCRC_TARGET", Setting::target},
                                  {"HCRC_STOP_DEADLINE", Setting::stop_deadline},
                                  {"HCRC_ON_EXHAUSTED", Setting::on_exhausted},
                                  {"HCRC_CMD_WAIT", Setting::command_wait},
                                  {"HCRC_VERBOSITY", Setting::verbosity},
                                  {"HCRC_SEED", Setting::seed}};

const Flag* find_flag(std::string_view name) {
  for (const Flag& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

// One option at `index`, which moves past its value.
Status take_flag(InitOptions& options, std::span<char*> arguments, std::size_t& index) {
  const std::string_view word = arguments[index];
  if (word == "--help" || word == "-h") {
    options.action = InitOptions::Action::help;
    return {};
  }
  if (word == "--version") {
    options.action = InitOptions::Action::version;
    return {};
  }
  if (word == "-v") return set(options, Setting::verbosity, word, "verbose");
  if (word == "-q") return set(options, Setting::verbosity, word, "quiet");
  const std::size_t equals = word.find('=');
  const Flag* flag = find_flag(word.substr(0, equals));
  if (flag == nullptr) {
    return std::unexpected(fmt::format("unknown option {}: see --help; a command that begins with - goes behind --", word));
  }
  if (equals != std::string_view::npos) return set(options, flag->setting, flag->name, word.substr(equals + 1));
  if (index + 1 >= arguments.size()) return std::unexpected(fmt::format("{} needs a value: see --help", word));
  return set(options, flag->setting, flag->name, arguments[++index]);
}

}  // namespace

std::expected<InitOptions, std::string> parse_options(std::span<char*> arguments,
                                                      const char* (*variable)(const char* name)) {
  InitOptions options;
  std::size_t index = 0;
  for (; index < arguments.size(); ++index) {
    const std::string_view word = arguments[index];
    if (word == "--") {
      ++index;
      break;
    }
    if (!word.starts_with('-') || word.size() < 2) break;
    if (Status status = take_flag(options, arguments, index); !status) return std::unexpected(status.error());
    if (options.action != InitOptions::Action::run) return options;
  }
  for (const Variable& known : variables) {
    const char* value = variable(known.name);
    // Docker cannot take a variable away, only empty it.
    if (value == nullptr || *value == '\0') continue;
    if (Status status = set(options, known.setting, known.name, value); !status) return std::unexpected(status.error());
  }
  if (index < arguments.size()) {
    options.command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(index), arguments.end());
    options.command.push_back(nullptr);
  }
  return options;
}

std::string_view init_usage() {
  return R"(Usage: hcrc-init [OPTION...] [--] [CMD ARG...]

Starts and keeps up the services of a database that hcrc-compile has made, in the foreground. As PID 1 it does a PID 1's
duties. CMD, where one is given, runs once every service has settled; its end stops the node, its exit code is ours.

  --db FILE             the database (HCRC_DB; /etc/hcrc/node.db)
  --run-dir DIR         for the sockets (HCRC_RUN_DIR; /run/hcrc, $XDG_RUNTIME_DIR/hcrc or /dev/shm/hcrc-UID)
  --target NAME         start this service or bundle and what it needs, nothing else; none starts nothing (HCRC_TARGET)
  --stop-deadline TIME  how long a stop may take in all (HCRC_STOP_DEADLINE; node.toml; 9s)
  --notify-fd N         write a newline to this descriptor once the node is healthy
  -v, -q                tell more, or only what is wrong (HCRC_VERBOSITY: verbose, normal, quiet)
  --help, --version

A variable goes before its flag. Others: HCRC_ON_EXHAUSTED (fail, hold, shutdown: for essential services whose restarts are
used up), HCRC_CMD_WAIT (how long CMD waits for the services; 10s), HCRC_SEED (of restart jitter).

SIGTERM, SIGINT and SIGPWR stop the node in reverse order; SIGHUP reads the database again and puts it in force, restarting only
what changes (where the runtime is not PID 1 and has a terminal: stops); SIGUSR1 tells the state of every service. Exit: 0
stopped as asked, an essential service's code (128+n for signal n) when its end stopped the node, 100 usage, 102 something
essential could not run, 103 no usable database, 111 system.
)";
}

}  // namespace hcrc

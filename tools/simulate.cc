#include "tools/simulate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <expected>
#include <fstream>
#include <string>
#include <vector>

#include "core/bounds.h"
#include "core/conditions.h"
#include "core/database.h"
#include "core/simulation/runs.h"
#include "core/simulation/scenario.h"
#include "core/simulation/timeline.h"
#include "core/units.h"
#include "tools/status_view.h"

namespace hcrc {

namespace {

struct Failure {
  std::uint8_t code = 0;
  std::string sentence;
};

std::unexpected<Failure> failure(std::uint8_t code, std::string sentence) {
  return std::unexpected(Failure{.code = code, .sentence = std::move(sentence)});
}

// A regular file of bounded size, whole. Who may write it does not matter here: nothing of it is run.
std::expected<std::vector<std::byte>, Failure> read_file(const std::string& path) {
  // O_NONBLOCK: a FIFO must not keep us waiting for a writer.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return failure(exit_code::system, fmt::format("{}: {}", path, std::strerror(errno)));
  struct stat facts{};
  std::vector<std::byte> bytes;
  std::string problem;
  if (fstat(file, &facts) != 0) {
    problem = std::strerror(errno);
  } else if (!S_ISREG(facts.st_mode)) {
    problem = "is no regular file";
  } else if (facts.st_size > static_cast<off_t>(bounds::database_bytes)) {
    problem = fmt::format("{} bytes, but a database has at most {}", facts.st_size, bounds::database_bytes);
  } else {
    bytes.resize(static_cast<std::size_t>(facts.st_size));
    std::size_t length = 0;
    while (length < bytes.size() && problem.empty()) {
      const ssize_t got = read(file, bytes.data() + length, bytes.size() - length);
      if (got < 0 && errno != EINTR) problem = std::strerror(errno);
      if (got == 0) break;
      if (got > 0) length += static_cast<std::size_t>(got);
    }
    bytes.resize(length);
  }
  close(file);
  if (!problem.empty()) return failure(exit_code::system, fmt::format("{}: {}", path, problem));
  return bytes;
}

std::expected<Database, Failure> read_database(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes) return std::unexpected(bytes.error());
  auto database = Database::load(std::move(*bytes));
  if (!database) return failure(exit_code::failed, fmt::format("{}: {}", path, database.error().sentence));
  return std::move(*database);
}

std::string_view variable(std::span<const std::string_view> environment, std::string_view name) {
  for (const std::string_view entry : environment) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return entry.substr(name.size() + 1);
  }
  return {};
}

std::expected<void, Failure> set_deadline(std::string_view value, Supervisor::Options& options) {
  const auto deadline = parse_duration(value);
  if (!deadline) {
    return failure(exit_code::usage,
                   fmt::format("HCRC_STOP_DEADLINE={} is no duration: {}", value, advice_for_duration(deadline.error())));
  }
  options.stop_deadline = *deadline;
  return {};
}

std::expected<void, Failure> set_seed(std::string_view value, Supervisor::Options& options) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.seed);
  if (error == std::errc() && end == value.data() + value.size()) return {};
  return failure(exit_code::usage, fmt::format("HCRC_SEED={} is no whole number", value));
}

// What hcrc-init would be told by this environment.
std::expected<Supervisor::Options, Failure> options_for(const Database& database, const SimulateCommand& command,
                                                        std::span<const std::string_view> environment) {
  Supervisor::Options options;
  options.env_skipped = conditions_that_fail(database, environment);
  if (database.header().stop_deadline_ms >= 0) options.stop_deadline = Milliseconds(database.header().stop_deadline_ms);
  if (const auto value = variable(environment, "HCRC_STOP_DEADLINE"); !value.empty()) {
    if (const auto set = set_deadline(value, options); !set) return std::unexpected(set.error());
  }
  if (const auto value = variable(environment, "HCRC_TARGET"); !value.empty()) {
    options.no_target = value == "none";
    options.target = database.find(value);
    if (!options.no_target && !options.target)
      return failure(exit_code::usage, fmt::format("HCRC_TARGET={}: no service or bundle is named so", value));
  }
  if (const auto value = variable(environment, "HCRC_ON_EXHAUSTED"); !value.empty()) {
    for (const Exhausted exhausted : {Exhausted::fail, Exhausted::hold, Exhausted::shutdown}) {
      if (value == text(exhausted)) options.essential_exhausted = exhausted;
    }
    if (!options.essential_exhausted)
      return failure(exit_code::usage, fmt::format("HCRC_ON_EXHAUSTED={} is none of fail, hold and shutdown", value));
  }
  options.seed = 1;
  const auto seed = variable(environment, "HCRC_SEED");
  if (command.seed) {
    options.seed = *command.seed;
  } else if (!seed.empty()) {
    if (const auto set = set_seed(seed, options); !set) return std::unexpected(set.error());
  }
  return options;
}

std::expected<std::vector<simulation::Fault>, Failure> faults_of(const Database& database, const SimulateCommand& command) {
  std::vector<simulation::Fault> faults;
  for (const std::string& word : command.faults) {
    const auto some = simulation::parse_fault(word, database);
    if (!some) {
      const bool usage = some.error().kind == simulation::ScenarioError::Kind::malformed;
      return failure(usage ? exit_code::usage : exit_code::no_such_service, some.error().sentence);
    }
    faults.insert(faults.end(), some->begin(), some->end());
  }
  for (const simulation::Fault& fault : faults) {
    if (command.until && fault.at > *command.until) {
      return failure(exit_code::usage,
                     fmt::format("a fault of {} comes after --until {}: let it come earlier, or go on longer",
                                 database.name(fault.slot), format_duration(*command.until)));
    }
  }
  return faults;
}

std::expected<void, Failure> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (file) return {};
  return failure(exit_code::system, fmt::format("{}: cannot be written", path));
}

void say(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

using Outcome = std::expected<std::uint8_t, Failure>;

Outcome one_history(const Database& database, const SimulateCommand& command, const Supervisor::Options& options) {
  const auto faults = faults_of(database, command);
  if (!faults) return std::unexpected(faults.error());
  Duration until = simulation::time_to_recover(database);
  for (const simulation::Fault& fault : *faults) until = std::max(until, fault.at + simulation::time_to_recover(database));
  if (command.until) until = *command.until;

  simulation::World world(database, options);
  simulation::Timeline timeline(database);
  world.without_oracle();
  world.watch(timeline);
  simulation::inflict(world, *faults);
  world.boot();
  world.run_until(until);
  timeline.finish(world.exited() ? world.exited_at().time_since_epoch() : world.now());
  const simulation::Verdict verdict = simulation::judge(world);
  if (command.json) {
    say(simulation::as_json(timeline, verdict, options.seed));
  } else if (command.svg.empty()) {
    say(simulation::as_text(timeline, verdict));
  } else {
    if (const auto written = write_file(command.svg, simulation::as_svg(timeline)); !written)
      return std::unexpected(written.error());
    say(simulation::verdict_text(timeline, verdict));
  }
  if (!world.broken().empty()) return failure(exit_code::system, "a mistake of hcrc's own: " + world.broken().front());
  return verdict.recovered ? exit_code::done : exit_code::failed;
}

Outcome many_histories(const Database& database, const SimulateCommand& command, const Supervisor::Options& options) {
  // One history is there to be looked at.
  if (*command.runs == 1 && (!command.json || !command.svg.empty())) {
    simulation::Timeline timeline(database);
    const simulation::History history = simulation::live(database, options, timeline);
    if (command.svg.empty()) {
      say(simulation::as_text(timeline, history.verdict) + '\n');
    } else if (const auto written = write_file(command.svg, simulation::as_svg(timeline)); !written) {
      return std::unexpected(written.error());
    }
  }
  const simulation::Summary summary = simulation::live_many(database, options, *command.runs);
  const std::string replay = "hcrc simulate " + command.database + " --runs 1 --seed";
  say(command.json ? simulation::as_json(summary, database) : simulation::as_text(summary, database, replay));
  if (!summary.broken.empty()) return failure(exit_code::system, "a mistake of hcrc's own: " + summary.broken.front());
  return summary.not_recovered == 0 ? exit_code::done : exit_code::failed;
}

Outcome outcome(const SimulateCommand& command, std::span<const std::string_view> environment) {
  const auto database = read_database(command.database);
  if (!database) return std::unexpected(database.error());
  const auto options = options_for(*database, command, environment);
  if (!options) return std::unexpected(options.error());
  return command.runs ? many_histories(*database, command, *options) : one_history(*database, command, *options);
}

}  // namespace

std::uint8_t simulate(const SimulateCommand& command, std::span<const std::string_view> environment) {
  const Outcome done = outcome(command, environment);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("hcrc: cannot write the answer to stdout\n", stderr);
    return exit_code::system;
  }
  if (done) return *done;
  fmt::print(stderr, "hcrc: {}\n", for_terminal(done.error().sentence));
  return done.error().code;
}

}  // namespace hcrc

// hcrc-init: the wiring. Options, database, run dir, then the shell.
#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/conditions.h"
#include "core/runtime/console.h"
#include "core/runtime/database_file.h"
#include "core/runtime/event_loop.h"
#include "core/runtime/fork_memory.h"
#include "core/runtime/options.h"
#include "core/runtime/panic.h"
#include "core/runtime/run_dir.h"
#include "core/runtime/shell.h"
#include "core/runtime/spawn.h"
#include "core/runtime/survivors.h"

namespace {

constexpr int usage_error = 100;
constexpr int bad_database = 103;
constexpr int system_failure = 111;

// A stderr that nobody reads costs the sentence, never the end.
int fail(int code, std::string_view sentence) {
  pollfd room{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  const std::string line = fmt::format("hcrc-init: {}\n", sentence);
  if (poll(&room, 1, 1'000) > 0) [[maybe_unused]]
    const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  return code;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  // At boot the kernel's pool may not be ready; jitter need not wait for it.
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = static_cast<std::uint64_t>(getpid());
  return seed;
}

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

int run(const hcrc::InitOptions& options, const hcrc::RuntimeFacts& facts) {
  auto read = hcrc::read_database(options.db);
  if (!read) return fail(bad_database, read.error());
  const auto database = std::make_shared<const hcrc::Database>(std::move(*read));

  hcrc::Shell::Setup setup;
  setup.db_path = options.db;
  setup.notify_fd = options.notify_fd;
  setup.notify_socket = variable("NOTIFY_SOCKET");
  setup.pid1 = getpid() == 1;
  if (!options.command.empty()) setup.command = std::span(options.command.data(), options.command.size() - 1);
  hcrc::Supervisor::Options& supervisor = setup.supervisor;
  supervisor.memory = &hcrc::own_memory();
  supervisor.command = !options.command.empty();
  supervisor.command_wait = options.command_wait;
  supervisor.essential_exhausted = options.on_exhausted;
  supervisor.seed = options.seed.value_or(random_seed());
  setup.stop_deadline_given = options.stop_deadline.has_value();
  if (options.stop_deadline) {
    supervisor.stop_deadline = *options.stop_deadline;
  } else if (database->header().stop_deadline_ms >= 0) {
    supervisor.stop_deadline = hcrc::Milliseconds(database->header().stop_deadline_ms);
  }
  if (options.target) {
    supervisor.no_target = *options.target == "none";
    supervisor.target = database->find(*options.target);
    if (!supervisor.no_target && !supervisor.target) {
      return fail(usage_error, fmt::format("no service or bundle is named {}: the target must be one of the database's",
                                           *options.target));
    }
  }
  supervisor.env_skipped = hcrc::conditions_that_fail(*database, facts.environment);

  auto run_dir = hcrc::RunDir::take({.named = options.run_dir, .xdg_runtime_dir = variable("XDG_RUNTIME_DIR")});
  if (!run_dir && run_dir.error().kind == hcrc::RunDirError::Kind::occupied)
    return fail(system_failure, run_dir.error().sentence);

  auto console = std::make_unique_for_overwrite<hcrc::Console>();  // its buffer is no page of ours until it is needed
  console->set_verbosity(options.verbosity);
  if (!run_dir) console->line(run_dir.error().sentence);

  // A namespace ends with its PID 1, and nothing in it lives on.
  if (run_dir && !setup.pid1) {
    const hcrc::PredecessorRecords left = hcrc::read_records(*run_dir);
    hcrc::end_survivors(hcrc::survivors(left.processes), supervisor.stop_deadline, *console);
    hcrc::end_strays(left.cgroup, *console);
  }

  const auto shell = std::make_unique<hcrc::Shell>(database, std::move(setup), facts, *console);
  std::optional<hcrc::RunDir> folder;
  if (run_dir) folder.emplace(std::move(*run_dir));
  if (const auto opened = shell->open(std::move(folder)); !opened) return fail(system_failure, opened.error());
  return shell->run();
}

}  // namespace

int main(int argc, char** argv) {
  std::set_terminate([] { hcrc::panic("an exception that nobody expected"); });
  hcrc::hold_signals();  // until the loop can take them: a stop at any moment is a stop
  // Descriptors 0 to 2 must be something, or the first socket becomes our stderr.
  hcrc::secure_standard_descriptors();
  const auto options = hcrc::parse_options(std::span(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0),
                                           [](const char* name) -> const char* { return std::getenv(name); });
  if (!options) return fail(usage_error, options.error());
  switch (options->action) {
    case hcrc::InitOptions::Action::help: fmt::print("{}", hcrc::init_usage()); return 0;
    case hcrc::InitOptions::Action::version: fmt::print("hcrc-init {}\n", HCRC_VERSION); return 0;
    case hcrc::InitOptions::Action::run: break;
  }
  return run(*options, hcrc::RuntimeFacts::capture());
}

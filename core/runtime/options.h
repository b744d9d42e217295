// What hcrc-init is told: flags, and the variables that go before them (a container's user can set those only).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/console.h"
#include "core/service.h"
#include "core/time.h"

namespace hcrc {

struct InitOptions {
  enum class Action : std::uint8_t { run, help, version };
  Action action = Action::run;
  std::string db = "/etc/hcrc/node.db";
  std::string run_dir;                        // empty: the usual places
  std::optional<std::string> target;          // "none" is empty
  std::optional<Milliseconds> stop_deadline;  // else the database's, else the default
  std::optional<Exhausted> on_exhausted;
  Milliseconds command_wait{10'000};
  std::optional<std::uint64_t> seed;
  int notify_fd = -1;
  Verbosity verbosity = Verbosity::normal;
  std::vector<char*> command;  // CMD, NULL-terminated for exec; empty where there is none
};

// `variable` answers the value of a variable, or null. An error is a sentence: what is wrong, and what to do.
[[nodiscard]] std::expected<InitOptions, std::string> parse_options(std::span<char*> arguments,
                                                                    const char* (*variable)(const char* name));

std::string_view init_usage();

}  // namespace hcrc

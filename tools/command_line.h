// The command line of `hcrc` as a value. The only file of the client that knows CLI11.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/control_protocol.h"

namespace hcrc {

struct Command {
  Verb verb = Verb::status;
  std::string request;  // the line of the protocol that it stands for
  std::string run_dir;  // --run-dir; empty where it is not given
  bool json = false;    // status
  bool watch = false;   // status
  std::optional<std::chrono::milliseconds> timeout;
};

// `simulate`, which asks no runtime.
struct SimulateCommand {
  std::string database;
  std::vector<std::string> faults;  // the --fail words as they are
  std::optional<std::chrono::milliseconds> until;
  std::optional<std::uint64_t> seed;
  std::optional<std::uint32_t> runs;
  bool json = false;
  std::string svg;  // a path; empty: no picture
};

// Nothing to ask a runtime for: help, the version, or a mistake.
struct Finished {
  std::uint8_t code = 0;
  std::string text;  // for stdout where code is 0; else a sentence for `hcrc: sentence`
};

std::variant<Command, SimulateCommand, Finished> parse_command_line(int argc, const char* const* argv);

}  // namespace hcrc

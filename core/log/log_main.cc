// hcrc-log: options, then the tee.
#include <fmt/format.h>
#include <getopt.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/log/tee.h"
#include "core/units.h"

namespace {

constexpr int usage_error = 100;
constexpr int system_failure = 111;

constexpr std::string_view usage = R"(Usage: hcrc-log [OPTION...]

Copies lines from stdin, or from the named streams of LISTEN_FDS and LISTEN_FDNAMES, to the console and to a file.

  --file PATH           append to this file; it is opened through no link
  --size SIZE           rotate before it would grow beyond this, as 16M (never)
  --age TIME            rotate when its first line is so old, as 24h (never)
  --keep N              rotated files to keep: PATH.1 (newest) to PATH.N (7)
  --tee                 to the console as well as to the file
  --timestamp iso|none  before each line (iso)
  --format text|json    (text)
  --prefix TEXT         before each line
  --help, --version

SIGHUP opens the file anew, and so does finding that its path names another one; SIGUSR1 rotates now; SIGTERM writes what is
there and ends. Neither sink waits for the other: what one cannot take is dropped in whole lines, and counted.
)";

[[noreturn]] void fail(std::string_view what) {
  fmt::print(stderr, "hcrc-log: {}\n", what);
  std::exit(usage_error);
}

hcrc::log::TeeSettings parse(int argc, char** argv) {
  enum Option { file = 256, size, age, keep, tee, timestamp, format, prefix, help, version };
  const option known[] = {{"file", required_argument, nullptr, file},
                          {"size", required_argument, nullptr, size},
                          {"age", required_argument, nullptr, age},
                          {"keep", required_argument, nullptr, keep},
                          {"tee", no_argument, nullptr, tee},
                          {"timestamp", required_argument, nullptr, timestamp},
                          {"format", required_argument, nullptr, format},
                          {"prefix", required_argument, nullptr, prefix},
                          {"help", no_argument, nullptr, help},
                          {"version", no_argument, nullptr, version},
                          {nullptr, 0, nullptr, 0}};
  hcrc::log::TeeSettings settings;
  hcrc::log::FileSettings file_settings;
  bool needs_file = false;
  opterr = 0;
  for (int found = 0; (found = getopt_long(argc, argv, ":", known, nullptr)) != -1;) {
    const std::string_view value = optarg == nullptr ? std::string_view() : std::string_view(optarg);
    switch (found) {
      case file:
        if (value.empty() || value.ends_with('/')) fail(fmt::format("--file is \"{}\": give the path of a file", value));
        file_settings.path = value;
        break;
      case size: {
        const auto parsed = hcrc::parse_size(value);
        if (!parsed) fail(fmt::format("--size is \"{}\": {}", value, hcrc::advice_for_size(parsed.error())));
        if (*parsed == 0) fail("--size is 0: give at least 1B, or leave it out");
        file_settings.size = *parsed;
        needs_file = true;
        break;
      }
      case age: {
        const auto parsed = hcrc::parse_duration(value);
        if (!parsed) fail(fmt::format("--age is \"{}\": {}", value, hcrc::advice_for_duration(parsed.error())));
        if (parsed->count() == 0) fail("--age is 0: give at least 1ms, or leave it out");
        file_settings.age = *parsed;
        needs_file = true;
        break;
      }
      case keep: {
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), file_settings.keep);
        if (error != std::errc() || end != value.data() + value.size() || file_settings.keep > 10'000) {
          fail(fmt::format("--keep is \"{}\": give a number from 0 to 10000", value));
        }
        needs_file = true;
        break;
      }
      case tee: settings.tee = true; break;
      case timestamp:
        if (value != "iso" && value != "none") fail(fmt::format("--timestamp is \"{}\": give iso or none", value));
        settings.timestamp = value == "iso" ? hcrc::log::Timestamp::iso : hcrc::log::Timestamp::none;
        break;
      case format:
        if (value != "text" && value != "json") fail(fmt::format("--format is \"{}\": give text or json", value));
        settings.form = value == "json" ? hcrc::log::Form::json : hcrc::log::Form::text;
        break;
      case prefix: settings.prefix = value; break;
      case help: fmt::print("{}", usage); std::exit(0);
      case version: fmt::print("hcrc-log {}\n", HCRC_VERSION); std::exit(0);
      case ':': fail(fmt::format("{} needs a value: see --help", argv[optind - 1]));
      default: fail(fmt::format("unknown option {}: see --help", argv[optind - 1]));
    }
  }
  if (optind < argc) fail(fmt::format("unexpected word {}: see --help", argv[optind]));
  if (needs_file && file_settings.path.empty()) fail("--size, --age and --keep are about a file: give --file PATH, too");
  if (!file_settings.path.empty()) settings.file = file_settings;
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  const hcrc::log::TeeSettings settings = parse(argc, argv);
  const int error =
      hcrc::log::run_tee(settings, hcrc::log::handed_over_streams(std::getenv("LISTEN_FDS"), std::getenv("LISTEN_FDNAMES")));
  if (error == 0) return 0;
  fmt::print(stderr, "hcrc-log: cannot wait for its streams: {}\n", std::strerror(error));
  return system_failure;
}

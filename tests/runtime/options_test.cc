#include "core/runtime/options.h"

#include <map>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace hcrc {
namespace {

std::map<std::string, std::string>& variables() {
  static std::map<std::string, std::string> set;
  return set;
}

std::expected<InitOptions, std::string> parse(std::vector<std::string> words,
                                              std::map<std::string, std::string> environment = {}) {
  variables() = std::move(environment);
  static std::vector<std::string> kept;  // options point into the words
  kept = std::move(words);
  std::vector<char*> arguments;
  for (std::string& word : kept) arguments.push_back(word.data());
  return parse_options(arguments, [](const char* name) -> const char* {
    const auto found = variables().find(name);
    return found == variables().end() ? nullptr : found->second.c_str();
  });
}

TEST_CASE("nothing said: the defaults") {
  const auto options = parse({});
  REQUIRE(options);
  CHECK(options->db == "/etc/hcrc/node.db");
  CHECK(options->command.empty());
  CHECK_FALSE(options->target);
  CHECK(options->command_wait == std::chrono::seconds(10));
}

TEST_CASE("flags take their value as a word of their own or behind =") {
  const auto options = parse({"--db", "/x.db", "--stop-deadline=3s", "--target", "web", "--notify-fd=5", "-v"});
  REQUIRE(options);
  CHECK(options->db == "/x.db");
  CHECK(options->stop_deadline == std::chrono::seconds(3));
  CHECK(options->target == "web");
  CHECK(options->notify_fd == 5);
  CHECK(options->verbosity == Verbosity::verbose);
}

TEST_CASE("a variable goes before its flag, an empty one counts as unset") {
  const auto options = parse({"--db", "/flag.db", "--target", "web"}, {{"HCRC_DB", "/variable.db"}, {"HCRC_TARGET", ""}});
  REQUIRE(options);
  CHECK(options->db == "/variable.db");
  CHECK(options->target == "web");
}

TEST_CASE("the first word that is no option begins CMD, whose words are taken as they are") {
  const auto options = parse({"-q", "sh", "-c", "--db"});
  REQUIRE(options);
  REQUIRE(options->command.size() == 4);
  CHECK(std::string(options->command[0]) == "sh");
  CHECK(std::string(options->command[2]) == "--db");
  CHECK(options->command[3] == nullptr);
  const auto behind_dashes = parse({"--", "--odd", "x"});
  REQUIRE(behind_dashes);
  REQUIRE(behind_dashes->command.size() == 3);
  CHECK(std::string(behind_dashes->command[0]) == "--odd");
}

TEST_CASE("what is wrong is told with what to do") {
  CHECK(parse({"--nonsense"}).error() ==
        "unknown option --nonsense: see --help; a command that begins with - goes behind --");
  CHECK(parse({"--db"}).error() == "--db needs a value: see --help");
  CHECK(parse({"--stop-deadline", "9"}).error() == "--stop-deadline is \"9\": give a duration such as 250ms, 9s or 1m30s");
  CHECK(parse({"--run-dir", "here"}).error() == "--run-dir is \"here\": give an absolute path");
  CHECK(parse({"--notify-fd", "2"}).error() == "--notify-fd is \"2\": give a descriptor from 3 up");
  CHECK(parse({}, {{"HCRC_ON_EXHAUSTED", "die"}}).error() == "HCRC_ON_EXHAUSTED is \"die\": give fail, hold or shutdown");
  CHECK(parse({}, {{"HCRC_VERBOSITY", "loud"}}).error() == "HCRC_VERBOSITY is \"loud\": give quiet, normal or verbose");
  CHECK(parse({}, {{"HCRC_SEED", "x"}}).error() == "HCRC_SEED is \"x\": give a whole number");
}

TEST_CASE("help and version come before what else is said") {
  CHECK(parse({"--help", "--nonsense"})->action == InitOptions::Action::help);
  CHECK(parse({"--version"})->action == InitOptions::Action::version);
}

}  // namespace
}  // namespace hcrc

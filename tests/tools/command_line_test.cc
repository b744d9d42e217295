#include "tools/command_line.h"

#include <filesystem>
#include <string>
#include <vector>

#include "tests/catch.h"

using namespace hcrc;
using namespace std::chrono_literals;

namespace {

std::variant<Command, SimulateCommand, Finished> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "hcrc");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

Command command(std::vector<const char*> words) {
  auto parsed = parse(std::move(words));
  REQUIRE(std::holds_alternative<Command>(parsed));
  return std::get<Command>(std::move(parsed));
}

Finished finished(std::vector<const char*> words) {
  auto parsed = parse(std::move(words));
  REQUIRE(std::holds_alternative<Finished>(parsed));
  return std::get<Finished>(std::move(parsed));
}

}  // namespace

TEST_CASE("Each verb becomes its request") {
  CHECK(command({"status"}).request == "status");
  CHECK(command({"status", "a", "--json"}).request == "status a");
  CHECK(command({"status", "--json"}).json);
  CHECK(command({"status", "--watch"}).watch);
  CHECK(command({"list"}).request == "list");
  CHECK(command({"why", "holochain"}).request == "why holochain");
  CHECK(command({"start", "a", "b"}).request == "start a b");
  CHECK(command({"stop", "--no-wait", "a"}).request == "stop a --no-wait");
  CHECK(command({"restart", "a", "--timeout", "1m30s"}).timeout == 90s);
  CHECK(command({"signal", "a", "HUP"}).request == "signal a HUP");
  CHECK(command({"wait", "--up"}).request == "wait --up");
  CHECK(command({"wait", "a", "--down", "--timeout", "250ms"}).request == "wait a --down");
  CHECK(command({"health"}).verb == Verb::health);
  CHECK(command({"update", "/etc/hcrc/node.db", "--dry-run"}).request == "update /etc/hcrc/node.db --dry-run");
  CHECK(command({"update", "/x", "--timeout", "30s"}).timeout == 30s);
  CHECK(command({"shutdown", "--exit-code", "7"}).request == "shutdown --exit-code 7");
}

TEST_CASE("The runtime reads the database, so its path is sent from the root on") {
  const std::string here = std::filesystem::current_path().string();
  CHECK(command({"update", "new.db"}).request == "update " + here + "/new.db");
}

TEST_CASE("The run dir may stand before and behind the verb") {
  CHECK(command({"--run-dir", "/x", "health"}).run_dir == "/x");
  CHECK(command({"health", "--run-dir", "/x"}).run_dir == "/x");
  CHECK(command({"health"}).run_dir.empty());
}

TEST_CASE("A service may be named like a verb") {
  CHECK(command({"start", "status", "start"}).request == "start status start");
  CHECK(command({"why", "why"}).request == "why why");
}

TEST_CASE("Help and version are no mistakes") {
  CHECK(finished({"--help"}).code == 0);
  CHECK(finished({"--help"}).text.find("Exit codes:") != std::string::npos);
  CHECK(finished({"start", "--help"}).text.find("--no-wait") != std::string::npos);
  CHECK(finished({"--version"}).text.starts_with("hcrc " HCRC_VERSION));
}

TEST_CASE("A mistake exits 100 and says what it is") {
  const auto mistake = [](std::vector<const char*> words) {
    const Finished done = finished(std::move(words));
    CHECK(done.code == 100);
    return done.text;
  };
  CHECK(mistake({}) == "no verb: see hcrc --help");
  CHECK(mistake({"frobnicate"}) == "no verb 'frobnicate': see hcrc --help");
  CHECK(mistake({"start"}) == "NAME is required: see hcrc start --help");
  CHECK(mistake({"why", "a", "b"}) == "The following argument was not expected: b: see hcrc why --help");
  CHECK(mistake({"wait"}) == "wait needs one of --up, --down and --settled: see hcrc wait --help");
  CHECK(mistake({"wait", "--up", "--settled"}) == "wait needs one of --up, --down and --settled: see hcrc wait --help");
  CHECK(mistake({"start", "a", "--timeout", "5"}) == "--timeout 5 is no duration: add a unit: ms, s, m, h or d");
  CHECK(mistake({"start", "a", "--no-wait", "--timeout", "5s"}).starts_with("--"));
  CHECK(mistake({"status", "--json", "--watch"}).starts_with("--"));
  CHECK(mistake({"update", "/a b"}).find("holds blanks") != std::string::npos);
  CHECK(mistake({"update"}).find("DB") != std::string::npos);
  CHECK(mistake({"shutdown", "--exit-code", "256"}).starts_with("--exit-code needs a number from 0 to 255, not '256'"));
  CHECK(mistake({"signal", "a", "FOO"}).starts_with("no signal 'FOO'"));
  const std::string many(20'000, 'x');
  CHECK(mistake({"start", many.c_str()}).starts_with("more names than fit one request"));
}

TEST_CASE("What cannot be a name is the name of no service") {
  for (const auto* name : {"a b", "a\nstop b", "-x"}) {
    const Finished done = finished({"start", "--", name});
    CHECK(done.code == exit_code::no_such_service);
  }
}

TEST_CASE("simulate asks no runtime") {
  const auto parsed =
      parse({"simulate", "x.db", "--fail", "a=hang@1s", "--fail", "b=unready", "--until", "1m", "--seed", "7"});
  REQUIRE(std::holds_alternative<SimulateCommand>(parsed));
  const auto& simulate = std::get<SimulateCommand>(parsed);
  CHECK(simulate.database == "x.db");
  CHECK(simulate.faults == std::vector<std::string>{"a=hang@1s", "b=unready"});
  CHECK(simulate.until == 60s);
  CHECK(simulate.seed == 7u);
  CHECK(!simulate.runs);
  const auto runs = parse({"simulate", "--runs", "10", "--json", "x.db"});
  REQUIRE(std::holds_alternative<SimulateCommand>(runs));
  CHECK(std::get<SimulateCommand>(runs).runs == 10u);
  CHECK(std::get<SimulateCommand>(runs).json);
  // A database behind --fail is none of its words.
  const auto behind = parse({"simulate", "--fail", "a=unready", "x.db"});
  REQUIRE(std::holds_alternative<SimulateCommand>(behind));
  CHECK(std::get<SimulateCommand>(behind).database == "x.db");
}

TEST_CASE("what simulate cannot do is a mistake") {
  const auto mistake = [](std::vector<const char*> words) {
    const Finished done = finished(std::move(words));
    CHECK(done.code == 100);
    return done.text;
  };
  CHECK(mistake({"simulate"}) == "DB is required: see hcrc simulate --help");
  CHECK(mistake({"simulate", "x.db", "--until", "5"}) == "--until 5 is no duration: add a unit: ms, s, m, h or d");
  CHECK(mistake({"simulate", "x.db", "--json", "--svg", "f"}).find("excludes") != std::string::npos);
  CHECK(mistake({"simulate", "x.db", "--runs", "2", "--svg", "f"}).starts_with("--svg draws one history"));
  CHECK(mistake({"simulate", "x.db", "--runs", "0"}).find("see hcrc simulate --help") != std::string::npos);
  CHECK(mistake({"simulate", "x.db", "--runs", "2", "--fail", "a=unready"}).find("excludes") != std::string::npos);
  CHECK(mistake({"simulate", "x.db", "--seed", "-1"}).find("--seed") != std::string::npos);
  CHECK(finished({"simulate", "--help"}).text.find("NAME=signal:SIG@T") != std::string::npos);
}

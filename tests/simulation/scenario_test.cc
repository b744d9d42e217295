// --fail words, what they do to a world, and random faults.
#include "core/simulation/scenario.h"

#include <string>

#include "core/json.h"
#include "core/simulation/runs.h"
#include "core/simulation/timeline.h"
#include "tests/catch.h"
#include "tests/simulation/small_graph.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

// A node that needs its set-up, and a log.
Database node() {
  Graph graph;
  Service& setup = graph.oneshot("setup");
  setup.restart.policy = RestartPolicy::on_failure;
  setup.restart.attempts = RestartRule::unlimited;
  Service& web = graph.notifying("web");
  web.health.kind = HealthKind::tcp;
  web.health.address = web.command.front();
  web.restart.exhausted = Exhausted::hold;
  web.restart.hold = 2min;
  web.essential = true;
  graph.longrun("log");
  graph.longrun("side@a").stop.timeout = 3s;
  Service& all = graph.add("side", ServiceType::bundle);
  all.contents = {3};  // by name: log, setup, side, side@a, web
  graph.edge("web", EdgeKind::requires_, "setup").edge("web", EdgeKind::log_to, "log");
  return graph.database();
}

std::vector<Fault> faults(const Database& database, std::string_view word) {
  auto parsed = parse_fault(word, database);
  REQUIRE(parsed.has_value());
  return *parsed;
}

std::string refusal(const Database& database, std::string_view word,
                    ScenarioError::Kind kind = ScenarioError::Kind::malformed) {
  const auto parsed = parse_fault(word, database);
  REQUIRE(!parsed.has_value());
  CHECK(parsed.error().kind == kind);
  return parsed.error().sentence;
}

Supervisor::Options seeded(std::uint64_t seed) {
  Supervisor::Options options;
  options.seed = seed;
  return options;
}

struct Played {
  Played(const Database& database, const std::vector<std::string_view>& words, Duration until, std::uint64_t seed = 0)
      : timeline(database), world(database, seeded(seed)) {
    world.watch(timeline);
    for (const std::string_view word : words) inflict(world, faults(database, word));
    world.boot();
    world.run_until(until);
    timeline.finish(world.now());
  }
  Timeline timeline;
  World world;
};

TEST_CASE("fault words say who, what and when") {
  const Database database = node();
  const auto one = [&](std::string_view word) { return faults(database, word).at(0); };
  CHECK(one("web=exit:42@1m30s").at == 90s);
  CHECK(one("web=exit:42@1m30s").status.value == 42);
  CHECK(one("web=exit:42@1m30s").status.kind == ExitStatus::Kind::code);
  CHECK(one("web=signal:SIGSEGV@0ms").status.value == 11);
  CHECK(one("web=signal:KILL@1ms").status.kind == ExitStatus::Kind::signal);
  CHECK(one("web=signal:9@1ms").status.value == 9);
  CHECK(one("web=hang@5s").kind == Fault::Kind::hangs);
  CHECK(one("web=unready").kind == Fault::Kind::unready);
  CHECK(one("side@a=hang@5s").slot == *database.find("side@a"));
}

TEST_CASE("a bundle means its contents") {
  Graph graph;
  graph.longrun("a@1");
  graph.longrun("a@2");
  graph.add("a", ServiceType::bundle).contents = {1, 2};
  const Database database = graph.database();
  CHECK(faults(database, "a=hang@1s").size() == 2);
}

TEST_CASE("nonsense is refused with what would be right") {
  const Database database = node();
  CHECK(refusal(database, "web") == "--fail web: use NAME=exit:CODE@T, NAME=signal:SIG@T, NAME=hang@T or NAME=unready");
  for (const std::string_view word :
       {"", "=", "=hang@1s", "web=", "web=@", "web=explode@1s", "web=unready@1s", "web=exit@1s"}) {
    CHECK(refusal(database, word).find("use NAME=exit:CODE@T") != std::string::npos);
  }
  CHECK(refusal(database, "web=hang") == "--fail web=hang: say when, such as @30s");
  CHECK(refusal(database, "web=exit:1@5") == "--fail web=exit:1@5: add a unit: ms, s, m, h or d");
  for (const std::string_view word : {"web=exit:256@1s", "web=exit:@1s", "web=exit:-1@1s", "web=exit:1x@1s"}) {
    CHECK(refusal(database, word).find("0 to 255") != std::string::npos);
  }
  for (const std::string_view word : {"web=signal:FOO@1s", "web=signal:0@1s", "web=signal:65@1s", "web=signal:@1s"}) {
    CHECK(refusal(database, word).find("no signal") != std::string::npos);
  }
  CHECK(refusal(database, "log=unready").find("no [ready]") != std::string::npos);
  CHECK(refusal(database, "nobody=hang@1s", ScenarioError::Kind::no_such_service) == "no service 'nobody' in the database");
}

TEST_CASE("a killed service comes back, one without a process is not harmed") {
  const Database database = node();
  const Played played(database, {"web=signal:KILL@10s", "setup=exit:1@20s"}, 60s);
  CHECK(played.world.told("web: killed by SIGKILL after 9.9s, restart 1 of 5 in 1s"));
  CHECK(played.world.told("fault: no process to end of setup"));
  CHECK(recovered(played.world));
}

TEST_CASE("a hang is found by the health check, ignores the stop signal, and is over with the process") {
  const Database database = node();
  const Played played(database, {"web=hang@10s"}, 2min);
  CHECK(played.world.told("web: health check failed 3 times"));
  CHECK(played.world.told("web: has not ended in time: SIGKILL"));
  CHECK(played.world.spawns("web").size() == 2);
  CHECK(recovered(played.world));
}

TEST_CASE("a hang that nothing checks is no recovery, whatever the state says") {
  const Database database = node();
  const Played played(database, {"log=hang@10s"}, 2min);
  CHECK(played.world.state("log") == State::up);
  const Verdict verdict = judge(played.world);
  CHECK(!verdict.recovered);
  REQUIRE(verdict.problems.size() == 1);
  CHECK(verdict.problems.front().starts_with("log hangs"));
}

TEST_CASE("a watchdog that is not fed finds a hang") {
  Graph graph;
  graph.notifying("web").health.watchdog = 10s;
  const Database database = graph.database();
  const Played calm(database, {}, 5min);
  CHECK(recovered(calm.world));
  CHECK(calm.world.spawns("web").size() == 1);
  const Played played(database, {"web=hang@60s"}, 5min);
  CHECK(played.world.told("web: no watchdog message within 10s"));
  CHECK(recovered(played.world));
}

TEST_CASE("where there is no socket nobody waits for a watchdog's message") {
  Graph graph;
  graph.notifying("web").health.watchdog = 10s;
  const Database database = graph.database();
  World world(database, seeded(0));
  world.without_notify();
  world.behaviour("web").watchdog = false;
  world.boot();
  world.run_until(5min);
  CHECK(world.state("web") == State::up);
  CHECK(world.spawns("web").size() == 1);
}

TEST_CASE("what says that it is stopping is left alone, for as long as a stop may take") {
  Graph graph;
  Service& web = graph.notifying("web");
  web.health.kind = HealthKind::tcp;
  web.health.address = web.command.front();
  web.health.watchdog = 2s;
  web.stop.timeout = 10s;
  web.restart.policy = RestartPolicy::on_failure;
  const Database database = graph.database();
  World world(database, seeded(0));
  Behaviour& behaviour = world.behaviour("web");
  behaviour.says_stopping = 30s;
  SECTION("it ends by itself, and that is an end like any other") {
    behaviour.ends_after = 39s;
    world.boot();
    behaviour.watchdog = behaviour.probes_good = false;
    world.run_until(1h);
    CHECK(world.ends("web").front().time_since_epoch() == 39s);
    CHECK(world.state("web") == State::down);
  }
  SECTION("it does not, and says so again") {
    world.boot();
    world.at(38s, event::Stopping{.slot = world.slot("web"), .run = 1});
    world.run_until(35s);
    CHECK(world.state("web") == State::up);
    world.run_until(41s);
    CHECK(world.told("web: said that it was stopping, and did not end within 10s"));
    CHECK(world.ends("web").front().time_since_epoch() == 40s + 2ms);
    CHECK(world.spawns("web").size() == 1);
    world.run_until(60s);
    CHECK(world.state("web") == State::up);
  }
  CHECK(world.broken().empty());
}

TEST_CASE("more time to end is given to what asks for it, but no more than a shutdown has") {
  Graph graph;
  graph.longrun("web").stop.timeout = 2s;
  const Database database = graph.database();
  World world(database, seeded(0));
  world.behaviour("web").stops_after = 5s;
  SECTION("to an operator's stop") {
    world.behaviour("web").extends_stop = 10s;
    world.boot();
    world.at(10s, event::Stop{.slot = world.slot("web")});
    world.run_until(1min);
    CHECK(world.ends("web").front().time_since_epoch() == 15s);
    CHECK_FALSE(world.told("SIGKILL"));
  }
  SECTION("to who has said that it ends by itself") {
    world.behaviour("web").says_stopping = 10s;
    world.behaviour("web").extends = 20s;
    world.behaviour("web").ends_after = 25s;
    world.boot();
    world.at(11s, event::ExtendTimeout{.slot = world.slot("web"), .run = 1, .by = 20s});
    world.run_until(26s);
    CHECK(world.ends("web").front().time_since_epoch() == 25s);
    CHECK_FALSE(world.told("did not end within"));
  }
  SECTION("not beyond a shutdown's reserve") {
    world.behaviour("web").stops_after.reset();
    world.behaviour("web").extends_stop = 1h;
    world.boot();
    world.at(10s, event::Shutdown{.signal = 15, .code = 0});
    world.run_until(1min);
    CHECK(world.exited() == 0);
    CHECK(world.ends("web").front().time_since_epoch() > 12s);
    CHECK(world.exited_at().time_since_epoch() <= 19s);
  }
  CHECK(world.broken().empty());
}

TEST_CASE("what is never ready is tried, and its dependents wait") {
  const Database database = node();
  const Played played(database, {"setup=unready"}, 2min);
  CHECK(played.world.state("setup") == State::starting);
  CHECK(played.world.state("web") == State::waiting);
  const Verdict verdict = judge(played.world);
  CHECK(verdict.problems.size() == 2);
  const Played web(database, {"web=unready"}, 2min);
  CHECK(web.world.told("web: not ready within 1m"));
}

TEST_CASE("a stop command ends what it is for, unless that hangs") {
  Graph graph;
  Service& web = graph.longrun("web");
  web.stop.command = web.command;
  const Database database = graph.database();
  World world(database, {});
  world.boot();
  world.at(1s, event::Stop{.slot = 0});
  world.run_until(60s);
  CHECK(world.ends("web").back() < Instant(1100ms));
  World hung(database, {});
  hung.boot();
  hung.hang(1s, 0);
  hung.at(2s, event::Stop{.slot = 0});
  hung.run_until(60s);
  CHECK(hung.ends("web").back() == Instant(12s));
  CHECK(hung.broken().empty());
}

TEST_CASE("the same seed gives the same delays") {
  Graph graph;
  graph.longrun("web").restart.jitter_milli = 500;
  const Database database = graph.database();
  const auto lines = [&](std::uint64_t seed) {
    return Played(database, {"web=exit:1@1s", "web=exit:1@5s", "web=exit:1@12s"}, 60s, seed).world.trace();
  };
  CHECK(lines(1) == lines(1));
  CHECK(lines(1) != lines(2));
}

TEST_CASE("random faults are the same for the same seed, and hang only what is checked") {
  const Database database = node();
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<Fault> some = random_faults(database, seed, 10min);
    const std::vector<Fault> again = random_faults(database, seed, 10min);
    REQUIRE(some.size() == again.size());
    CHECK(!some.empty());
    for (std::size_t i = 0; i < some.size(); ++i) {
      CHECK(some[i].at == again[i].at);
      CHECK(some[i].slot == again[i].slot);
      if (some[i].kind == Fault::Kind::hangs) CHECK(checked(database.service(some[i].slot)));
    }
  }
}

TEST_CASE("many histories: the worst downtime is a hold, its seed shows it again, and no promise is broken") {
  const Database database = node();
  Supervisor::Options options;
  options.seed = 1;
  const Summary summary = live_many(database, options, 300);
  CHECK(summary.broken.empty());
  const Slot web = *database.find("web");
  const Outage& worst = summary.worst[web];
  CHECK(!worst.for_good);
  CHECK(worst.longest >= 2min);
  Timeline timeline(database);
  options.seed = worst.seed;
  const History history = live(database, options, timeline);
  CHECK(history.outages[web].longest == worst.longest);
  // The path of the slowest shutdown adds up to it, as far as processes were waited for.
  REQUIRE(!summary.path.empty());
  Duration sum{0};
  for (const StopStep& step : summary.path) sum += step.took;
  CHECK(sum <= summary.slowest_shutdown);
  CHECK(sum >= summary.slowest_shutdown - 20ms);
  CHECK(summary.slowest_shutdown <= 9s);
  const std::string text = as_text(summary, database, "hcrc simulate x --runs 1 --seed");
  CHECK(text.find("300 histories, seeds 1 to 300") == 0);
  CHECK(text.find("of what nothing checks ([health], watchdog, timeout): log, setup, side@a") != std::string::npos);
  CHECK(JsonValue::parse(as_json(summary, database)).has_value());
}

TEST_CASE("definitions say how long a recovery may take") {
  Graph graph;
  graph.longrun("a");
  CHECK(time_to_recover(graph.database()) == 10min);
  Graph slow;
  slow.notifying("a").ready.timeout = 1h;
  CHECK(time_to_recover(slow.database()) > 1h);
  Graph for_ever;
  for_ever.notifying("a").ready.timeout = Milliseconds(bounds::duration_ms);
  CHECK(time_to_recover(for_ever.database()) == 24h);
}

}  // namespace
}  // namespace hcrc::simulation

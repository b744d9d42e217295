// The rules of the supervisor one by one, in a world under virtual time.
#include <string>

#include "core/simulation/world.h"
#include "tests/catch.h"
#include "tests/simulation/small_graph.h"
#include "tests/simulation/unbroken.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

ExitStatus code(std::uint8_t value) {
  return {.kind = ExitStatus::Kind::code, .value = value, .out_of_memory = false, .memory_limit = 0};
}
ExitStatus signal(std::uint8_t value) {
  return {.kind = ExitStatus::Kind::signal, .value = value, .out_of_memory = false, .memory_limit = 0};
}

Duration gap(const World& world, std::string_view service, std::size_t n) {
  return world.spawns(service)[n] - world.ends(service)[n - 1];
}

TEST_CASE("requirements start first, and in parallel where nothing orders them") {
  Graph graph;
  graph.oneshot("setup");
  graph.notifying("node");
  graph.longrun("other");
  graph.edge("node", EdgeKind::requires_, "setup");
  const Database database = graph.database();
  World world(database, {});
  world.boot();
  world.run_until(1s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("setup") == State::up);
  REQUIRE(world.state("node") == State::up);
  REQUIRE(world.spawns("other").front() == Instant{});
  REQUIRE(world.spawns("node").front() == world.ends("setup").front());
  REQUIRE(world.told("settled"));
  REQUIRE(world.supervisor().unhealthy() == 0);
}

TEST_CASE("a shutdown stops in reverse, loggers last") {
  Graph graph;
  graph.oneshot("setup");
  graph.notifying("node");
  graph.longrun("log");
  graph.edge("node", EdgeKind::requires_, "setup").edge("node", EdgeKind::log_to, "log");
  const Database database = graph.database();
  World world(database, {});
  world.boot();
  world.at(1s, event::Shutdown{.signal = 15, .code = 0});
  world.run_until(20s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.exited() == std::uint8_t{0});
  REQUIRE(world.ends("node").back() < world.ends("log").back());
  REQUIRE(world.ends("log").back() < Instant(1100ms));
}

TEST_CASE("restarts back off, count, and end in held") {
  Graph graph;
  Service& node = graph.longrun("node");
  node.restart = {.policy = RestartPolicy::always,
                  .attempts = 5,
                  .delay = 250ms,
                  .factor_milli = 2000,
                  .max_delay = 4000ms,
                  .jitter_milli = 0,
                  .reset_after = 60s,
                  .success_codes = ExitCodes(1),
                  .permanent_codes = {},
                  .exhausted = Exhausted::hold,
                  .hold = 120s};
  node.essential = true;
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("node").ends_after = 100ms;
  world.behaviour("node").end = signal(9);
  world.boot();
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("node") == State::held);
  REQUIRE(world.spawns("node").size() == 6);
  REQUIRE(gap(world, "node", 1) == 250ms);
  REQUIRE(gap(world, "node", 2) == 500ms);
  REQUIRE(gap(world, "node", 3) == 1s);
  REQUIRE(gap(world, "node", 4) == 2s);
  REQUIRE(gap(world, "node", 5) == 4s);
  REQUIRE(world.supervisor().unhealthy() == 1);
  REQUIRE(world.supervisor().unsettled() == 0);
  world.run_until(400s);
  REQUIRE(gap(world, "node", 6) == 120s);
  REQUIRE(world.told("killed by SIGKILL after 100ms, all 5 restarts are used up: held, next try in 2m"));
}

TEST_CASE("HCRC_ON_EXHAUSTED=shutdown stops the node with the service's code") {
  Graph graph;
  Service& node = graph.longrun("node");
  node.essential = true;
  node.restart.attempts = 1;
  node.restart.exhausted = Exhausted::hold;
  const Database database = graph.database();
  Supervisor::Options options;
  options.essential_exhausted = Exhausted::shutdown;
  World world(database, options);
  world.behaviour("node").ends_after = 100ms;
  world.behaviour("node").end = signal(9);
  world.boot();
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.exited() == std::uint8_t{137});
  REQUIRE(world.spawns("node").size() == 2);
}

TEST_CASE("a permanent code is never retried and an essential service's code is the node's") {
  Graph graph;
  Service& node = graph.longrun("node");
  node.essential = true;
  node.restart.permanent_codes.set(42);
  graph.longrun("other");
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("node").ends_after = 100ms;
  world.behaviour("node").end = code(42);
  world.boot();
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.exited() == std::uint8_t{42});
  REQUIRE(world.spawns("node").size() == 1);
}

TEST_CASE("a failed requirement of an essential service stops the node with 102") {
  Graph graph;
  Service& setup = graph.oneshot("setup");
  setup.restart.policy = RestartPolicy::on_failure;
  setup.restart.attempts = 2;
  graph.longrun("node").essential = true;
  graph.longrun("log");
  graph.edge("node", EdgeKind::requires_, "setup").edge("node", EdgeKind::log_to, "log");
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("setup").end = code(1);
  world.boot();
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.spawns("setup").size() == 3);
  REQUIRE(world.spawns("node").empty());
  REQUIRE(world.exited() == std::uint8_t{102});
  REQUIRE(world.told("node: cannot start: it requires setup, which failed"));
}

TEST_CASE(
    "the first essential service that ends for good gives the node's code, whatever another's cleanup still waits for") {
  Graph graph;
  for (const char* name : {"slow", "quick"}) {
    Service& service = graph.longrun(name);
    service.essential = true;
    service.restart.policy = RestartPolicy::never;
  }
  graph.service("slow").cleanup = graph.service("slow").command;
  const Database database = graph.database();
  World world(database, {});
  world.boot();
  Behaviour hangs;
  hangs.commands = Behaviour::Command::hangs;
  world.change(10s, world.slot("slow"), hangs);
  world.crash(20s, world.slot("slow"), code(3));
  world.crash(20s + 500ms, world.slot("quick"), code(4));
  world.run_until(1min);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.exited() == std::uint8_t{4});
}

TEST_CASE("with nothing essential a node with a failed requirement stays") {
  Graph graph;
  graph.oneshot("setup");
  graph.longrun("node");
  graph.edge("node", EdgeKind::requires_, "setup");
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("setup").end = code(1);
  world.boot();
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE_FALSE(world.exited());
  REQUIRE(world.state("setup") == State::failed);
  REQUIRE(world.state("node") == State::waiting);
  REQUIRE(world.supervisor().unsettled() == 0);
  // A start forgives the failed requirement.
  world.behaviour("setup").end = code(0);
  world.at(61s, event::Start{.slot = world.slot("node")});
  world.run_until(62s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("node") == State::up);
}

TEST_CASE("a restarting requirement does not pull its dependents down, a stopped one does") {
  Graph graph;
  graph.longrun("base");
  graph.longrun("user");
  graph.edge("user", EdgeKind::requires_, "base");
  const Database database = graph.database();
  World world(database, {});
  world.boot();
  world.crash(1s, world.slot("base"), signal(11));
  world.run_until(1500ms);
  REQUIRE(world.state("base") == State::backoff);
  REQUIRE(world.state("user") == State::up);
  world.run_until(3s);
  REQUIRE(world.state("base") == State::up);
  world.at(4s, event::Stop{.slot = world.slot("base")});
  world.run_until(5s);
  REQUIRE(world.state("base") == State::down);
  REQUIRE(world.state("user") == State::waiting);
  REQUIRE(world.ends("user").back() < world.ends("base").back());
  world.at(6s, event::Start{.slot = world.slot("base")});
  world.run_until(7s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("user") == State::up);
}

TEST_CASE("bound services go down with what they are bound to, which waits for them") {
  Graph graph;
  graph.longrun("base");
  graph.longrun("user");
  graph.edge("user", EdgeKind::binds_to, "base");
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("user").stops_after = 3s;
  world.boot();
  world.crash(1s, world.slot("base"), signal(11));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("user") == State::up);
  REQUIRE(world.spawns("base").back() >= world.ends("user").back());
  REQUIRE(world.supervisor().unit(world.slot("user")).restarts == 0);
}

TEST_CASE("wants and after wait for the first attempt only") {
  Graph graph;
  graph.longrun("a");
  graph.longrun("b");
  graph.edge("b", EdgeKind::wants, "a");
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("a").start = Behaviour::Start::fails;
  world.boot();
  world.run_until(10ms);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("a") == State::backoff);
  REQUIRE(world.state("b") == State::up);
}

TEST_CASE("a service that does not become ready is ended, and that counts") {
  Graph graph;
  Service& node = graph.notifying("node");
  node.ready.timeout = 2s;
  node.restart.attempts = 1;
  graph.longrun("user");
  graph.edge("user", EdgeKind::after, "node");
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("node").ready_after.reset();
  world.behaviour("node").stops_after.reset();
  world.boot();
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("node") == State::failed);
  REQUIRE(world.spawns("node").size() == 2);
  REQUIRE(world.ends("node").front() == Instant(12s));  // 2 s to be ready, 10 s to end
  REQUIRE(world.state("user") == State::up);
}

TEST_CASE("health that fails so often in a row is a failure") {
  Graph graph;
  Service& node = graph.notifying("node");
  node.health.kind = HealthKind::http;
  node.health.address = Template{{{.text = "127.0.0.1:4444", .fallback = {}}}};
  const Database database = graph.database();
  World world(database, {});
  world.boot();
  world.run_until(25s);
  REQUIRE(world.spawns("node").size() == 1);
  world.behaviour("node").probe_answers_after.reset();
  world.run_until(80s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.spawns("node").size() == 2);
  REQUIRE(world.told("health check failed 3 times (no answer in time)"));
}

TEST_CASE("the count is cleared by ready time alone, and to the millisecond") {
  for (const bool enough : {false, true}) {
    Graph graph;
    Service& node = graph.notifying("node");
    node.restart.attempts = 1;
    node.restart.reset_after = 10s;
    const Database database = graph.database();
    World world(database, {});
    world.behaviour("node").ready_after = 5s;
    world.behaviour("node").ends_after = enough ? 15s : 15s - 1ms;
    world.behaviour("node").end = code(1);
    world.boot();
    world.run_until(120s);
    REQUIRE_UNBROKEN(world);
    REQUIRE((world.state("node") == State::failed) != enough);
  }
}

TEST_CASE("lack of a resource is not the service's failure") {
  Graph graph;
  graph.longrun("node").restart.attempts = 0;
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("node").start = Behaviour::Start::no_resource;
  world.behaviour("node").bad_starts = 3;
  world.boot();
  world.run_until(699ms);
  REQUIRE(world.state("node") == State::backoff);
  world.run_until(701ms);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("node") == State::up);
  REQUIRE(world.supervisor().restarts(world.slot("node"), Instant(701ms)) == 0);
}

TEST_CASE("a busy lock is waited for, counts nothing, and settles") {
  Graph graph;
  graph.longrun("node").lock = Template{{{.text = "/data/lock", .fallback = {}}}};
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("node").start = Behaviour::Start::lock_busy;
  world.behaviour("node").bad_starts = 1;
  world.behaviour("node").lock_for = 100s;
  world.boot();
  world.run_until(50s);
  REQUIRE(world.state("node") == State::waiting);
  REQUIRE(world.supervisor().unsettled() == 0);
  REQUIRE(world.told("waiting for its lock, held by elsewhere, pid 7"));
  REQUIRE(world.told("still waiting after 10s: node"));
  world.run_until(101s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("node") == State::up);
  REQUIRE(world.supervisor().unit(world.slot("node")).restarts == 0);
}

TEST_CASE("what a crash leaves behind is gone before the next start") {
  Graph graph;
  graph.longrun("node").restart.delay = 0ms;
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("node").leaves_behind = 100s;
  world.boot();
  world.crash(1s, world.slot("node"), signal(11));
  world.run_until(2s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("node") == State::up);
  REQUIRE(world.told("left processes behind: SIGKILL"));
}

TEST_CASE("stop pre-empts backoff, held and waiting") {
  Graph graph;
  graph.longrun("node");
  const Database database = graph.database();
  World world(database, {});
  world.boot();
  world.crash(1s, 0, signal(11));
  world.at(1500ms, event::Stop{.slot = 0});
  world.run_until(100s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("node") == State::down);
  REQUIRE(world.spawns("node").size() == 1);
  world.at(101s, event::Start{.slot = 0});
  world.at(101s, event::Stop{.slot = 0});
  world.run_until(110s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("node") == State::down);
}

TEST_CASE("a periodic runs on its schedule and is never doubled") {
  Graph graph;
  Service& rotate = graph.periodic("rotate");
  rotate.schedule = {.every = 10s, .at_start = true, .jitter = 0ms};
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("rotate").end = code(1);
  world.boot();
  world.run_until(25s);
  REQUIRE(world.spawns("rotate") == std::vector<Instant>{Instant(0s), Instant(10s), Instant(20s)});
  REQUIRE(world.state("rotate") == State::up);
  REQUIRE(world.told("rotate: exited with 1 after 3ms, the schedule goes on"));
  world.behaviour("rotate").ends_after = 15s;
  world.run_until(55s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.spawns("rotate").size() == 5);  // at 30 s, then not at 40 s, but at 50 s
}

TEST_CASE("CMD starts when all is settled, is essential, and goes first") {
  Graph graph;
  graph.notifying("node");
  const Database database = graph.database();
  Supervisor::Options options;
  options.command = true;
  World world(database, options);
  const Slot cmd = world.supervisor().command_slot();
  world.behaviour("node").ready_after = 2s;
  world.behaviour(cmd).ends_after = 1s;
  world.behaviour(cmd).end = code(7);
  world.boot();
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.told("stopping: the command has ended"));
  REQUIRE(world.exited() == std::uint8_t{7});
}

TEST_CASE("a conductor that refuses to stop is killed before the deadline") {
  Graph graph;
  Service& node = graph.longrun("node");
  node.stop.timeout = 5s;
  node.stop.timeout_written = true;
  graph.longrun("log");
  graph.edge("node", EdgeKind::log_to, "log");
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("node").stops_after.reset();
  world.boot();
  world.at(1s, event::Shutdown{.signal = 15, .code = 0});
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.exited() == std::uint8_t{0});
  REQUIRE(world.ends("node").back() == Instant(6s));
}

TEST_CASE("a dead logger is replaced by a copier and comes back") {
  Graph graph;
  graph.longrun("node");
  Service& log = graph.longrun("log");
  log.restart.delay = 8s;
  log.restart.attempts = RestartRule::unlimited;
  graph.edge("node", EdgeKind::log_to, "log");
  const Database database = graph.database();
  World world(database, {});
  world.boot();
  world.crash(1s, world.slot("log"), signal(9));
  world.run_until(20s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.told("log: is down: its producers' output goes to the console"));
  REQUIRE(world.state("log") == State::up);
  REQUIRE(world.spawns("node").size() == 1);
}

}  // namespace
}  // namespace hcrc::simulation

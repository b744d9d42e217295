// Updates that fall into the middle of something, under virtual time.
#include <memory>
#include <string>

#include "core/simulation/world.h"
#include "tests/catch.h"
#include "tests/simulation/small_graph.h"
#include "tests/simulation/unbroken.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

using Shared = std::shared_ptr<const Database>;

Shared shared(const Graph& graph) { return std::make_shared<const Database>(graph.database()); }

constexpr ExitStatus killed{.kind = ExitStatus::Kind::signal, .value = 9, .out_of_memory = false, .memory_limit = 0};

Template word(std::string text) { return Template{{{.text = std::move(text), .fallback = {}}}}; }

TEST_CASE("an operator's start or restart of what an update has removed, told by its slot, does nothing", "[update]") {
  Graph before;
  before.longrun("gone");
  before.longrun("stays");
  Graph after;
  after.longrun("stays");
  for (const bool restart : {false, true}) {
    const Shared first = shared(before);
    World world(*first, {});
    world.behaviour("gone").stops_after = 3s;
    world.boot();
    const Slot slot = world.slot("gone");
    world.update(1s, shared(after));
    if (restart) {
      world.at(2s, event::Restart{.slot = slot});
    } else {
      world.at(2s, event::Start{.slot = slot});
    }
    world.run_until(20s);
    REQUIRE_UNBROKEN(world);
    REQUIRE(world.supervisor().unit(slot).vacant);
  }
}

TEST_CASE("an update brings a stop deadline of its own", "[update]") {
  Graph graph;
  graph.longrun("node").stop.timeout = 60s;
  const Shared database = shared(graph);
  Supervisor supervisor(database, {});
  const auto drain = [&supervisor](Instant now) {
    while (const auto effect = supervisor.next(now)) {
      if (const auto* spawn = std::get_if<effect::Spawn>(&*effect)) {
        supervisor.handle(event::Spawned{.slot = spawn->slot, .run = spawn->run, .role = spawn->role, .pid = 7}, now);
      }
    }
  };
  supervisor.boot(Instant{});
  drain(Instant{});
  REQUIRE(supervisor.update({.database = database, .env_skipped = {}, .stop_deadline = Milliseconds(4'000)}, Instant(1s)));
  drain(Instant(1s));
  supervisor.handle(event::Shutdown{.signal = 15, .code = 0}, Instant(2s));
  drain(Instant(2s));
  // The reserve is a quarter of it: what is left gets SIGKILL before that.
  REQUIRE(supervisor.deadline() == Instant(5s));
}

TEST_CASE("a schedule that changes while a run has fallen due: it runs once when it can", "[update]") {
  Graph before;
  before.longrun("base").restart.delay = 30s;
  before.service("base").restart.max_delay = 60s;
  before.periodic("job").schedule = {.every = 10s, .at_start = true, .jitter = 0ms};
  before.edge("job", EdgeKind::requires_, "base");
  Graph after = before;
  after.service("job").schedule.every = 20s;
  const Shared first = shared(before);
  World world(*first, {});
  world.boot();
  world.crash(5s, world.slot("base"), killed);
  world.update(15s, shared(after));
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.spawns("job") == std::vector<Instant>{Instant(1ms), Instant(35001ms), Instant(55001ms)});
}

TEST_CASE("a shorter longest delay does not shorten the wait for a resource", "[update]") {
  Graph before;
  Service& node = before.longrun("node");
  node.restart.delay = 40s;
  node.restart.max_delay = 60s;
  Graph after = before;
  after.service("node").restart.delay = 1s;
  after.service("node").restart.max_delay = 1s;
  const Shared first = shared(before);
  World world(*first, {});
  world.boot();
  world.crash(1s, world.slot("node"), killed);
  Behaviour starved;
  starved.start = Behaviour::Start::no_resource;
  world.change(2s, world.slot("node"), starved);
  world.run_until(42s);
  REQUIRE(world.state("node") == State::backoff);
  const Instant next = world.supervisor().unit(world.slot("node")).next_start;
  world.update(42s, shared(after));
  world.run_until(42s + 1ms);
  REQUIRE(world.supervisor().unit(world.slot("node")).next_start >= next);
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
}

TEST_CASE("a run that is being ended for its time is not given another by an update", "[update]") {
  Graph before;
  Service& job = before.periodic("job");
  job.schedule = {.every = 100s, .at_start = true, .jitter = 0ms};
  job.timeout = 2s;
  job.stop.timeout = 10s;
  Graph after = before;
  after.service("job").timeout = 50s;
  const Shared first = shared(before);
  World world(*first, {});
  world.behaviour("job").ends_after = 1000s;
  world.behaviour("job").stops_after.reset();
  world.boot();
  world.update(3s, shared(after));
  world.run_until(30s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.ends("job").front() == Instant(12s));
}

TEST_CASE("a logger at its cleanup waits for one that departs", "[update]") {
  Graph before;
  before.longrun("log1");
  before.longrun("log2").cleanup = {word("/bin/clean")};
  before.service("log2").restart.delay = 1s;
  before.longrun("a");
  before.longrun("b");
  before.edge("a", EdgeKind::log_to, "log1").edge("b", EdgeKind::log_to, "log2");
  Graph after;
  after.longrun("log2").cleanup = {word("/bin/clean")};
  after.service("log2").restart.delay = 1s;
  after.longrun("a");
  after.longrun("b");
  after.edge("b", EdgeKind::log_to, "log2");
  const Shared first = shared(before);
  World world(*first, {});
  world.behaviour("log1").stops_after.reset();
  world.behaviour("log2").commands = Behaviour::Command::hangs;
  world.boot();
  world.run_until(30s);
  world.crash(31s, world.slot("log2"), killed);
  world.update(33s, shared(after));
  world.run_until(120s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("log2") == State::up);
}

TEST_CASE("what a departing service had to one that is gone already is forgotten", "[update]") {
  Graph before;
  before.longrun("a");
  before.longrun("zz");
  before.edge("a", EdgeKind::wants, "zz");
  Graph after;
  after.longrun("other");
  const Shared first = shared(before);
  World world(*first, {});
  world.boot();
  world.at(1s, event::Stop{.slot = world.slot("zz")});
  world.update(2s, shared(after));
  world.run_until(20s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("other") == State::up);
  REQUIRE(world.supervisor().departing() == 0);
}

TEST_CASE("a logger whose copier is at work is gone when that is", "[update]") {
  Graph before;
  Service& log = before.longrun("log");
  log.restart.attempts = 0;
  log.restart.exhausted = Exhausted::fail;
  before.longrun("a").stop.timeout = 30s;
  before.edge("a", EdgeKind::log_to, "log");
  Graph without;
  without.longrun("other");
  Graph added;
  added.longrun("other");
  added.longrun("new");
  const Shared first = shared(before);
  World world(*first, {});
  world.boot();
  const Slot logger = world.slot("log");
  world.crash(1s, logger, killed);
  world.run_until(8s);
  REQUIRE(world.supervisor().unit(logger).copier == Copier::on);
  world.update(9s, shared(without));
  world.update(9s, shared(added));
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("new") == State::up);
}

TEST_CASE("a shutdown cuts the time of a stop command that is going on", "[update]") {
  Graph graph;
  Service& node = graph.longrun("node");
  node.stop.command = {word("/bin/stop")};
  node.stop.timeout = 60s;
  const Shared database = shared(graph);
  World world(*database, {});
  world.behaviour("node").commands = Behaviour::Command::hangs;
  world.behaviour("node").stops_after = 1s;
  world.boot();
  world.at(1s, event::Stop{.slot = world.slot("node")});
  world.at(2s, event::Shutdown{.signal = 15, .code = 0});
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  // It had 7.5 s from then on, half of them, counted from its beginning, for the command.
  REQUIRE(world.told("node: stopping with SIGTERM"));
  REQUIRE(world.ends("node").front() < Instant(7s));
  REQUIRE(world.exited() == std::uint8_t{0});
}

}  // namespace
}  // namespace hcrc::simulation

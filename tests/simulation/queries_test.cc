// What the supervisor answers when it is asked, and what it makes of things told at the wrong time: nothing.
#include <string>

#include "core/simulation/world.h"
#include "tests/catch.h"
#include "tests/simulation/small_graph.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

std::size_t drained(Supervisor& supervisor, Instant now) {
  std::size_t effects = 0;
  while (supervisor.next(now)) ++effects;
  return effects;
}

TEST_CASE("before boot nothing that is told does anything") {
  Graph graph;
  graph.longrun("node");
  const Database database = graph.database();
  Supervisor supervisor(database, {});
  supervisor.handle(event::Tick{}, Instant(1s));
  supervisor.handle(event::Exited{.slot = 0, .run = 1, .role = Role::main, .status = {}, .leftovers = false}, Instant(2s));
  REQUIRE(drained(supervisor, Instant(2s)) == 0);
  REQUIRE(supervisor.deadline() == end_of_time);
  REQUIRE(supervisor.unit(0).state == State::down);
}

TEST_CASE("a tick that comes too early does nothing, and the timer stays") {
  Graph graph;
  graph.longrun("node").ready.kind = ReadyKind::notify;
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("node").ready_after = 30s;
  world.boot();
  world.at(1s, event::Tick{});
  world.run_until(5s);
  REQUIRE(world.state("node") == State::starting);
  world.run_until(40s);
  REQUIRE(world.state("node") == State::up);
  REQUIRE(world.broken().empty());
}

TEST_CASE("the node is starting until everything has settled once, then up, and stopping to the end") {
  Graph graph;
  graph.notifying("node").essential = true;
  graph.longrun("other");
  const Database database = graph.database();
  World world(database, {});
  world.behaviour("node").ready_after = 2s;
  world.behaviour("node").stops_after = 2s;
  world.boot();
  const Supervisor& supervisor = world.supervisor();
  world.run_until(1s);
  REQUIRE(supervisor.node_state() == NodeState::starting);
  REQUIRE_FALSE(supervisor.healthy(world.slot("node")));
  REQUIRE(supervisor.healthy(world.slot("other")));  // nobody asked for its health
  world.run_until(3s);
  REQUIRE(supervisor.node_state() == NodeState::up);
  REQUIRE(supervisor.healthy(world.slot("node")));
  REQUIRE_FALSE(supervisor.shutting_down());
  world.at(4s, event::Shutdown{.signal = 15, .code = 0});
  world.run_until(5s);
  REQUIRE(supervisor.node_state() == NodeState::stopping);
  REQUIRE(supervisor.shutting_down());
}

TEST_CASE("restarts are told until the service has been up long enough to begin a new row") {
  Graph graph;
  Service& node = graph.longrun("node");
  node.restart.delay = 1s;
  node.restart.reset_after = 60s;
  const Database database = graph.database();
  World world(database, {});
  world.boot();
  const Slot slot = world.slot("node");
  const auto restarts = [&] { return world.supervisor().restarts(slot, Instant(world.now())); };
  world.crash(1s, slot, {.kind = ExitStatus::Kind::signal, .value = 9, .out_of_memory = false, .memory_limit = 0});
  world.run_until(1500ms);
  REQUIRE(world.state("node") == State::backoff);
  REQUIRE(restarts() == 1);
  world.run_until(10s);
  REQUIRE(world.state("node") == State::up);
  REQUIRE(restarts() == 1);
  world.at(100s, event::Tick{});
  world.run_until(100s);
  REQUIRE(world.supervisor().restarts(slot, Instant(100s)) == 0);
}

TEST_CASE("a service that is ready before its exec is known: both are told, in order and with its pid") {
  Graph graph;
  graph.notifying("node");
  const Database database = graph.database();
  Supervisor supervisor(database, {});
  supervisor.boot(Instant{});
  Run run = 0;
  while (const auto effect = supervisor.next(Instant{})) {
    if (const auto* spawn = std::get_if<effect::Spawn>(&*effect)) run = spawn->run;
  }
  REQUIRE(run != 0);
  supervisor.handle(event::Ready{.slot = 0, .run = run}, Instant(1ms));
  REQUIRE(drained(supervisor, Instant(1ms)) == 0);
  REQUIRE(supervisor.unit(0).state == State::starting);
  supervisor.handle(event::Spawned{.slot = 0, .run = run, .role = Role::main, .pid = 4711}, Instant(2ms));
  std::vector<std::pair<ReportKind, std::int32_t>> told;
  while (const auto effect = supervisor.next(Instant(2ms))) {
    if (const auto* report = std::get_if<effect::Report>(&*effect)) told.emplace_back(report->kind, report->number);
  }
  REQUIRE(told == std::vector<std::pair<ReportKind, std::int32_t>>{{ReportKind::started, 4711}, {ReportKind::ready, 4711}});
  REQUIRE(supervisor.unit(0).state == State::up);
}

}  // namespace
}  // namespace hcrc::simulation

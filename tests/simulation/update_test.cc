// The rules of an update one by one, in a world under virtual time.
#include <functional>
#include <memory>
#include <string>

#include "core/conditions.h"
#include "core/simulation/world.h"
#include "tests/catch.h"
#include "tests/simulation/small_graph.h"
#include "tests/simulation/unbroken.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

using Shared = std::shared_ptr<const Database>;

Shared shared(const Graph& graph) { return std::make_shared<const Database>(graph.database()); }

ExitStatus signal(std::uint8_t value) {
  return {.kind = ExitStatus::Kind::signal, .value = value, .out_of_memory = false, .memory_limit = 0};
}

// user requires base, which requires setup; other is by itself.
Graph chain() {
  Graph graph;
  graph.oneshot("setup");
  graph.longrun("base");
  graph.longrun("user");
  graph.longrun("other");
  graph.edge("base", EdgeKind::requires_, "setup").edge("user", EdgeKind::requires_, "base");
  return graph;
}

Template word(std::string text) { return Template{{{.text = std::move(text), .fallback = {}}}}; }

std::size_t starts(const World& world, std::string_view name) { return world.spawns(name).size(); }

TEST_CASE("an update to the same graph changes nothing", "[update]") {
  const Shared before = shared(chain());
  World world(*before, {});
  world.boot();
  world.update(1s, shared(chain()));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  for (const char* name : {"setup", "base", "user", "other"}) REQUIRE(starts(world, name) == 1);
  REQUIRE(world.supervisor().departing() == 0);
}

TEST_CASE("only a description, a restart policy, a stop timeout or an edge changed: no process ends", "[update]") {
  Graph after = chain();
  after.service("base").description = "new words";
  after.service("user").restart.attempts = 17;
  after.service("other").stop.timeout = 3s;
  after.service("other").cleanup = {word("/bin/clean")};
  after.edge("other", EdgeKind::requires_, "base").edge("user", EdgeKind::after, "setup");
  const Shared before = shared(chain());
  World world(*before, {});
  world.boot();
  world.update(1s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  for (const char* name : {"setup", "base", "user", "other"}) REQUIRE(starts(world, name) == 1);
  // And the new edge is in force: what is stopped takes along what now requires it.
  world.at(11s, event::Stop{.slot = world.slot("base")});
  world.run_until(12s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("other") == State::waiting);
  REQUIRE(world.ends("other").back() < world.ends("base").back());
}

TEST_CASE("a changed command restarts the service and what requires it, in order, and nothing else", "[update]") {
  Graph after = chain();
  after.service("base").command.push_back(word("--new"));
  const Shared before = shared(chain());
  World world(*before, {});
  world.behaviour("user").stops_after = 500ms;
  world.boot();
  world.update(1s, shared(after));
  world.run_until(1100ms);
  REQUIRE(world.supervisor().unit(world.slot("base")).stop_reason == StopReason::update);
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(starts(world, "setup") == 1);
  REQUIRE(starts(world, "other") == 1);
  REQUIRE(starts(world, "base") == 2);
  REQUIRE(starts(world, "user") == 2);
  REQUIRE(world.ends("user").back() == Instant(1500ms));
  REQUIRE(world.ends("base").back() > world.ends("user").back());
  REQUIRE(world.state("user") == State::up);
  REQUIRE(world.supervisor().unit(world.slot("base")).restarts == 0);
}

TEST_CASE("what is removed is stopped in order, what required it stays where it does no more", "[update]") {
  Graph after;
  after.oneshot("setup");
  after.longrun("user");
  after.longrun("other");
  const Shared before = shared(chain());
  World world(*before, {});
  world.boot();
  const Slot base = world.slot("base");
  world.update(1s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE_FALSE(world.supervisor().find("base"));
  REQUIRE_FALSE(world.has_process(base));
  REQUIRE(world.supervisor().unit(base).vacant);
  REQUIRE(starts(world, "user") == 1);
  REQUIRE(world.state("user") == State::up);
  REQUIRE(world.supervisor().unsettled() == 0);
}

TEST_CASE("a chain that is removed goes down from its end", "[update]") {
  Graph after;
  after.longrun("other");
  const Shared before = shared(chain());
  World world(*before, {});
  world.behaviour("user").stops_after = 2s;
  world.boot();
  const Slot base = world.slot("base"), user = world.slot("user");
  world.update(1s, shared(after));
  world.run_until(2s);
  REQUIRE(world.has_process(base));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.ends(user).back() == Instant(3s));
  REQUIRE(world.ends(base).back() == Instant(3002ms));
}

TEST_CASE("what is added starts when what is removed is gone", "[update]") {
  Graph before;
  before.longrun("old");
  before.longrun("other");
  Graph after;
  after.longrun("new");
  after.longrun("other");
  const Shared first = shared(before);
  World world(*first, {});
  world.behaviour("old").stops_after = 4s;
  world.boot();
  const Slot old = world.slot("old");
  world.update(1s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.ends(old).back() == Instant(5s));
  REQUIRE(world.spawns("new").front() == Instant(5s));
  REQUIRE(starts(world, "other") == 1);
}

TEST_CASE("what an operator stopped stays stopped, what he started stays started", "[update]") {
  Graph before;
  before.longrun("stopped");
  before.longrun("started").autostart = false;
  before.longrun("neither").autostart = false;
  Graph after;
  after.longrun("stopped").command.push_back(word("--new"));
  after.longrun("started").autostart = false;
  after.service("started").description = "x";
  after.longrun("neither").autostart = false;
  const Shared first = shared(before);
  World world(*first, {});
  world.boot();
  world.at(1s, event::Stop{.slot = world.slot("stopped")});
  world.at(1s, event::Start{.slot = world.slot("started")});
  world.update(2s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("stopped") == State::down);
  REQUIRE(starts(world, "stopped") == 1);
  REQUIRE(world.state("started") == State::up);
  REQUIRE(starts(world, "started") == 1);
  REQUIRE(world.state("neither") == State::down);
  // And its new definition is what counts at the next start.
  world.at(11s, event::Start{.slot = world.slot("stopped")});
  world.run_until(12s);
  REQUIRE(world.state("stopped") == State::up);
}

TEST_CASE("the rest is wanted as at boot: autostart taken away stops, given starts", "[update]") {
  Graph before;
  before.longrun("a");
  before.longrun("b").autostart = false;
  Graph after;
  after.longrun("a").autostart = false;
  after.longrun("b");
  const Shared first = shared(before);
  World world(*first, {});
  world.boot();
  world.update(1s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("a") == State::down);
  REQUIRE(world.state("b") == State::up);
  REQUIRE(world.supervisor().unhealthy() == 0);
}

TEST_CASE("what failed for good is tried anew by another definition, and only then", "[update]") {
  for (const bool command : {false, true}) {
    Graph before;
    before.longrun("node").restart.policy = RestartPolicy::never;
    before.longrun("user");
    before.edge("user", EdgeKind::requires_, "node");
    Graph after = before;
    if (command) after.service("node").command.push_back(word("--right"));
    after.service("node").description = "x";
    const Shared first = shared(before);
    World world(*first, {});
    world.behaviour("node").ends_after = 1ms;
    world.behaviour("node").end = {.kind = ExitStatus::Kind::code, .value = 1, .out_of_memory = false, .memory_limit = 0};
    world.boot();
    world.run_until(1s);
    REQUIRE(world.state("node") == State::failed);
    world.behaviour("node") = Behaviour{};
    world.update(2s, shared(after));
    world.run_until(10s);
    REQUIRE_UNBROKEN(world);
    REQUIRE(world.state("node") == (command ? State::up : State::failed));
    REQUIRE(world.state("user") == (command ? State::up : State::waiting));
  }
}

TEST_CASE("an update in the middle of a start, and during backoff, ends where the new graph says", "[update]") {
  Graph after = chain();
  after.service("setup").command.push_back(word("--new"));
  for (const Duration when : {0ms, 1ms, 3ms, 4ms, 6ms, 9ms}) {
    const Shared before = shared(chain());
    World world(*before, {});
    world.boot();
    world.update(when, shared(after));
    world.run_until(10s);
    REQUIRE_UNBROKEN(world);
    for (const char* name : {"setup", "base", "user", "other"}) REQUIRE(world.state(name) == State::up);
    REQUIRE(starts(world, "other") == 1);
  }
  // A delay is kept where how it runs is the same, and given up where not.
  for (const bool changed : {false, true}) {
    Graph with_delay = chain();
    with_delay.service("base").restart.delay = 5s;
    Graph next = with_delay;
    next.service("base").description = "x";
    if (changed) next.service("base").command.push_back(word("--new"));
    const Shared before = shared(with_delay);
    World world(*before, {});
    world.boot();
    world.crash(1s, world.slot("base"), signal(11));
    world.update(2s, shared(next));
    world.run_until(20s);
    REQUIRE_UNBROKEN(world);
    REQUIRE(world.spawns("base").back() == (changed ? Instant(2s) : Instant(6s)));
    REQUIRE(starts(world, "user") == (changed ? 1 : 1));
  }
}

TEST_CASE("a shorter hold, delay, health interval and schedule count at once", "[update]") {
  Graph before;
  Service& held = before.longrun("held");
  held.restart.attempts = 0;
  held.restart.exhausted = Exhausted::hold;
  held.restart.hold = 1000s;
  before.longrun("slow").restart.delay = 60s;
  before.periodic("job").schedule = {.every = 100s, .at_start = true, .jitter = 0ms};
  Service& sick = before.longrun("sick");
  sick.health.kind = HealthKind::tcp;
  sick.health.address = word("127.0.0.1:1");
  sick.health.interval = 1000s;
  Graph after = before;
  after.service("held").restart.hold = 10s;
  after.service("slow").restart.delay = 1s;
  after.service("slow").restart.max_delay = 5s;
  after.service("job").schedule.every = 7s;
  after.service("sick").health.interval = 1s;
  const Shared first = shared(before);
  World world(*first, {});
  world.behaviour("sick").probes_good = false;
  world.boot();
  world.crash(1s, world.slot("held"), signal(9));
  world.crash(1s, world.slot("slow"), signal(9));
  world.update(3s, shared(after));
  world.run_until(12s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.spawns("held").back() == Instant(11s));
  REQUIRE(world.spawns("slow").back() == Instant(6s));
  REQUIRE(world.spawns("job") == std::vector<Instant>{Instant(0s), Instant(7s)});
  REQUIRE(world.told("sick: health check failed 3 times"));
}

TEST_CASE("conditions are judged anew where they change, for what does not run", "[update]") {
  const Condition never{.kind = ConditionKind::env_set, .name = "X", .value = {}};
  Graph before;
  before.longrun("was").conditions = {never};
  before.longrun("runs");
  before.longrun("user");
  before.edge("user", EdgeKind::requires_, "was");
  Graph after = before;
  after.service("was").conditions.clear();
  after.service("runs").conditions = {never};
  after.longrun("added").conditions = {never};
  const Shared first = shared(before);
  Supervisor::Options options;
  options.env_skipped = conditions_that_fail(*first, {});
  World world(*first, options);
  world.boot();
  world.run_until(1s);
  REQUIRE(world.state("was") == State::skipped);
  world.update(2s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("was") == State::up);
  REQUIRE(starts(world, "user") == 1);
  REQUIRE(world.state("runs") == State::up);  // only a start is judged
  REQUIRE(starts(world, "runs") == 1);
  REQUIRE(world.state("added") == State::skipped);
  world.at(11s, event::Stop{.slot = world.slot("runs")});
  world.at(12s, event::Start{.slot = world.slot("runs")});
  world.run_until(13s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.state("runs") == State::skipped);
}

TEST_CASE("another type of a running service ends the one and starts the other", "[update]") {
  for (const ServiceType type : {ServiceType::oneshot, ServiceType::periodic, ServiceType::bundle}) {
    Graph before;
    before.longrun("a");
    before.longrun("b");
    Graph after;
    after.add("a", type);
    after.longrun("b");
    const Shared first = shared(before);
    World world(*first, {});
    world.boot();
    world.update(1s, shared(after));
    world.run_until(10s);
    REQUIRE_UNBROKEN(world);
    REQUIRE(world.state("a") == (type == ServiceType::bundle ? State::down : State::up));
    REQUIRE_FALSE(world.has_process(world.slot("a")));
    world.update(11s, first);
    world.run_until(20s);
    REQUIRE_UNBROKEN(world);
    REQUIRE(world.state("a") == State::up);
    REQUIRE(world.has_process(world.slot("a")));
    REQUIRE(starts(world, "b") == 1);
  }
}

TEST_CASE("instances come and go by themselves", "[update]") {
  Graph before;
  for (const char* name : {"web@a", "web@b"}) before.longrun(name);
  Graph after;
  for (const char* name : {"web@b", "web@c"}) after.longrun(name);
  const Shared first = shared(before);
  World world(*first, {});
  world.boot();
  const Slot gone = world.slot("web@a");
  world.update(1s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE_FALSE(world.has_process(gone));
  REQUIRE(starts(world, "web@b") == 1);
  REQUIRE(world.state("web@c") == State::up);
}

TEST_CASE("one producer more restarts the logger, and no producer; a logger removed or restarted stops none", "[update]") {
  Graph before;
  before.longrun("log");
  before.longrun("one");
  before.edge("one", EdgeKind::log_to, "log");
  Graph after = before;
  after.longrun("two");
  after.edge("two", EdgeKind::log_to, "log");
  const Shared first = shared(before);
  World world(*first, {});
  world.boot();
  world.update(1s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(starts(world, "log") == 2);
  REQUIRE(starts(world, "one") == 1);
  REQUIRE(starts(world, "two") == 1);
  REQUIRE_FALSE(world.told("output goes to the console"));
  // Another logger: both that it concerns are restarted, the producer is not.
  Graph moved;
  moved.longrun("log");
  moved.longrun("log2");
  moved.longrun("one");
  moved.longrun("two");
  moved.edge("two", EdgeKind::log_to, "log").edge("one", EdgeKind::log_to, "log2");
  world.update(11s, shared(moved));
  world.run_until(20s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(starts(world, "log") == 3);
  REQUIRE(starts(world, "one") == 1);
  REQUIRE(starts(world, "two") == 1);
}

TEST_CASE("a logger that takes over a producer starts when the one before is down", "[update]") {
  Graph before;
  for (const char* name : {"log", "log2", "one", "two"}) before.longrun(name);
  Graph after = before;
  before.edge("one", EdgeKind::log_to, "log").edge("two", EdgeKind::log_to, "log2");
  after.edge("one", EdgeKind::log_to, "log2").edge("two", EdgeKind::log_to, "log2");
  const Shared first = shared(before);
  World world(*first, {});
  world.behaviour("log").stops_after = 700ms;
  world.boot();
  world.update(1s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.ends("log2").back() == Instant(1002ms));
  REQUIRE(world.spawns("log2").back() == Instant(1700ms));
  REQUIRE(starts(world, "one") == 1);
}

TEST_CASE("what was needed by a removed logger alone stops with the others again", "[update]") {
  Graph before;
  for (const char* name : {"data", "log", "one"}) before.longrun(name);
  before.edge("log", EdgeKind::requires_, "data").edge("one", EdgeKind::log_to, "log");
  Graph after;
  for (const char* name : {"data", "one"}) after.longrun(name);
  const Shared first = shared(before);
  World world(*first, {});
  world.boot();
  world.run_until(500ms);
  REQUIRE(world.supervisor().unit(world.slot("data")).late);
  world.update(1s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE_FALSE(world.supervisor().unit(world.slot("data")).late);
}

TEST_CASE("a run that failed for good just before an update changes it does not end the node", "[update]") {
  Graph before;
  before.longrun("node").restart.policy = RestartPolicy::never;
  before.service("node").essential = true;
  before.longrun("other");
  Graph after = before;
  after.service("node").command.push_back(word("--right"));
  const Shared first = shared(before);
  World world(*first, {});
  world.behaviour("node").leaves_behind = 60s;  // so that the end takes a moment
  world.boot();
  world.crash(1s, world.slot("node"), signal(9));
  world.update(1s + 500us, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE_FALSE(world.exited());
  REQUIRE(world.state("node") == State::up);
}

TEST_CASE("that what departs cannot run by its old definition is nobody's misfortune", "[update]") {
  Graph before;
  before.longrun("base").restart.policy = RestartPolicy::never;
  before.longrun("middle");
  before.edge("middle", EdgeKind::requires_, "base");
  Graph after;
  after.longrun("base").restart.policy = RestartPolicy::never;
  after.longrun("middle").command.push_back(word("--alone"));
  after.longrun("top").essential = true;
  after.edge("top", EdgeKind::requires_, "middle");
  const Shared first = shared(before);
  World world(*first, {});
  world.behaviour("middle").stops_after = 2s;
  world.boot();
  world.crash(1s, world.slot("base"), signal(9));
  world.update(2s, shared(after));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE_FALSE(world.exited());
  REQUIRE(world.state("base") == State::failed);
  REQUIRE(world.state("top") == State::up);
}

TEST_CASE("an edge that turns round stops nobody for good", "[update]") {
  Graph before;
  before.longrun("a");
  before.longrun("b");
  before.edge("a", EdgeKind::requires_, "b");
  for (const bool both : {false, true}) {
    Graph after;
    after.longrun("a").command.push_back(word("--new"));
    after.longrun("b");
    if (both) after.service("b").command.push_back(word("--new"));
    after.edge("b", EdgeKind::requires_, "a");
    const Shared first = shared(before);
    World world(*first, {});
    world.boot();
    world.update(1s, shared(after));
    world.run_until(10s);
    REQUIRE_UNBROKEN(world);
    REQUIRE(world.state("a") == State::up);
    REQUIRE(world.state("b") == State::up);
    REQUIRE(world.spawns("a").back() < world.spawns("b").back());
  }
}

TEST_CASE("a shutdown in the middle of an update stops all of both graphs in order", "[update]") {
  Graph after = chain();
  after.service("base").command.push_back(word("--new"));
  after.longrun("added");
  const Shared before = shared(chain());
  for (const Duration when : {1000ms, 1001ms, 1500ms, 2001ms}) {
    World world(*before, {});
    world.behaviour("user").stops_after = 1s;
    world.boot();
    world.update(1s, shared(after));
    world.at(when, event::Shutdown{.signal = 15, .code = 0});
    world.run_until(20s);
    REQUIRE_UNBROKEN(world);
    REQUIRE(world.exited() == std::uint8_t{0});
    REQUIRE(world.ends("user").back() < world.ends("base").back());
  }
}

TEST_CASE("while the node stops an update is refused", "[update]") {
  const Shared before = shared(chain());
  World world(*before, {});
  world.behaviour("user").stops_after = 1s;
  world.boot();
  world.at(1s, event::Shutdown{.signal = 15, .code = 0});
  world.update(1500ms, shared(chain()));
  world.run_until(20s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.told("update refused: the node is stopping"));
}

TEST_CASE("a second update while the stops of the first are going on", "[update]") {
  Graph changed = chain();
  changed.service("base").command.push_back(word("--new"));
  Graph without;
  without.oneshot("setup");
  without.longrun("other");
  const Shared before = shared(chain());
  // Back again: what was stopping comes up as it was. On: what has gone meanwhile stays gone.
  for (const bool back : {true, false}) {
    World world(*before, {});
    world.behaviour("user").stops_after = 1s;
    world.boot();
    const Slot base = world.slot("base");
    world.update(1s, shared(changed));
    world.update(1500ms, back ? before : shared(without));
    world.run_until(20s);
    REQUIRE_UNBROKEN(world);
    REQUIRE(world.has_process(base) == back);
    REQUIRE(starts(world, "other") == 1);
    REQUIRE(world.supervisor().unsettled() == 0);
  }
}

TEST_CASE("a removed service that comes back by another update has one process", "[update]") {
  Graph without;
  without.oneshot("setup");
  without.longrun("other");
  const Shared before = shared(chain());
  World world(*before, {});
  world.behaviour("user").stops_after = 1s;
  world.boot();
  world.update(1s, shared(without));
  world.update(1500ms, before);
  world.run_until(20s);
  REQUIRE_UNBROKEN(world);
  for (const char* name : {"base", "user", "other"}) REQUIRE(world.state(name) == State::up);
}

TEST_CASE("an essential service that an update restarts, removes or stops does not stop the node", "[update]") {
  Graph before = chain();
  before.service("user").essential = true;
  Graph changed = before;
  changed.service("user").command.push_back(word("--new"));
  Graph unwanted = before;
  unwanted.service("user").autostart = false;
  Graph removed;
  removed.oneshot("setup");
  removed.longrun("base");
  removed.longrun("other");
  for (const Graph* after : {&changed, &unwanted, &removed}) {
    const Shared first = shared(before);
    World world(*first, {});
    world.boot();
    world.update(1s, shared(*after));
    world.run_until(20s);
    REQUIRE_UNBROKEN(world);
    REQUIRE_FALSE(world.exited());
    REQUIRE(world.state("base") == State::up);
  }
}

TEST_CASE("CMD goes on through updates, and its end stops the node", "[update]") {
  Graph after = chain();
  for (const char* name : {"x", "y", "z"}) after.longrun(name);
  const Shared before = shared(chain());
  Supervisor::Options options;
  options.command = true;
  World world(*before, options);
  const Slot cmd = world.supervisor().command_slot();
  world.behaviour(cmd).ends_after = 10s;
  world.behaviour(cmd).end = {.kind = ExitStatus::Kind::code, .value = 7, .out_of_memory = false, .memory_limit = 0};
  world.boot();
  world.update(1s, shared(after));
  world.update(2s, before);
  world.run_until(9s);
  REQUIRE(world.has_process(cmd));
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.supervisor().command_slot() == cmd);
  REQUIRE(world.exited() == std::uint8_t{7});
}

TEST_CASE("a removed service is stopped by the definition that it was started with", "[update]") {
  Graph before;
  Service& node = before.longrun("node");
  node.stop.signal = signals::sigint;
  node.stop.timeout = 3s;
  before.longrun("other");
  Graph after = before;
  after.service("node").stop.signal = signals::sigterm;
  after.service("node").stop.timeout = 1s;
  after.service("node").command.push_back(word("--new"));
  const Shared first = shared(before);
  World world(*first, {});
  world.behaviour("node").stops_after.reset();
  world.boot();
  world.update(1s, shared(after));
  world.run_until(20s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.told("node: stopping with SIGINT"));
  REQUIRE(world.ends("node").back() == Instant(4s));
}

TEST_CASE("a target that the new graph does not have: the old one stays in force", "[update]") {
  Graph without;
  without.longrun("other");
  const Shared before = shared(chain());
  Supervisor::Options options;
  options.target = 3;
  World world(*before, options);
  world.boot();
  REQUIRE(world.supervisor().name(3) == "user");
  world.update(1s, shared(without));
  world.run_until(10s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.told("update refused"));
  REQUIRE(world.state("user") == State::up);
  REQUIRE(&world.supervisor().database() == before.get());
}

TEST_CASE("slots are used again, and the old runs' events change nothing", "[update]") {
  const Shared before = shared(chain());
  World world(*before, {});
  world.boot();
  const Slot slots = world.supervisor().slots();
  Duration when = 1s;
  for (int i = 0; i < 20; ++i, when += 1s) {
    Graph after;
    after.longrun("other");
    after.longrun("x" + std::to_string(i));
    world.update(when, shared(after));
    world.at(when + 500ms, event::Ready{.slot = 1, .run = 1});
  }
  world.run_until(60s);
  REQUIRE_UNBROKEN(world);
  REQUIRE(world.supervisor().slots() <= slots + 2);
  REQUIRE(starts(world, "other") == 1);
}

}  // namespace
}  // namespace hcrc::simulation

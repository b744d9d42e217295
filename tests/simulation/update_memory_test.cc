// An update for which there is not enough memory, wherever that shows: the graph before stays in force, whole, and says so.
#include <memory>

#include "core/simulation/oracle.h"
#include "core/supervisor.h"
#include "tests/catch.h"
#include "tests/simulation/allocations.h"
#include "tests/simulation/small_graph.h"

namespace hcrc::simulation {
namespace {

std::size_t drain(Supervisor& supervisor, Instant now) {
  std::size_t effects = 0;
  while (supervisor.next(now)) ++effects;
  return effects;
}

TEST_CASE("without memory for it an update changes nothing, at whichever allocation", "[update]") {
  Graph before;
  before.longrun("a");
  before.longrun("b");
  before.longrun("c");
  before.edge("b", EdgeKind::requires_, "a").edge("c", EdgeKind::log_to, "a");
  Graph after = before;
  after.service("a").command.push_back(Template{{{.text = "--new", .fallback = {}}}});
  for (const char* name : {"d", "e", "f", "g"}) after.longrun(name);
  const auto first = std::make_shared<const Database>(before.database());
  const auto second = std::make_shared<const Database>(after.database());
  long refused = 0;
  for (long count = 0;; ++count) {
    Supervisor supervisor(first, {});
    const Instant now{};
    supervisor.boot(now);
    drain(supervisor, now);
    for (Slot slot = 0; slot < 3; ++slot) {
      supervisor.handle(event::Spawned{.slot = slot, .run = 1, .role = Role::main, .pid = 7}, now);
      drain(supervisor, now);
    }
    const Supervisor::Update update{.database = second, .env_skipped = {}, .stop_deadline = {}};
    allocations_left = count;
    const bool updated = supervisor.update(update, now).has_value();
    allocations_left = -1;
    const auto problem = disagreement(supervisor);
    if (updated) {
      REQUIRE(&supervisor.database() == second.get());
      break;
    }
    ++refused;
    INFO(count << ": " << problem.value_or("well"));
    REQUIRE_FALSE(problem.has_value());
    REQUIRE(&supervisor.database() == first.get());
    REQUIRE(supervisor.slots() == 4);
    REQUIRE(drain(supervisor, now) == 0);
    REQUIRE(second.use_count() == 2);  // this test's, and the update's
    for (Slot slot = 0; slot < 3; ++slot) REQUIRE(supervisor.unit(slot).state == State::up);
  }
  REQUIRE(refused > 20);
}

// After an update as after the start.
TEST_CASE("what an update sets off allocates nothing any more", "[update]") {
  Graph before;
  before.longrun("a");
  before.longrun("b");
  before.edge("b", EdgeKind::requires_, "a");
  Graph after = before;
  after.service("a").command.push_back(Template{{{.text = "--new", .fallback = {}}}});
  Supervisor supervisor(std::make_shared<const Database>(before.database()), {});
  const auto second = std::make_shared<const Database>(after.database());
  const Instant now{};
  supervisor.boot(now);
  drain(supervisor, now);
  const auto answer = [&](const Event& event) {
    supervisor.handle(event, now);
    drain(supervisor, now);
  };
  answer(event::Spawned{.slot = 0, .run = 1, .role = Role::main, .pid = 7});
  answer(event::Spawned{.slot = 1, .run = 1, .role = Role::main, .pid = 8});
  REQUIRE(supervisor.update({.database = second, .env_skipped = {}, .stop_deadline = {}}, now).has_value());
  allocations_left = 0;
  drain(supervisor, now);
  const ExitStatus killed{.kind = ExitStatus::Kind::signal, .value = 15, .out_of_memory = false, .memory_limit = 0};
  answer(event::Exited{.slot = 1, .run = 1, .role = Role::main, .status = killed, .leftovers = false});
  answer(event::Exited{.slot = 0, .run = 1, .role = Role::main, .status = killed, .leftovers = false});
  answer(event::Spawned{.slot = 0, .run = 2, .role = Role::main, .pid = 9});
  answer(event::Spawned{.slot = 1, .run = 2, .role = Role::main, .pid = 10});
  allocations_left = -1;
  REQUIRE(supervisor.departing() == 0);
  REQUIRE(supervisor.unit(0).state == State::up);
  REQUIRE(supervisor.unit(1).state == State::up);
  REQUIRE(supervisor.definition(0).database == second);
}

}  // namespace
}  // namespace hcrc::simulation

// docs/state-machine.md says which moves between states there are: each that is seen must stand there, and each that stands
// there must be seen.
#include <algorithm>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/simulation/world.h"
#include "tests/catch.h"
#include "tests/simulation/script.h"
#include "tests/simulation/small_graph.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

using Moves = std::set<std::pair<std::string, std::string>>;

constexpr State states[] = {State::down,    State::waiting, State::starting, State::up,     State::stopping,
                            State::backoff, State::held,    State::failed,   State::skipped};

bool is_state(std::string_view word) {
  return std::any_of(std::begin(states), std::end(states), [word](State state) { return text(state) == word; });
}

std::vector<std::string> cells(const std::string& row) {
  std::vector<std::string> found;
  std::size_t from = 1;
  for (std::size_t bar = row.find('|', 1); bar != std::string::npos; bar = row.find('|', from)) {
    std::string cell = row.substr(from, bar - from);
    cell.erase(0, cell.find_first_not_of(' '));
    cell.erase(cell.find_last_not_of(' ') + 1);
    found.push_back(cell);
    from = bar + 1;
  }
  return found;
}

Moves written_down() {
  std::ifstream file(HCRC_SOURCE_DIR "/docs/state-machine.md");
  REQUIRE(file.is_open());
  Moves moves;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| ")) continue;
    const std::vector<std::string> row = cells(line);
    if (row.size() == 4 && is_state(row[0]) && is_state(row[2])) moves.emplace(row[0], row[2]);
  }
  return moves;
}

class Seen : public Watcher {
 public:
  void told(Duration, std::string_view) override {}
  void changed(Duration, Slot, State from, State to) override { moves.emplace(text(from), text(to)); }
  Moves moves;
};

// What waits for another attempt is started by an operator, after an update whose condition does not hold: too rare for
// chance.
void start_under_a_new_condition(Seen& seen) {
  Graph before;
  Service& held = before.longrun("held");
  held.restart.attempts = 0;
  held.restart.exhausted = Exhausted::hold;
  held.restart.hold = 1h;
  before.longrun("backoff").restart.delay = 1min;
  Graph after = before;
  for (const char* name : {"held", "backoff"}) {
    after.service(name).conditions = {{.kind = ConditionKind::env_set, .name = "X", .value = {}}};
  }
  const Database database = before.database();
  World world(database, {});
  world.watch(seen);
  world.update(1s, std::make_shared<const Database>(after.database()));
  for (const char* name : {"held", "backoff"}) {
    world.behaviour(name).ends_after = 5ms;
    world.behaviour(name).end.value = 1;
    world.at(2s, event::Start{.slot = world.slot(name)});
  }
  world.boot();
  world.run_until(3s);
  CHECK(world.broken().empty());
}

TEST_CASE("the table of moves in docs/state-machine.md is the code's") {
  const Moves table = written_down();
  Seen seen;
  start_under_a_new_condition(seen);
  for (std::uint64_t seed = 1; seed <= 4'000; ++seed) {
    const Outcome outcome = live(random_script(seed), Watched::without_oracle, &seen);
    INFO(outcome.problem);
    REQUIRE(outcome.problem.empty());
  }
  for (const auto& [from, to] : seen.moves) {
    INFO(from << " -> " << to << " is seen and not in the table");
    CHECK(table.contains({from, to}));
  }
  for (const auto& [from, to] : table) {
    INFO(from << " -> " << to << " is in the table and never seen");
    CHECK(seen.moves.contains({from, to}));
  }
  CHECK(table.size() >= 30);
}

}  // namespace
}  // namespace hcrc::simulation

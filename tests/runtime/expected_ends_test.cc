#include "core/runtime/expected_ends.h"

#include <algorithm>
#include <vector>

#include "tests/catch.h"

using namespace hcrc;

namespace {

using Found = ExpectedEnds::Found;

ExpectedEnds expecting(pid_t first, pid_t last) {
  ExpectedEnds ends;
  ends.make_room(100);
  for (pid_t pid = first; pid <= last; ++pid) ends.add(pid);
  return ends;
}

// Whom it asks for, where these are dead.
std::vector<pid_t> asked(ExpectedEnds& ends, const std::vector<pid_t>& dead) {
  std::vector<pid_t> order;
  ends.take([&](pid_t pid) {
    order.push_back(pid);
    return std::ranges::find(dead, pid) != dead.end() ? Found::ended : Found::lives;
  });
  return order;
}

}  // namespace

TEST_CASE("who was told to end is asked for in that order, until some in a row live") {
  ExpectedEnds ends = expecting(1, 20);
  CHECK(asked(ends, {2, 3, 5}) == std::vector<pid_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(ends.size() == 17);
  // The living stay, and the others keep their place.
  CHECK(asked(ends, {}) == std::vector<pid_t>{1, 4, 6, 7});
  CHECK(asked(ends, {1, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}).size() == 17);
  CHECK(ends.size() == 0);
  CHECK(asked(ends, {}).empty());
}

TEST_CASE("who is no child any more is not asked for again") {
  ExpectedEnds ends = expecting(1, 2);
  ends.take([](pid_t pid) { return pid == 1 ? Found::no_child : Found::lives; });
  CHECK(asked(ends, {}) == std::vector<pid_t>{2});
}

TEST_CASE("who is told twice in a row is expected once, and who finds no room is left out") {
  ExpectedEnds ends;
  ends.add(1);
  CHECK(ends.size() == 0);
  ends.make_room(2);
  ends.add(1);
  ends.add(1);
  ends.add(2);
  ends.add(3);
  CHECK(asked(ends, {}) == std::vector<pid_t>{1, 2});
}

#include "core/runtime/process_table.h"

#include <map>

#include "core/random.h"
#include "tests/catch.h"

namespace hcrc {
namespace {

TEST_CASE("a table of processes is a map, however often it is filled and emptied") {
  ProcessTable table(500);
  std::map<pid_t, Slot> expected;
  Random random(7);
  for (int i = 0; i < 100'000; ++i) {
    const auto pid = static_cast<pid_t>(1 + random.upto(2'000));
    if (random.upto(1) == 0 && expected.size() < 500) {
      const auto slot = static_cast<Slot>(random.upto(99));
      if (expected.contains(pid)) continue;
      REQUIRE(table.add({.pid = pid, .slot = slot, .run = 0, .kind = ChildKind::main}));
      expected[pid] = slot;
    } else {
      table.remove(pid);
      expected.erase(pid);
    }
    if (i % 1'000 != 0) continue;
    REQUIRE(table.size() == expected.size());
    for (pid_t each = 1; each <= 2'001; ++each) {
      const auto found = table.find(each);
      REQUIRE(found.has_value() == expected.contains(each));
      if (found) REQUIRE(found->slot == expected[each]);
    }
  }
}

TEST_CASE("a full table takes no more") {
  ProcessTable table(2);
  CHECK(table.add({.pid = 1, .slot = 0, .run = 0, .kind = ChildKind::main}));
  CHECK(table.add({.pid = 2, .slot = 0, .run = 0, .kind = ChildKind::main}));
  CHECK_FALSE(table.add({.pid = 3, .slot = 0, .run = 0, .kind = ChildKind::main}));
  table.change(2, ChildKind::lock_waiter);
  CHECK(table.find(2)->kind == ChildKind::lock_waiter);
  // Room for more keeps what is in it.
  table.make_room(100);
  table.make_room(1);
  for (pid_t pid = 3; pid <= 100; ++pid) CHECK(table.add({.pid = pid, .slot = 0, .run = 0, .kind = ChildKind::main}));
  CHECK_FALSE(table.add({.pid = 101, .slot = 0, .run = 0, .kind = ChildKind::main}));
  CHECK(table.find(1).has_value());
  CHECK(table.find(2)->kind == ChildKind::lock_waiter);
}

}  // namespace
}  // namespace hcrc

#include "core/runtime/memory_counter.h"

#include <filesystem>
#include <fstream>

#include "tests/catch.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;
using namespace std::chrono_literals;

namespace {

TEST_CASE("the memory cgroup is found in what /proc says") {
  const std::string v1_mounts =
      "25 20 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "26 25 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "27 25 0:24 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n";
  const auto v1 = memory_group("4:memory:/docker/abc\n1:cpu:/\n0::/\n", v1_mounts);
  REQUIRE(v1);
  REQUIRE(v1->folder == "/sys/fs/cgroup/memory/docker/abc");
  REQUIRE_FALSE(v1->unified);

  const auto bound =
      memory_group("4:memory:/docker/abc\n", "30 25 0:24 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  REQUIRE(bound);
  REQUIRE(bound->folder == "/sys/fs/cgroup/memory");

  const auto v2 =
      memory_group("0::/system.slice/node.service\n", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n");
  REQUIRE(v2);
  REQUIRE(v2->folder == "/sys/fs/cgroup/system.slice/node.service");
  REQUIRE(v2->unified);

  const auto own_namespace = memory_group("0::/\n", "30 25 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
  REQUIRE(own_namespace);
  REQUIRE(own_namespace->folder == "/sys/fs/cgroup");

  REQUIRE_FALSE(memory_group("", v1_mounts));
  REQUIRE_FALSE(memory_group("0::/\n", v1_mounts));
  REQUIRE_FALSE(memory_group("4:memory:/\n", ""));
  REQUIRE_FALSE(memory_group("nonsense\n:\n::\n", "nonsense\n- - - -\n"));
}

void write(const std::string& path, std::string_view text) { std::ofstream(path, std::ios::trunc) << text; }

TEST_CASE("each kill that the counter tells of explains one death, for a while") {
  const test::ScratchDir scratch;
  for (const bool unified : {false, true}) {
    const std::string counter = scratch.path() + (unified ? "/memory.events" : "/memory.oom_control");
    const std::string limit = scratch.path() + (unified ? "/memory.max" : "/memory.limit_in_bytes");
    const std::string before =
        unified ? "low 0\nhigh 7\nmax 12\noom 3\noom_kill " : "oom_kill_disable 0\nunder_oom 0\noom_kill ";
    write(counter, before + "5\n");
    write(limit, "67108864\n");
    MemoryCounter memory;
    memory.open({.folder = scratch.path(), .unified = unified});
    REQUIRE_FALSE(memory.explains(Instant(1s)));
    write(counter, before + "7\n");
    const auto first = memory.explains(Instant(2s));
    REQUIRE(first);
    REQUIRE(first->limit == 67'108'864);
    REQUIRE(memory.explains(Instant(2s + 10ms)));
    REQUIRE_FALSE(memory.explains(Instant(2s + 20ms)));
    // One that hit a child of a service explains no later death.
    write(counter, before + "9\n");
    REQUIRE(memory.explains(Instant(3s)));
    REQUIRE_FALSE(memory.explains(Instant(9s)));
    write(counter, before + "10\n");
    write(limit, unified ? "max\n" : "9223372036854771712\n");
    const auto unlimited = memory.explains(Instant(10s));
    REQUIRE(unlimited);
    REQUIRE(unlimited->limit == 0);
  }
}

TEST_CASE("without a counter nothing is explained") {
  MemoryCounter memory;
  REQUIRE_FALSE(memory.explains(Instant(1s)));
  memory.open({.folder = "/nonexistent", .unified = true});
  REQUIRE_FALSE(memory.explains(Instant(2s)));
}

}  // namespace

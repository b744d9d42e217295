#include "core/runtime/own_cgroup.h"

#include "tests/catch.h"

using namespace hcrc;

namespace {

TEST_CASE("the memory cgroup is found in what /proc says") {
  const std::string v1_mounts =
      "25 20 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "26 25 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "27 25 0:24 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n";
  const auto v1 = memory_cgroup("4:memory:/docker/abc\n1:cpu:/\n0::/\n", v1_mounts);
  REQUIRE(v1);
  REQUIRE(v1->folder == "/sys/fs/cgroup/memory/docker/abc");
  REQUIRE_FALSE(v1->unified);

  const auto bound =
      memory_cgroup("4:memory:/docker/abc\n", "30 25 0:24 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  REQUIRE(bound);
  REQUIRE(bound->folder == "/sys/fs/cgroup/memory");

  const auto v2 =
      memory_cgroup("0::/system.slice/node.service\n", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n");
  REQUIRE(v2);
  REQUIRE(v2->folder == "/sys/fs/cgroup/system.slice/node.service");
  REQUIRE(v2->unified);

  const auto own_namespace = memory_cgroup("0::/\n", "30 25 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
  REQUIRE(own_namespace);
  REQUIRE(own_namespace->folder == "/sys/fs/cgroup");

  // A machine with both has v2 without controllers beside v1.
  const auto both = unified_cgroup("4:memory:/docker/abc\n0::/x\n",
                                   v1_mounts + "31 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  REQUIRE(both);
  REQUIRE(both->folder == "/sys/fs/cgroup/unified/x");
  REQUIRE_FALSE(unified_cgroup("4:memory:/docker/abc\n", v1_mounts));

  // A mount that shows another part of the tree.
  const std::string elsewhere = "30 25 0:26 /docker/a /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  REQUIRE_FALSE(unified_cgroup("0::/docker/abc\n", elsewhere));
  REQUIRE_FALSE(unified_cgroup("0::/\n", elsewhere));
  REQUIRE(unified_cgroup("0::/docker/a/b\n", elsewhere)->folder == "/sys/fs/cgroup/b");

  REQUIRE_FALSE(memory_cgroup("", v1_mounts));
  REQUIRE_FALSE(memory_cgroup("0::/\n", v1_mounts));
  REQUIRE_FALSE(memory_cgroup("4:memory:/\n", ""));
  REQUIRE_FALSE(memory_cgroup("nonsense\n:\n::\n", "nonsense\n- - - -\n"));
}

}  // namespace

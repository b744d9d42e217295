#include "core/run_places.h"

#include "tests/catch.h"

using namespace hcrc;

TEST_CASE("The places of a run dir in their order") {
  const auto with = run_places(1000, "/run/user/1000");
  REQUIRE(with.size() == 3);
  CHECK(with[0].path == "/run/hcrc");
  CHECK(with[1].path == "/run/user/1000/hcrc");
  CHECK(with[2].path == "/dev/shm/hcrc-1000");
  CHECK(run_places(0, "").size() == 2);
  CHECK(run_places(0, "relative").size() == 2);
}

TEST_CASE("A path too long for a socket is refused with its length") {
  CHECK(socket_path_too_long(std::string(107, 'x')).empty());
  CHECK(socket_path_too_long(std::string(108, 'x')).find(": 108 bytes, but a socket's path has at most 107") !=
        std::string::npos);
}

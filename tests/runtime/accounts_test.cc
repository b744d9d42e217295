#include "core/runtime/accounts.h"

#include <fstream>

#include "tests/catch.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;

namespace {

struct Files {
  Files() {
    std::ofstream(passwd) << "root:x:0:0:root:/root:/bin/sh\n"
                             "web:x:1001:1002::/srv/web:/bin/sh\n"
                             "broken line\n"
                             "1001:x:77:78:a name of digits::/bin/sh\n"
                             "twin:x:1001:9:::\n";
    std::ofstream(group) << "root:x:0:\n"
                            "web:x:1002:\n"
                            "logs:x:50:other,web\n"
                            "audio:x:20:web,web\n"
                            "300:x:301:\n"
                            "staff:x:60:root\n";
  }
  AccountFiles files() const { return {.passwd = passwd.c_str(), .group = group.c_str()}; }

  test::ScratchDir dir;
  std::string passwd = dir.file("passwd");
  std::string group = dir.file("group");
};

}  // namespace

TEST_CASE("users are found by name, then by number") {
  const Files accounts;
  const auto web = find_user(accounts.files(), "web");
  REQUIRE(web);
  REQUIRE(*web);
  CHECK((*web)->uid == 1001);
  CHECK((*web)->gid == 1002);
  CHECK((*web)->home == "/srv/web");

  const auto digits = find_user(accounts.files(), "1001");
  CHECK((*digits)->uid == 77);
  CHECK((*digits)->home == "/");

  CHECK((*find_user(accounts.files(), "0"))->name == "root");
  CHECK_FALSE(*find_user(accounts.files(), "nobody"));
  CHECK_FALSE(*find_user(accounts.files(), ""));
  CHECK_FALSE(*find_user(accounts.files(), "-1"));
  CHECK_FALSE(*find_user(accounts.files(), "4294967295"));
}

TEST_CASE("a user's number that is in no line is a user with a group of the same number") {
  const Files accounts;
  const auto user = find_user(accounts.files(), "4242");
  REQUIRE(*user);
  CHECK((*user)->uid == 4242);
  CHECK((*user)->gid == 4242);
  CHECK((*user)->name == "4242");
  CHECK((*user)->home == "/");
}

TEST_CASE("groups are found by name, then by number") {
  const Files accounts;
  CHECK(**find_group(accounts.files(), "logs") == 50);
  CHECK(**find_group(accounts.files(), "300") == 301);
  CHECK(**find_group(accounts.files(), "301") == 301);
  CHECK_FALSE(*find_group(accounts.files(), "nogroup"));
}

TEST_CASE("a user's groups are its own and those that list it") {
  const Files accounts;
  CHECK(*groups_of(accounts.files(), **find_user(accounts.files(), "web")) == std::vector<gid_t>{20, 50, 1002});
  CHECK(*groups_of(accounts.files(), **find_user(accounts.files(), "4242")) == std::vector<gid_t>{4242});
}

TEST_CASE("an image without accounts knows numbers only") {
  const AccountFiles none{.passwd = "/nonexistent/passwd", .group = "/nonexistent/group"};
  CHECK((*find_user(none, "65532"))->uid == 65532);
  CHECK_FALSE(*find_user(none, "root"));
  CHECK(**find_group(none, "7") == 7);
}

#include "core/runtime/descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>

#include "core/runtime/standard_input.h"
#include "tests/runtime/one_service.h"

using namespace hcrc;
using namespace hcrc::test;

namespace {

// Which file a descriptor is open for.
ino_t file_of(int fd) {
  struct stat facts{};
  return fstat(fd, &facts) == 0 ? facts.st_ino : 0;
}

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("all descriptors but those that are kept are closed, by each way") {
  for (const CloseBy way : {CloseBy::close_range, CloseBy::listing, CloseBy::trying}) {
    const int code = in_a_child([way] {
      for (const int fd : {20, 21, 22, 300, 301}) dup2(0, fd);
      const std::array kept = {301, 21, 0, -1, 21, 2};
      if (!close_all_but(kept, way)) return 1;
      for (const int fd : {0, 2, 21, 301}) {
        if (!is_open(fd)) return 2;
      }
      for (int fd = 0; fd < 1024; ++fd) {
        if (is_open(fd) && fd != 0 && fd != 2 && fd != 21 && fd != 301) return 3;
      }
      return 0;
    });
    CHECK(code == 0);
  }
}

TEST_CASE("descriptors come to their places however the numbers overlap") {
  const int code = in_a_child([] {
    // 30, 31 and 32 go round; 31 has a second target; 33 stays; one that has no target is not lost.
    std::array<ino_t, 5> files{};
    for (int i = 0; i < 5; ++i) {
      int ends[2];
      if (pipe2(ends, O_CLOEXEC) != 0) return 1;
      dup3(ends[0], 30 + i, O_CLOEXEC);
      files[static_cast<std::size_t>(i)] = file_of(30 + i);
    }
    std::array<Placement, 6> placements = {{{.source = 34, .target = -1},
                                            {.source = 30, .target = 31},
                                            {.source = 31, .target = 32},
                                            {.source = 32, .target = 30},
                                            {.source = 31, .target = 34},
                                            {.source = 33, .target = 33}}};
    if (place(placements) != 0) return 2;
    if (file_of(31) != files[0] || file_of(32) != files[1] || file_of(30) != files[2] || file_of(34) != files[1]) return 3;
    if (file_of(33) != files[3] || file_of(placements[0].source) != files[4]) return 4;
    for (const int fd : {30, 31, 32, 33, 34}) {
      if (fcntl(fd, F_GETFD) != 0) return 5;  // handed on
    }
    return fcntl(placements[0].source, F_GETFD) == FD_CLOEXEC ? 0 : 6;
  });
  CHECK(code == 0);
}

TEST_CASE("closed standard descriptors become something") {
  const int code = in_a_child([] {
    for (int fd = 0; fd <= 2; ++fd) close(fd);
    secure_standard_descriptors();
    for (int fd = 0; fd <= 2; ++fd) {
      if (fcntl(fd, F_GETFD) != 0) return 1;
    }
    char byte = 0;
    return read(0, &byte, 1) == 0 && write(1, "x", 1) == 1 ? 0 : 2;
  });
  CHECK(code == 0);
}

TEST_CASE("text is fed by a pipe or from memory, whole and with an end") {
  const std::string longest(bounds::stdin_bytes, 'x');
  for (const std::string_view text : {std::string_view(), std::string_view("secret\n"), std::string_view(longest)}) {
    const auto pipe = feed(text);
    REQUIRE(pipe);
    struct stat facts{};
    fstat(pipe->get(), &facts);
    CHECK(S_ISFIFO(facts.st_mode));
    CHECK(read_to_end(pipe->get()) == text);
    const auto memory = feed_from_memory(text);
    REQUIRE(memory);
    CHECK(read_to_end(memory->get()) == text);
  }
  CHECK(feed(longest + 'x').error() == EFBIG);
}

TEST_CASE("a full pipe quota is no reason not to feed") {
  const int code = in_a_child([] {
    if (geteuid() == 0 && setresuid(65533, 65533, 65533) != 0) return 1;
    // Beyond pipe-user-pages-soft a user's new pipes have a page or two (pipe(7)).
    std::vector<Pipe> pipes(1100);
    const std::string longest(bounds::stdin_bytes, 'x');
    const auto fed = feed(longest);
    return fed && read_to_end(fed->get()) == longest ? 0 : 2;
  });
  CHECK(code == 0);
}

#include "core/runtime/run_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/catch.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;
using hcrc::test::ScratchDir;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string refusal(const std::string& named) {
  const auto taken = RunDir::take({.named = named, .xdg_runtime_dir = {}});
  if (taken) return "taken";
  CHECK(taken.error().kind == RunDirError::Kind::unavailable);
  return taken.error().sentence;
}

// What another process gets when it asks for the same run dir: 'o' for occupied by us, 't' for taken.
char asked_by_another(const std::string& path, pid_t owner) {
  const pid_t child = fork();
  if (child == 0) {
    const auto taken = RunDir::take({.named = path, .xdg_runtime_dir = {}});
    if (taken) _exit('t');
    const bool named = taken.error().sentence.find("pid " + std::to_string(owner)) != std::string::npos;
    _exit(taken.error().kind == RunDirError::Kind::occupied && taken.error().pid == owner && named ? 'o' : 'u');
  }
  int status = 0;
  waitpid(child, &status, 0);
  return static_cast<char>(WEXITSTATUS(status));
}

}  // namespace

TEST_CASE("A run dir is made with its parents, 0755 whatever the umask, and locked with the pid in it") {
  const ScratchDir scratch;
  const std::string path = scratch.file("a/b/run");
  const mode_t before = umask(0077);
  const auto taken = RunDir::take({.named = path + "//", .xdg_runtime_dir = {}});
  umask(before);
  REQUIRE(taken);
  CHECK(taken->path() == path);
  CHECK(mode_of(path) == 0755);
  CHECK(text_of(path + "/lock") == std::to_string(getpid()) + "\n");
  CHECK((fcntl(taken->fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("A relative run dir becomes absolute") {
  const ScratchDir scratch;
  const std::string here = std::filesystem::current_path();
  std::filesystem::current_path(scratch.path());
  const auto taken = RunDir::take({.named = "run", .xdg_runtime_dir = {}});
  std::filesystem::current_path(here);
  REQUIRE(taken);
  CHECK(taken->path() == scratch.file("run"));
}

TEST_CASE("A run dir in which another runtime lives is refused with its pid, and is free when that has gone") {
  const ScratchDir scratch;
  const std::string path = scratch.file("run");
  {
    const auto taken = RunDir::take({.named = path, .xdg_runtime_dir = {}});
    REQUIRE(taken);
    CHECK(asked_by_another(path, getpid()) == 'o');
    CHECK(asked_by_another(path, getpid()) == 'o');  // asking does not take it away
  }
  CHECK(asked_by_another(path, getpid()) == 't');
}

TEST_CASE("A child that was forked does not hold the run dir") {
  const ScratchDir scratch;
  const std::string path = scratch.file("run");
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  pid_t child = -1;
  {
    const auto taken = RunDir::take({.named = path, .xdg_runtime_dir = {}});
    REQUIRE(taken);
    child = fork();
    if (child == 0) {
      close(ends[1]);
      char byte = 0;
      _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
  }
  CHECK(asked_by_another(path, getpid()) == 't');
  close(ends[0]);
  close(ends[1]);
  waitpid(child, nullptr, 0);
}

TEST_CASE("No link leads to a run dir") {
  const ScratchDir scratch;
  std::filesystem::create_directory(scratch.file("real"));
  std::filesystem::create_symlink("real", scratch.file("link"));
  std::filesystem::create_symlink("nowhere", scratch.file("dangling"));
  CHECK(refusal(scratch.file("link")) ==
        scratch.file("link") + ": a link, and a run dir is reached through none: name the folder itself");
  CHECK(refusal(scratch.file("link/run")).starts_with(scratch.file("link") + ": a link"));
  CHECK(refusal(scratch.file("dangling")).starts_with(scratch.file("dangling") + ": a link"));
  CHECK(std::filesystem::is_empty(scratch.file("real")));
}

TEST_CASE("What is no folder is no run dir, and stays") {
  const ScratchDir scratch;
  std::ofstream(scratch.file("file")) << "x";
  CHECK(refusal(scratch.file("file")) == scratch.file("file") + ": Not a directory");
  CHECK(text_of(scratch.file("file")) == "x");
}

TEST_CASE("A lock that is no regular file is not touched") {
  const ScratchDir scratch;
  const std::string lock = scratch.file("lock");
  SECTION("a link") {
    std::filesystem::create_symlink("elsewhere", lock);
    CHECK(refusal(scratch.path()) == lock + ": a link, which is never followed: remove it");
    CHECK_FALSE(std::filesystem::exists(scratch.file("elsewhere")));
  }
  SECTION("a FIFO") {
    REQUIRE(mkfifo(lock.c_str(), 0600) == 0);
    CHECK(refusal(scratch.path()) == lock + ": no regular file: remove it");
  }
  SECTION("a folder") {
    std::filesystem::create_directory(lock);
    CHECK(refusal(scratch.path()) == lock + ": Is a directory");
  }
}

TEST_CASE("An existing folder gets its mode only where it is for hcrc alone") {
  const ScratchDir scratch;
  REQUIRE(chmod(scratch.path().c_str(), 01777) == 0);
  SECTION("empty") {
    CHECK(refusal(scratch.path()) == "taken");
    CHECK(mode_of(scratch.path()) == 0755);
  }
  SECTION("a run dir before") {
    std::ofstream(scratch.file("lock")) << "12\n";
    std::ofstream(scratch.file("other"));
    CHECK(refusal(scratch.path()) == "taken");
    CHECK(mode_of(scratch.path()) == 0755);
  }
  SECTION("used for other things") {
    std::ofstream(scratch.file("other"));
    CHECK(refusal(scratch.path()).find("holds other things") != std::string::npos);
    CHECK(mode_of(scratch.path()) == 01777);
  }
}

TEST_CASE("A folder that belongs to another user is no run dir") {
  if (geteuid() != 0) return;
  const ScratchDir scratch;
  REQUIRE(chown(scratch.path().c_str(), 12345, 0) == 0);
  CHECK(refusal(scratch.path()) == scratch.path() + ": belongs to uid 12345, not to this runtime's");
}

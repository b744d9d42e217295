#include "core/runtime/survivors.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/runtime/console.h"
#include "core/runtime/process_records.h"
#include "core/runtime/run_dir.h"
#include "tests/catch.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;
using hcrc::test::ScratchDir;

namespace {

RunDir run_dir_in(const ScratchDir& scratch) {
  auto taken = RunDir::take({.named = scratch.file("run"), .xdg_runtime_dir = {}});
  REQUIRE(taken);
  return std::move(*taken);
}

RecordedRule rule(std::string_view name, std::uint32_t level = 0, int stop_signal = SIGTERM,
                  Milliseconds timeout = Milliseconds(5'000)) {
  return {.name = name, .level = level, .stop_signal = stop_signal, .stop_timeout = timeout};
}

// A child that has entered itself and leads a session; `then` is what it does besides waiting for its end.
template <typename Then>
pid_t recorded(ProcessRecord* record, Then then) {
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t runtime = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!record->enter(runtime)) _exit(1);
    setsid();
    then();
    [[maybe_unused]] const ssize_t said = write(ready[1], "r", 1);
    close(ready[0]);
    close(ready[1]);
    for (;;) pause();
  }
  close(ready[1]);
  char byte = 0;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  close(ready[0]);
  return child;
}

pid_t recorded(ProcessRecord* record) {
  return recorded(record, [] {});
}

int ended_by(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace

TEST_CASE("what has entered itself is found by who has the run dir next", "[other-processes]") {
  const ScratchDir scratch;
  const RunDir run_dir = run_dir_in(scratch);
  pid_t child = 0;
  {
    ProcessRecords records;
    REQUIRE(records.open(run_dir, 3));
    child = recorded(records.prepare(2, RecordKind::helper, rule("web", 7, SIGUSR2, Milliseconds(1'234))));
  }
  const auto found = survivors(read_records(run_dir).processes);
  REQUIRE(found.size() == 1);
  CHECK(found[0].pid == child);
  CHECK(found[0].name == "web");
  CHECK(found[0].level == 7);
  CHECK(found[0].stop_signal == SIGUSR2);
  CHECK(found[0].stop_timeout == Milliseconds(1'234));
  kill(child, SIGKILL);
  ended_by(child);
  CHECK(survivors(read_records(run_dir).processes).empty());
}

TEST_CASE("what has ended is not found, and a place is cleared by who had it alone", "[other-processes]") {
  const ScratchDir scratch;
  const RunDir run_dir = run_dir_in(scratch);
  ProcessRecords records;
  REQUIRE(records.open(run_dir, 1));
  const pid_t child = recorded(records.prepare(0, RecordKind::main, rule("web")));
  records.clear(0, RecordKind::main, child + 1);
  CHECK(read_records(run_dir).processes.size() == 1);
  records.clear(0, RecordKind::main, child);
  CHECK(read_records(run_dir).processes.empty());
  kill(child, SIGKILL);
  ended_by(child);
}

TEST_CASE("there is room for more services while records are kept", "[other-processes]") {
  const ScratchDir scratch;
  const RunDir run_dir = run_dir_in(scratch);
  ProcessRecords records;
  REQUIRE(records.open(run_dir, 1));
  CHECK(records.prepare(1, RecordKind::main, rule("late")) == nullptr);
  const pid_t early = recorded(records.prepare(0, RecordKind::main, rule("early")));
  REQUIRE(records.make_room(5'000));
  const pid_t late = recorded(records.prepare(4'999, RecordKind::probe, rule("late")));
  CHECK(survivors(read_records(run_dir).processes).size() == 2);
  for (const pid_t child : {early, late}) {
    kill(child, SIGKILL);
    ended_by(child);
  }
}

TEST_CASE("a child whose runtime is gone does not go on") {
  const ScratchDir scratch;
  const RunDir run_dir = run_dir_in(scratch);
  ProcessRecords records;
  REQUIRE(records.open(run_dir, 1));
  ProcessRecord* record = records.prepare(0, RecordKind::main, rule("web"));
  CHECK_FALSE(record->enter(getpid()));  // our parent is another
  CHECK(record->enter(getppid()));
}

TEST_CASE("records of another boot, another build, or that are damaged, are of nobody", "[other-processes]") {
  const ScratchDir scratch;
  const RunDir run_dir = run_dir_in(scratch);
  pid_t child = 0;
  {
    ProcessRecords records;
    REQUIRE(records.open(run_dir, 1));
    child = recorded(records.prepare(0, RecordKind::main, rule("web")));
  }
  const std::string path = run_dir.file("processes");
  std::string bytes;
  {
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  const auto written = [&](const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    return survivors(read_records(run_dir).processes);
  };
  REQUIRE(written(bytes).size() == 1);
  // The head (magic, size of a record, count, boot id, namespace, its PID 1), and of the record what tells who it is.
  constexpr std::size_t world_ends = 72, record_begins = 592;  // the services' cgroup is between them
  for (std::size_t at = 0; at < record_begins + 4; ++at) {
    if (at >= 52 && at < 56) continue;  // behind the boot id's 36 characters
    if (at >= world_ends && at < record_begins) continue;
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x55);
    INFO("byte " << at);
    const bool count = at >= 12 && at < 16;  // more than there are: those that are there
    CHECK(written(changed).size() == (count ? 1u : 0u));
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) CHECK(written(bytes.substr(0, length)).size() <= 1);
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/etc/passwd", path);
  CHECK(read_records(run_dir).processes.empty());
  kill(child, SIGKILL);
  ended_by(child);
}

TEST_CASE("the group that a predecessor's cgroups are in is known by its inode, as long as it is there") {
  const ScratchDir scratch;
  const RunDir run_dir = run_dir_in(scratch);
  const std::string folder = scratch.path() + "/hcrc-7/";
  std::filesystem::create_directory(folder);
  struct stat facts{};
  REQUIRE(stat(folder.c_str(), &facts) == 0);
  const auto kept = [&](std::string_view name, std::uint64_t inode) {
    {
      ProcessRecords records;
      REQUIRE(records.open(run_dir, 1));
      records.set_cgroup(name, inode);
    }
    return read_records(run_dir).cgroup;
  };
  CHECK(kept(folder, facts.st_ino) == folder);
  CHECK(kept(folder, facts.st_ino + 1).empty());
  CHECK(kept("", 0).empty());
  CHECK(kept(std::string(600, 'x'), facts.st_ino).empty());
  ProcessRecords records;
  REQUIRE(records.open(run_dir, 1));
  records.set_cgroup(folder, facts.st_ino);
  std::filesystem::remove(folder);
  CHECK(read_records(run_dir).cgroup.empty());
}

TEST_CASE("a number that a stranger has got is nobody's survivor") {
  FoundRecord record{.pid = getppid(),
                     .forked_after = 0,
                     .forked_before = 1,
                     .level = 0,
                     .stop_signal = SIGTERM,
                     .stop_timeout = Milliseconds(10),
                     .name = "web"};
  CHECK(survivors({&record, 1}).empty());
}

TEST_CASE("survivors end in stop order, each by its own signal, with what they have left", "[other-processes]") {
  const ScratchDir scratch;
  const RunDir run_dir = run_dir_in(scratch);
  ProcessRecords records;
  REQUIRE(records.open(run_dir, 3));
  // Whoever ends leaves a line: the order of the lines is that of the ends.
  static int told[2];
  REQUIRE(pipe(told) == 0);
  const auto tells = [](int signal, const char* name) {
    static const char* who;
    who = name;
    struct sigaction action{};
    action.sa_handler = [](int) {
      [[maybe_unused]] const ssize_t written = write(told[1], who, 1);
      _exit(0);
    };
    sigaction(signal, &action, nullptr);
  };
  const pid_t below = recorded(records.prepare(0, RecordKind::main, rule("below", 0)), [&] { tells(SIGTERM, "b"); });
  const pid_t above =
      recorded(records.prepare(1, RecordKind::main, rule("above", 1, SIGUSR1)), [&] { tells(SIGUSR1, "a"); });
  // Its leader is dead already; one of its group is not, and hears nothing but SIGKILL.
  const pid_t stubborn = recorded(records.prepare(2, RecordKind::main, rule("stubborn", 2, SIGTERM, Milliseconds(50))), [] {
    if (fork() != 0) return;
    signal(SIGTERM, SIG_IGN);
    for (;;) pause();
  });
  kill(stubborn, SIGKILL);
  CHECK(ended_by(stubborn) == SIGKILL);
  auto found = survivors(read_records(run_dir).processes);
  CHECK(found.size() == 3);
  Console console;
  end_survivors(std::move(found), Milliseconds(5'000), console);
  close(told[1]);
  char order[4] = {};
  CHECK(read(told[0], order, 3) == 2);
  CHECK(std::string(order) == "ab");
  close(told[0]);
  CHECK(ended_by(below) == 0);
  CHECK(ended_by(above) == 0);
  CHECK(survivors(read_records(run_dir).processes).empty());
}

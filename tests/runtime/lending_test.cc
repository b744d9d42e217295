// Children that have the runtime's memory until their exec (spawn.h).
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/runtime/spawn.h"
#include "tests/runtime/one_service.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;
using namespace hcrc::test;

namespace {

// Whether a process of the service has the runtime's memory.
bool lent_to(const Service& service, const std::function<void(SpawnRequest&)>& adjust = {}) {
  const Database database = database_of(service);
  const RuntimeFacts facts = facts_of();
  Spawner spawner(facts);
  SpawnRequest request;
  request.database = &database;
  request.judge_paths = true;
  if (adjust) adjust(request);
  const auto spawned = spawner.spawn(request);
  REQUIRE(spawned);
  answers_of(spawner, *spawned);
  wait_for(spawned->pid);
  return !spawned->answer;
}

// Not by an older kernel, nor in a sanitizer.
bool lends() {
  static const bool at_all = lent_to(shell_service("true"));
  return at_all;
}

// Whether the kernel is one that memory is to be lent on; the other tests have nothing to say where it is not.
[[maybe_unused]] bool is_new_enough() {
  utsname names{};
  int major = 0;
  int minor = 0;
  return uname(&names) == 0 && std::sscanf(names.release, "%d.%d", &major, &minor) == 2 &&
         std::pair(major, minor) >= std::pair(5, 16);
}

// A program whose exec waits as long as it is held: who opens it waits for the end of our lease (fcntl(2)).
class HeldProgram {
 public:
  explicit HeldProgram(const std::string& path) {
    std::filesystem::copy_file("/bin/true", path);
    signal(SIGIO, SIG_IGN);  // by which the kernel asks us to let go
    file_.reset(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    held_ = fcntl(file_.get(), F_SETLEASE, F_WRLCK) == 0;
  }
  bool held() const { return held_; }
  void release() { file_.reset(); }

 private:
  Descriptor file_;
  bool held_ = false;
};

char state_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name;
  char state = '?';
  file >> number >> name >> state;
  return state;
}

// Another process, which does something to the next child of this one that sleeps; its exit code is what that comes to.
pid_t watcher_of_next_child(const std::function<int(pid_t)>& act) {
  const std::string self = std::to_string(getpid());
  const pid_t watcher = fork();
  if (watcher != 0) return watcher;
  for (;;) {
    std::ifstream children("/proc/" + self + "/task/" + self + "/children");
    for (pid_t child = 0; children >> child;) {
      if (child != getpid() && state_of(child) == 'S') _exit(act(child));
    }
  }
}

enum class Meanwhile : bool { nothing, stopped };

// What a start comes to whose program does not let itself be opened: 0 if it got a memory of its own, all after it too, and
// ran as soon as it could. In a process of its own.
int start_of_held_program(const std::string& path, Meanwhile meanwhile) {
  HeldProgram program(path);
  if (!program.held()) return 100;
  Service service = shell_service("");
  service.command = words({path});
  const Database held = database_of(service);
  const Database other = database_of(shell_service("exit 3"));
  const RuntimeFacts facts = facts_of();
  Spawner spawner(facts);
  const pid_t stopper =
      meanwhile == Meanwhile::stopped ? watcher_of_next_child([](pid_t child) { return kill(child, SIGSTOP); }) : 0;
  SpawnRequest request;
  request.database = &held;
  const auto spawned = spawner.spawn(request);
  if (stopper != 0 && wait_for(stopper) != 0) return 101;
  if (!spawned || !spawned->answer) return 102;
  program.release();
  if (!answers_of(spawner, *spawned).empty()) return 103;
  if (wait_for(spawned->pid) != 0) return 104;
  if (waitpid(-1, nullptr, WNOHANG) >= 0) return 105;  // of the first try nothing is left
  request.database = &other;
  const auto next = spawner.spawn(request);
  if (!next || !next->answer) return 106;
  const int status = wait_for(next->pid);
  return WIFEXITED(status) && WEXITSTATUS(status) == 3 ? 0 : 107;
}

std::size_t heap_in_use() { return mallinfo2().uordblks; }

}  // namespace

// Elsewhere the tests may run in an emulator.
#if defined(__x86_64__) && !defined(HCRC_SANITIZED)
TEST_CASE("memory is lent at all") { CHECK(lends() == is_new_enough()); }
#endif

TEST_CASE("memory is lent where a start reads nothing, becomes nobody else and is not held back") {
  if (!lends()) return;
  const auto with = [](const auto& change) {
    Service service = shell_service("true");
    change(service);
    return lent_to(service);
  };
  CHECK(with([](Service& one) { one.stdin_text = "text"; }));
  CHECK(with([](Service& one) { one.limits = {{LimitKind::nofile, 25, 30}}; }));
  CHECK(with([](Service& one) { one.oom_score_adj = 500; }));
  CHECK(with([](Service& one) { one.no_new_privileges = true; }));
  CHECK_FALSE(with([](Service& one) { one.user = literal("root"); }));
  CHECK_FALSE(with([](Service& one) { one.group = literal("root"); }));
  CHECK_FALSE(with([](Service& one) { one.groups = std::vector<Template>{literal("root")}; }));
  CHECK_FALSE(with([](Service& one) { one.capabilities = 0; }));
  CHECK_FALSE(with([](Service& one) { one.environment_files = {literal("/dev/null")}; }));
  CHECK_FALSE(with([](Service& one) { one.stdin_file = literal("/dev/null"); }));
  CHECK_FALSE(with([](Service& one) { one.nice = 1; }));
  CHECK_FALSE(with([](Service& one) { one.resources.cpu_max_quota_us = 100'000; }));
  CHECK_FALSE(with([](Service& one) { one.resources.memory_max = 1u << 30; }));
  const ScratchDir folder;
  CHECK_FALSE(with([&folder](Service& one) { one.lock = literal(folder.file("lock")); }));
  Service judged = shell_service("true");
  judged.conditions = {{.kind = ConditionKind::path, .name = {}, .value = literal("/")}};
  CHECK_FALSE(lent_to(judged));
  CHECK(lent_to(judged, [](SpawnRequest& request) { request.judge_paths = false; }));
}

TEST_CASE("what a child does with the memory that it is lent does not stay") {
  if (!lends()) return;
  // More than the room that there is for it.
  const std::string large = "LARGE=" + std::string(100'000, 'x');
  const RuntimeFacts facts = facts_of({"PATH=/usr/bin:/bin", large.c_str()});
  Service service = shell_service("exit 3");
  service.environment = {{"AGAIN", Template{.pieces = {variable("LARGE")}}}};
  const Database database = database_of(service);
  Spawner spawner(facts);
  SpawnRequest request;
  request.database = &database;
  const auto start = [&] {
    const auto spawned = spawner.spawn(request);
    const bool went_well = spawned && !spawned->answer && !spawner.take_answer();
    const int status = wait_for(spawned->pid);
    return went_well && WIFEXITED(status) && WEXITSTATUS(status) == 3;
  };
  CHECK(start());
  const std::size_t before = heap_in_use();
  bool all = true;
  for (int i = 0; i < 10; ++i) all = start() && all;
  CHECK(all);
  CHECK(heap_in_use() == before);
}

TEST_CASE("what a child says in the memory that it is lent is heard at once") {
  if (!lends()) return;
  Service service = shell_service("");
  service.command = words({"/no/such/program"});
  const Ran ran = run(service);
  CHECK(ran.failure() == "command /no/such/program: No such file or directory");
  CHECK(run(shell_service("exit 4")).exited(4));
}

TEST_CASE("a child that takes too long to its exec gets a memory of its own, like all after it", "[other-processes]") {
  if (!lends()) return;
  const ScratchDir folder;
  CHECK(in_a_child([&folder] { return start_of_held_program(folder.file("program"), Meanwhile::nothing); }) == 0);
}

TEST_CASE("a child that is stopped before its exec does not stop the runtime", "[other-processes]") {
  if (!lends()) return;
  const ScratchDir folder;
  CHECK(in_a_child([&folder] { return start_of_held_program(folder.file("program"), Meanwhile::stopped); }) == 0);
}

namespace {

std::size_t processors_of(pid_t pid) {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  return sched_getaffinity(pid, sizeof processors, &processors) == 0 ? static_cast<std::size_t>(CPU_COUNT(&processors)) : 0;
}

// Of several starts in one turn: our processors and the child's, after each; then, once the turn has ended, ours.
std::vector<std::size_t> processors_in_a_turn(std::initializer_list<const Service*> services) {
  const RuntimeFacts facts = facts_of();
  Spawner spawner(facts);
  std::vector<std::size_t> seen;
  for (const Service* service : services) {
    const Database database = database_of(*service);
    SpawnRequest request;
    request.database = &database;
    const auto spawned = spawner.spawn(request);
    REQUIRE(spawned);
    answers_of(spawner, *spawned);
    seen.push_back(processors_of(0));
    seen.push_back(processors_of(spawned->pid));
    kill(spawned->pid, SIGKILL);
    wait_for(spawned->pid);
  }
  spawner.end_turn();
  seen.push_back(processors_of(0));
  return seen;
}

enum class Turn : bool { first, later };

// How many processors we may be on while we stand still for a start, the first of its turn or not, as another process sees
// it. In a process of its own.
int processors_during_a_start(const std::string& path, Turn turn) {
  HeldProgram program(path);
  if (!program.held()) return 100;
  Service service = shell_service("");
  service.command = words({path});
  const Database held = database_of(service);
  const Database other = database_of(shell_service("exit 3"));
  const RuntimeFacts facts = facts_of();
  Spawner spawner(facts);
  SpawnRequest request;
  if (turn == Turn::later) {
    request.database = &other;
    const auto first = spawner.spawn(request);
    if (!first || wait_for(first->pid) < 0) return 101;
  }
  const pid_t watcher = watcher_of_next_child([self = getpid()](pid_t) { return static_cast<int>(processors_of(self)); });
  request.database = &held;
  const auto spawned = spawner.spawn(request);
  const int seen = wait_for(watcher);
  program.release();
  if (!spawned || wait_for(spawned->pid) != 0) return 102;
  return WIFEXITED(seen) ? WEXITSTATUS(seen) : 103;
}

}  // namespace

TEST_CASE("who starts several gives up its processor to each, and nobody stays confined", "[other-processes]") {
  const std::size_t all = processors_of(0);
  if (!lends() || all < 2) return;
  const Service sleeps = shell_service("exec sleep 1000");
  Service forked = sleeps;
  forked.nice = 1;
  CHECK(processors_in_a_turn({&sleeps}) == std::vector(3, all));
  CHECK(processors_in_a_turn({&sleeps, &sleeps, &sleeps, &forked}) == std::vector(9, all));
  const ScratchDir folder;
  const auto may_go = [&](Turn turn) {
    return in_a_child([&] { return processors_during_a_start(folder.file("program"), turn); });
  };
  CHECK(may_go(Turn::first) == static_cast<int>(all));
  std::filesystem::remove(folder.file("program"));
  CHECK(may_go(Turn::later) == static_cast<int>(all - 1));
}

TEST_CASE("who is confined on purpose stays so, with all children", "[other-processes]") {
  const auto confined = [] {
    cpu_set_t processors;
    CPU_ZERO(&processors);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &processors);
    if (sched_setaffinity(0, sizeof processors, &processors) != 0) return 100;
    const Service sleeps = shell_service("exec sleep 1000");
    return processors_in_a_turn({&sleeps, &sleeps, &sleeps}) == std::vector<std::size_t>(7, 1) ? 0 : 101;
  };
  CHECK(in_a_child(confined) == 0);
}

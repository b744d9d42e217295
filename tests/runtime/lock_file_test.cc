#include "core/runtime/lock_file.h"

#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/runtime/one_service.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;
using namespace hcrc::test;

namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A copy of the service that has its lock and runs until `stdin` of it ends.
struct Copy {
  Copy(const Service& service, std::optional<std::span<const pid_t>> children = {}) : database(database_of(service)) {
    request.database = &database;
    request.output = output.write.get();
    request.children = children;
    auto started = Spawner(facts).spawn(request);
    REQUIRE(started);
    spawned = std::move(*started);
    output.write.reset();
  }
  std::optional<SpawnAnswer> answer() const {
    fcntl(spawned.answer.get(), F_SETFL, 0);
    SpawnAnswer next;
    return read_answer(spawned.answer.get(), next) == AnswerRead::answer ? std::optional(next) : std::nullopt;
  }
  std::string line() const {  // waits for one
    std::string text;
    for (char character = 0; read(output.read.get(), &character, 1) == 1 && character != '\n';) text += character;
    return text;
  }

  RuntimeFacts facts = facts_of();
  Database database;
  SpawnRequest request;
  Pipe output;
  Spawned spawned;
};

}  // namespace

TEST_CASE("who holds a lock is said in words") {
  CHECK(holder_in_words("host 7 2025-11-25T02:15:00Z\n").view() == "pid 7 on host since 2025-11-25T02:15:00Z");
  CHECK(holder_in_words("ho\x1bst 7 now\nmore").view() == "pid 7 on ho?st since now");
  for (const std::string_view content : {"", "host", "host 7", "host x now", "host 7 ", "\n"}) {
    CHECK(holder_in_words(content).view() == "an unknown holder");
  }
  CHECK(holder_in_words(std::string(1000, 'h') + " 7 now").view().size() < 100);
}

TEST_CASE("a second copy waits for the lock of the first and says for whom") {
  test::ScratchDir dir;
  Service service = shell_service("echo started; sleep 1000");
  service.lock = literal(dir.file("lock"));
  const Copy first(service);
  CHECK_FALSE(first.answer());
  CHECK(first.line() == "started");
  std::istringstream holder(content_of(dir.file("lock")));
  std::string host, pid, since;
  holder >> host >> pid >> since;
  CHECK(pid == std::to_string(first.spawned.pid));
  CHECK(since.size() == 20);

  const Copy second(service);
  const auto busy = second.answer();
  REQUIRE(busy);
  CHECK(busy->kind == SpawnAnswer::Kind::lock_busy);
  CHECK(busy->detail.view() == "pid " + pid + " on " + host + " since " + since);
  CHECK_FALSE(second.answer());
  CHECK(second.line().empty());  // it holds nobody's output open
  int status = 0;
  CHECK(waitpid(second.spawned.pid, &status, WNOHANG) == 0);

  kill(-first.spawned.pid, SIGKILL);
  wait_for(first.spawned.pid);
  status = wait_for(second.spawned.pid);  // the lock is free: so it ends
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  const Copy third(service);
  CHECK(third.line() == "started");
  kill(-third.spawned.pid, SIGKILL);
  wait_for(third.spawned.pid);
}

TEST_CASE("the lock is held by every process of the service") {
  test::ScratchDir dir;
  Service service = shell_service("sleep 1000 & echo $!");
  service.lock = literal(dir.file("lock"));
  const Copy first(service);
  const pid_t left = static_cast<pid_t>(std::stoi(first.line()));
  wait_for(first.spawned.pid);
  const Copy second(service);
  CHECK(second.answer()->kind == SpawnAnswer::Kind::lock_busy);
  kill(left, SIGKILL);
  CHECK(WEXITSTATUS(wait_for(second.spawned.pid)) == 0);
}

TEST_CASE("cleanup takes the lock, stop commands and checks do not") {
  test::ScratchDir dir;
  Service service = shell_service("echo started; sleep 1000");
  service.lock = literal(dir.file("lock"));
  service.cleanup = words({"true"});
  service.stop.command = words({"true"});
  const Copy first(service);
  CHECK(first.line() == "started");
  CHECK(run(service, facts_of(), [](SpawnRequest& request) { request.role = ProcessRole::stop_command; }).exited(0));
  Pipe output;
  const Database database = database_of(service);
  SpawnRequest request;
  request.database = &database;
  request.role = ProcessRole::cleanup;
  const RuntimeFacts facts = facts_of();
  const auto cleanup = Spawner(facts).spawn(request);
  REQUIRE(cleanup);
  fcntl(cleanup->answer.get(), F_SETFL, 0);
  SpawnAnswer answer;
  REQUIRE(read_answer(cleanup->answer.get(), answer) == AnswerRead::answer);
  CHECK(answer.kind == SpawnAnswer::Kind::lock_busy);
  kill(cleanup->pid, SIGKILL);
  wait_for(cleanup->pid);
  kill(-first.spawned.pid, SIGKILL);
  wait_for(first.spawned.pid);
}

TEST_CASE("an orphan of our own that holds the lock gets SIGKILL, another service's process does not", "[other-processes]") {
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  test::ScratchDir dir;
  Service service = shell_service("setsid sleep 1000 & echo $!; wait");
  service.lock = literal(dir.file("lock"));
  const Copy first(service);
  const pid_t holder = static_cast<pid_t>(std::stoi(first.line()));
  const std::vector<pid_t> children = {first.spawned.pid};
  {
    const Copy second(service, children);
    CHECK(second.answer()->kind == SpawnAnswer::Kind::lock_busy);
    CHECK(kill(holder, 0) == 0);
    kill(second.spawned.pid, SIGKILL);
    wait_for(second.spawned.pid);
  }
  kill(first.spawned.pid, SIGKILL);
  wait_for(first.spawned.pid);
  const Copy third(service, std::span<const pid_t>());
  const auto note = third.answer();
  REQUIRE(note);
  CHECK(note->kind == SpawnAnswer::Kind::note);
  CHECK(note->detail.view() == "SIGKILL to 1 orphan that holds its lock");
  CHECK(third.answer()->kind == SpawnAnswer::Kind::lock_busy);
  const int status = wait_for(holder);
  CHECK(WIFSIGNALED(status));
  CHECK(WEXITSTATUS(wait_for(third.spawned.pid)) == 0);
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

TEST_CASE("a lock is a regular file with one name, and no link is followed to it") {
  test::ScratchDir dir;
  Service service = shell_service("echo started");
  std::ofstream(dir.file("file")) << "content that stays";
  REQUIRE(symlink(dir.file("file").c_str(), dir.file("link").c_str()) == 0);
  service.lock = literal(dir.file("link"));
  CHECK(run(service).failure() == "lock " + dir.file("link") + ": Too many levels of symbolic links");
  REQUIRE(link(dir.file("file").c_str(), dir.file("second").c_str()) == 0);
  service.lock = literal(dir.file("second"));
  CHECK(run(service).failure() == "lock " + dir.file("second") + " is a file with several names");
  CHECK(content_of(dir.file("file")) == "content that stays");
  REQUIRE(mkfifo(dir.file("fifo").c_str(), 0600) == 0);
  service.lock = literal(dir.file("fifo"));
  CHECK(run(service).failure() == "lock " + dir.file("fifo") + " is no regular file");
  service.lock = literal(dir.file("none") + "/lock");
  CHECK(run(service).failure() == "lock " + dir.file("none") + "/lock: No such file or directory");
}

TEST_CASE("the lock's descriptor is in nobody's way") {
  test::ScratchDir dir;
  Pipe ready;
  Service service = shell_service("ls /proc/self/fd");
  service.lock = literal(dir.file("lock"));
  CHECK(run(service).output == "0\n1\n10\n2\n3\n");
  service.ready.kind = ReadyKind::fd;
  service.ready.fd = 10;
  const Ran ran = run(service, facts_of(), [&ready](SpawnRequest& request) { request.ready_fd = ready.write.get(); });
  CHECK(ran.output == "0\n1\n10\n11\n2\n3\n");
}

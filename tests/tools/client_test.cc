#include "tools/client.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#include "tests/catch.h"
#include "tests/runtime/scratch_dir.h"
#include "tests/tools/fake_runtime.h"
#include "tools/conversation.h"

using namespace hcrc;
using namespace std::chrono_literals;
using hcrc::test::FakeRuntime;
using hcrc::test::ScratchDir;

namespace {

// What a command writes to one of our descriptors.
class Capture {
 public:
  Capture(int fd, FILE* stream) : fd_(fd), stream_(stream), before_(dup(fd)), file_(std::tmpfile()) {
    std::fflush(stream_);
    dup2(fileno(file_), fd_);
  }
  std::string end() {
    std::fflush(stream_);
    dup2(before_, fd_);
    close(before_);
    std::string text;
    std::rewind(file_);
    for (int c = 0; (c = std::fgetc(file_)) != EOF;) text += static_cast<char>(c);
    std::fclose(file_);
    return text;
  }

 private:
  int fd_;
  FILE* stream_;
  int before_;
  FILE* file_;
};

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran run_in(const std::string& run_dir, Verb verb, std::string request, std::optional<std::chrono::milliseconds> timeout = {},
           bool json = false) {
  Capture out(STDOUT_FILENO, stdout);
  Capture err(STDERR_FILENO, stderr);
  Command command;
  command.verb = verb;
  command.request = std::move(request);
  command.timeout = timeout;
  command.json = json;
  RuntimeSearch search;
  search.named = run_dir;
  const int code = run(command, search);
  std::string err_text = err.end();
  return {.code = code, .out = out.end(), .err = std::move(err_text)};
}

Ending ask(const std::string& run_dir, const Patience& patience = {}, int* lines = nullptr) {
  RuntimeSearch search;
  search.named = run_dir;
  return converse(search, "status", patience, [&](const JsonValue&) {
    if (lines != nullptr) ++*lines;
  });
}

const char* const ok = "{\"result\":\"ok\"}\n";

}  // namespace

TEST_CASE("An answer in any pieces is taken whole") {
  const ScratchDir scratch;
  const std::string answer = std::string("{\"service\":{\"name\":\"a\"}}\n{\"why\":\"x\"}\n") + ok + "ignored";
  FakeRuntime runtime(scratch.path(), {[&](int connection) {
                        for (const char character : answer) send(connection, &character, 1, MSG_NOSIGNAL);
                      }});
  int lines = 0;
  const Ending ending = ask(scratch.path(), {}, &lines);
  CHECK(ending.kind == Ending::Kind::answered);
  CHECK(ending.code == 0);
  CHECK(lines == 2);
  CHECK(runtime.requests() == std::vector<std::string>{"status"});
}

TEST_CASE("What is no answer is told so") {
  const ScratchDir scratch;
  FakeRuntime runtime(scratch.path(), {FakeRuntime::says("SSH-2.0-OpenSSH_9.2\n"), FakeRuntime::says("[1]\n"),
                                       FakeRuntime::says("{\"result\":7}\n"), FakeRuntime::says(std::string(1 << 20, 'x'))});
  for (int i = 0; i < 4; ++i) {
    const Ending ending = ask(scratch.path());
    CHECK(ending.kind == Ending::Kind::broken);
    CHECK(ending.code == exit_code::system);
  }
}

TEST_CASE("A runtime that goes before it answers is unreachable") {
  const ScratchDir scratch;
  FakeRuntime runtime(scratch.path(), {FakeRuntime::says(""), FakeRuntime::says("{\"service\":{}}\n{\"resu")});
  for (int i = 0; i < 2; ++i) {
    const Ending ending = ask(scratch.path());
    CHECK(ending.kind == Ending::Kind::lost);
    CHECK(ending.code == exit_code::unreachable);
  }
}

TEST_CASE("A runtime that takes the connection and says nothing is given up") {
  const ScratchDir scratch;
  FakeRuntime runtime(scratch.path(), {FakeRuntime::stays_silent, FakeRuntime::stays_silent});
  Patience patience;
  patience.silence = 20ms;
  CHECK(ask(scratch.path(), patience).kind == Ending::Kind::timed_out);
  Patience until;
  until.until = Patience::Clock::now() + 20ms;
  CHECK(ask(scratch.path(), until).code == exit_code::timed_out);
}

TEST_CASE("Where no runtime is") {
  const ScratchDir scratch;
  CHECK(ask(scratch.path()).text ==
        "no runtime reachable: " + scratch.file("control") + ": No such file or directory: is hcrc-init running there?");
  {
    const FakeRuntime gone(scratch.path(), {});
  }
  const Ending dead = ask(scratch.path());
  CHECK(dead.code == exit_code::unreachable);
  CHECK(dead.text == "no runtime reachable: " + scratch.file("control") + ": nobody listens: its runtime has ended");
  const std::string folder = scratch.file(std::string(120, 'x'));
  CHECK(ask(folder).text.find(std::to_string(folder.size() + 8) + " bytes, but a socket's path has at most 107") !=
        std::string::npos);
}

TEST_CASE("The runtime's code and sentence become the client's") {
  const ScratchDir scratch;
  FakeRuntime runtime(
      scratch.path(),
      {FakeRuntime::says("{\"result\":\"error\",\"code\":3,\"text\":\"no service named x\"}\n"),
       FakeRuntime::says("{\"result\":\"failed\",\"code\":1,\"text\":\"a is held: \\u001b[2J\"}\n"), FakeRuntime::says(ok)});
  const Ran unknown = run_in(scratch.path(), Verb::start, "start x");
  CHECK(unknown.code == 3);
  CHECK(unknown.out.empty());
  CHECK(unknown.err == "hcrc: no service named x\n");
  const Ran failed = run_in(scratch.path(), Verb::start, "start a");
  CHECK(failed.code == 1);
  CHECK(failed.err == "hcrc: a is held: ?[2J\n");
  const Ran done = run_in(scratch.path(), Verb::start, "start a");
  CHECK(done.code == 0);
  CHECK(done.out.empty());
  CHECK(done.err.empty());
}

TEST_CASE("Health is one line on stdout, and the exit code") {
  const ScratchDir scratch;
  FakeRuntime runtime(scratch.path(),
                      {FakeRuntime::says(ok), FakeRuntime::says("{\"result\":\"ok\",\"text\":\"all well\"}\n"),
                       FakeRuntime::says("{\"result\":\"failed\",\"code\":1,\"text\":\"holochain is held\"}\n")});
  CHECK(run_in(scratch.path(), Verb::health, "health").out == "healthy\n");
  CHECK(run_in(scratch.path(), Verb::health, "health").out == "all well\n");
  const Ran ill = run_in(scratch.path(), Verb::health, "health");
  CHECK(ill.code == 1);
  CHECK(ill.out == "holochain is held\n");
  CHECK(ill.err.empty());
}

TEST_CASE("Names and reasons are lines") {
  const ScratchDir scratch;
  FakeRuntime runtime(scratch.path(),
                      {FakeRuntime::says(std::string("{\"listed\":{\"name\":\"a\"}}\n{\"listed\":{\"name\":\"b\"}}\n") + ok),
                       FakeRuntime::says(std::string("{\"why\":\"a waits for b\"}\n{\"why\":\"b is failed\"}\n") + ok)});
  CHECK(run_in(scratch.path(), Verb::list, "list").out == "a\nb\n");
  CHECK(run_in(scratch.path(), Verb::why, "why a").out == "a waits for b\nb is failed\n");
}

TEST_CASE("A status as JSON is one line, and nothing of it where the answer fails") {
  const ScratchDir scratch;
  const std::string lines = "{\"node\":{\"state\":\"up\"}}\n{\"service\":{\"name\":\"a\"}}\n";
  FakeRuntime runtime(scratch.path(), {FakeRuntime::says(lines + ok), FakeRuntime::says(lines)});
  CHECK(run_in(scratch.path(), Verb::status, "status", {}, true).out ==
        "{\"node\":{\"state\":\"up\"},\"services\":[{\"name\":\"a\"}],\"orphans\":[]}\n");
  const Ran cut = run_in(scratch.path(), Verb::status, "status", {}, true);
  CHECK(cut.code == exit_code::unreachable);
  CHECK(cut.out.empty());
}

TEST_CASE("A wait with a timeout waits for the runtime too, one without does not") {
  const ScratchDir scratch;
  CHECK(run_in(scratch.path(), Verb::wait, "wait --up").code == exit_code::unreachable);
  const Ran late = run_in(scratch.path(), Verb::wait, "wait --up", 30ms);
  CHECK(late.code == exit_code::timed_out);
  CHECK(late.err.starts_with("hcrc: timed out: no runtime reachable: "));
  // It appears after the first look, goes once without an answer, and comes back.
  std::filesystem::create_directory(scratch.file("run"));
  std::optional<FakeRuntime> runtime;
  std::thread appears(
      [&] { runtime.emplace(scratch.file("run"), std::vector{FakeRuntime::says(""), FakeRuntime::says(ok)}); });
  const Ran waited = run_in(scratch.file("run"), Verb::wait, "wait --up", 20s);
  appears.join();
  CHECK(waited.code == 0);
  CHECK(runtime->requests().size() == 2);
}

TEST_CASE("A timeout leaves what was begun to the runtime") {
  const ScratchDir scratch;
  FakeRuntime runtime(scratch.path(), {FakeRuntime::stays_silent});
  const Ran ran = run_in(scratch.path(), Verb::stop, "stop a", 20ms);
  CHECK(ran.code == exit_code::timed_out);
  CHECK(ran.err == "hcrc: timed out after 20ms, and the runtime goes on with it: see hcrc status\n");
}

TEST_CASE("Other users' runtimes are found where their folders are their own") {
  const ScratchDir scratch;
  std::filesystem::create_directories(scratch.file("shm"));
  std::filesystem::create_directories(scratch.file("user/77/hcrc"));
  const std::string own = scratch.file("shm/hcrc-" + std::to_string(geteuid()));
  RuntimeSearch search;
  search.uid = geteuid();
  search.xdg_runtime_dir = "/run/user/5";
  search.shared_memory = scratch.file("shm");
  search.user_folders = scratch.file("user");
  CHECK(run_dirs_to_ask(search) == std::vector<std::string>{"/run/hcrc", "/run/user/5/hcrc", own});
  if (geteuid() != 0) return;
  for (const auto* name : {"shm/hcrc-100", "shm/hcrc-99", "shm/hcrc-x", "shm/other"}) {
    std::filesystem::create_directory(scratch.file(name));
  }
  std::filesystem::create_symlink("hcrc-100", scratch.file("shm/hcrc-101"));
  REQUIRE(chown(scratch.file("shm/hcrc-100").c_str(), 100, 0) == 0);  // hcrc-99 stays root's
  REQUIRE(chown(scratch.file("user/77/hcrc").c_str(), 77, 0) == 0);
  CHECK(run_dirs_to_ask(search) == std::vector<std::string>{"/run/hcrc", "/run/user/5/hcrc", own,
                                                            scratch.file("user/77/hcrc"), scratch.file("shm/hcrc-100")});
  search.named = "/named";
  CHECK(run_dirs_to_ask(search) == std::vector<std::string>{"/named"});
}

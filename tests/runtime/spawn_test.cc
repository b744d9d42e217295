#include "core/runtime/spawn.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "core/runtime/execute.h"
#include "tests/runtime/one_service.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;
using namespace hcrc::test;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string write_file(const std::string& path, std::string_view content, mode_t mode = 0644) {
  std::ofstream(path) << content;
  chmod(path.c_str(), mode);
  return path;
}

// The value in the line of /proc/PID/status that begins with NAME.
std::string status_field(const std::string& status, std::string_view name) {
  std::istringstream lines(status);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name)) return line.substr(line.find_first_not_of(" \t", name.size() + 1));
  }
  return {};
}

Service status_service() {
  Service service = shell_service("");
  service.command = words({"cat", "/proc/self/status"});
  return service;
}

}  // namespace

TEST_CASE("a process gets its words as they are, and its exit is its own") {
  Service service = shell_service("echo \"$0|$1|$2\"; echo error >&2; exit 7");
  service.command.push_back(literal("a b"));
  service.command.push_back(Template{.pieces = {piece("<"), variable_or("X", "${Y}"), piece(">")}});
  service.command.push_back(literal(""));
  const Ran ran = run(service);
  CHECK(ran.answers.empty());
  CHECK(ran.output == "a b|<${Y}>|\nerror\n");
  CHECK(ran.exited(7));
}

TEST_CASE("a process has default dispositions and an empty mask, whatever the runtime has") {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGRTMIN + 2);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  const Ran ran = run(status_service());
  sigset_t after;
  sigprocmask(SIG_SETMASK, &before, &after);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGUSR1, SIG_DFL);
  CHECK(status_field(ran.output, "SigBlk:") == "0000000000000000");
  CHECK(status_field(ran.output, "SigIgn:") == "0000000000000000");
  CHECK(status_field(ran.output, "SigPnd:") == "0000000000000000");
  // The runtime's own mask is as it was.
  CHECK(sigismember(&after, SIGTERM) == 1);
  CHECK(sigismember(&after, SIGINT) == 0);
}

TEST_CASE("a process leads a session and a group of its own") {
  Service service = shell_service("");
  service.command = words({"cat", "/proc/self/stat"});
  const Ran ran = run(service);
  std::istringstream fields(ran.output);
  std::string pid, name, state, parent, group, session;
  fields >> pid >> name >> state >> parent >> group >> session;
  CHECK(group == pid);
  CHECK(session == pid);
  CHECK(parent == std::to_string(getpid()));
}

TEST_CASE("a process has no descriptor but 0 to 2, however many the runtime was given") {
  std::vector<Descriptor> strays;
  for (int i = 0; i < 1000; ++i) strays.emplace_back(open("/", O_PATH));
  Service service = shell_service("");
  service.command = words({"ls", "/proc/self/fd"});
  CHECK(run(service).output == "0\n1\n2\n3\n");  // 3 is the folder that ls reads
}

TEST_CASE("a process starts where the runtime's own 0 to 2 are closed") {
  const int code = in_a_child([] {
    const Database database = database_of(shell_service("test -c /dev/stdin && echo x && test ! -e /proc/self/fd/3"));
    for (int fd = 0; fd <= 2; ++fd) close(fd);
    SpawnRequest request;
    request.database = &database;
    const RuntimeFacts facts = facts_of();
    Spawner spawner(facts);
    const auto spawned = spawner.spawn(request);
    if (!spawned || !answers_of(spawner, *spawned).empty()) return 100;
    const int status = wait_for(spawned->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
  });
  CHECK(code == 0);
}

TEST_CASE("directory, umask and nice are the service's") {
  test::ScratchDir dir;
  Service service = shell_service("pwd; umask; nice");
  CHECK(run(service).output.starts_with("/\n0022\n"));
  service.directory = Template{.pieces = {variable("WHERE")}};
  service.umask = 0077;
  service.nice = std::int8_t{7};
  const std::string where = "WHERE=" + dir.path();
  const Ran ran = run(service, facts_of({"PATH=/usr/bin:/bin", where}));
  CHECK(ran.output == dir.path() + "\n0077\n7\n");
}

TEST_CASE("what cannot be set keeps a process from its start") {
  Service service = shell_service("echo started");
  service.directory = literal("/nonexistent/x");
  Ran ran = run(service);
  CHECK(ran.output.empty());
  CHECK(ran.failure() == "working directory /nonexistent/x: No such file or directory");
  CHECK_FALSE(ran.answers.back().permanent);

  service.directory.reset();
  service.command = {Template{.pieces = {variable("NONE")}}};
  ran = run(service);
  CHECK(ran.failure() == "variable NONE is not set and has no default");
}

TEST_CASE("limits are set, and what cannot be raised comes as near as it can, with one line") {
  rlimit now{};
  getrlimit(RLIMIT_NOFILE, &now);
  Service service = shell_service("ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -Hc");
  service.limits = {{LimitKind::nofile, 40, 50}, {LimitKind::core, 0, 0}};
  const Ran ran = run(service);
  CHECK(ran.output == "40\n50\n0\n0\n");
  CHECK(ran.answers.empty());

  const int code = in_a_child([] {
    const rlimit low{.rlim_cur = 20, .rlim_max = 30};
    setrlimit(RLIMIT_NOFILE, &low);
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 1;  // root may raise it
    Service one = shell_service("ulimit -Sn; ulimit -Hn");
    one.limits = {{LimitKind::nofile, 25, 1000}};
    const Database database = database_of(one);
    Pipe output;
    SpawnRequest request;
    request.database = &database;
    request.judge_paths = true;
    request.output = output.write.get();
    const RuntimeFacts facts = facts_of();
    Spawner spawner(facts);
    const auto spawned = spawner.spawn(request);
    output.write.reset();
    const auto answers = answers_of(spawner, *spawned);
    const std::string text = read_to_end(output.read.get());
    if (answers.size() != 1 || answers[0].kind != SpawnAnswer::Kind::note) return 2;
    if (answers[0].detail.view() != "limit nofile: 1000 was asked for, the runtime may give at most 30") return 3;
    return text == "25\n30\n" ? 0 : 4;
  });
  CHECK(code == 0);
}

TEST_CASE("the soft limit of descriptors is what the runtime was given") {
  rlimit now{};
  getrlimit(RLIMIT_NOFILE, &now);
  const rlimit low{.rlim_cur = 123, .rlim_max = now.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  const Ran ran = run(shell_service("ulimit -Sn"));
  setrlimit(RLIMIT_NOFILE, &now);
  CHECK(ran.output == "123\n");
}

TEST_CASE("stdin is fed afresh and ends") {
  test::ScratchDir dir;
  Service service = shell_service("");
  service.command = words({"cat"});
  CHECK(run(service).output.empty());

  service.stdin_text = "secret\n";
  CHECK(run(service).output == "secret\n");
  CHECK(run(service).output == "secret\n");

  // The file goes first, where it is there.
  service.stdin_file = literal(dir.file("passphrase"));
  CHECK(run(service).output == "secret\n");
  write_file(dir.file("passphrase"), "from the file", 0600);
  CHECK(run(service).output == "from the file");

  const std::string longest(bounds::stdin_bytes, 'x');
  write_file(dir.file("passphrase"), longest);
  CHECK(run(service).output == longest);
  write_file(dir.file("passphrase"), longest + 'y');
  const Ran ran = run(service);
  CHECK(ran.failure() == "stdin " + dir.file("passphrase") + ": File too large");
}

TEST_CASE("a stdin file that is missing, or no file, fails the start") {
  test::ScratchDir dir;
  Service service = shell_service("");
  service.stdin_file = literal(dir.file("none"));
  CHECK(run(service).failure() == "stdin " + dir.file("none") + ": No such file or directory");
  service.stdin_text = "not fed";
  mkfifo(dir.file("fifo").c_str(), 0600);
  service.stdin_file = literal(dir.file("fifo"));
  CHECK(run(service).failure() == "stdin " + dir.file("fifo") + " is no regular file");
  service.stdin_file = literal(dir.path());
  CHECK(run(service).failure() == "stdin " + dir.path() + ": Is a directory");
}

TEST_CASE("only the main process reads the service's stdin") {
  Service service = shell_service("");
  service.stdin_text = "secret";
  service.cleanup = words({"cat"});
  const Ran ran = run(service, facts_of(), [](SpawnRequest& request) { request.role = ProcessRole::cleanup; });
  CHECK(ran.output.empty());
  CHECK(ran.exited(0));
}

TEST_CASE("every role runs its own words") {
  Service service = shell_service("echo main");
  service.cleanup = words({"echo", "cleanup"});
  service.stop.command = words({"echo", "stop"});
  service.ready.kind = ReadyKind::exec;
  service.ready.command = words({"echo", "ready"});
  service.health.kind = HealthKind::exec;
  service.health.command = words({"echo", "health"});
  const auto said = [&service](ProcessRole role) {
    return run(service, facts_of(), [role](SpawnRequest& request) { request.role = role; }).output;
  };
  CHECK(said(ProcessRole::main) == "main\n");
  CHECK(said(ProcessRole::cleanup) == "cleanup\n");
  CHECK(said(ProcessRole::stop_command) == "stop\n");
  CHECK(said(ProcessRole::ready_probe) == "ready\n");
  CHECK(said(ProcessRole::health_probe) == "health\n");
}

TEST_CASE("the readiness descriptor has its number, whatever was there") {
  for (const std::uint32_t number : {3u, 4u, 5u, 9u, 10u, 11u, 40u}) {
    Pipe ready;
    Service service = shell_service("echo >&" + std::to_string(number) + "; ls /proc/self/fd");
    if (number > 9) service.command = words({"/bin/bash", "-c", "echo >&" + std::to_string(number) + "; ls /proc/self/fd"});
    service.ready.kind = ReadyKind::fd;
    service.ready.fd = number;
    const Ran ran = run(service, facts_of(), [&ready](SpawnRequest& request) { request.ready_fd = ready.write.get(); });
    ready.write.reset();
    CHECK(ran.failure() == "");
    CHECK(read_to_end(ready.read.get()) == "\n");
    CHECK(contains("\n" + ran.output, "\n" + std::to_string(number) + "\n"));
    CHECK(std::ranges::count(ran.output, '\n') == 5);  // 0, 1, 2, it, and the folder that ls reads
  }
}

TEST_CASE("a readiness descriptor beyond the limit fails the start with its number") {
  Pipe ready;
  Service service = shell_service("");
  service.ready.kind = ReadyKind::fd;
  service.ready.fd = 1'000'000'000;
  const Ran ran = run(service, facts_of(), [&ready](SpawnRequest& request) { request.ready_fd = ready.write.get(); });
  CHECK(ran.failure() == "ready fd 1000000000: Too many open files");
}

TEST_CASE("a logger gets its streams from 3 up, by name, and a single one as stdin too") {
  Pipe first;
  Pipe second;
  REQUIRE(write(first.write.get(), "one\n", 4) == 4);
  REQUIRE(write(second.write.get(), "two\n", 4) == 4);
  first.write.reset();
  second.write.reset();
  const std::vector<Stream> both = {{.fd = second.read.get(), .name = "b"}, {.fd = first.read.get(), .name = "a"}};
  Service service = shell_service("echo $LISTEN_FDS $LISTEN_FDNAMES; test $LISTEN_PID = $$ && cat <&4 && cat <&3 && cat");
  CHECK(run(service, facts_of(), [&both](SpawnRequest& request) { request.streams = both; }).output == "2 b:a\none\ntwo\n");

  Pipe single;
  REQUIRE(write(single.write.get(), "x\n", 2) == 2);
  single.write.reset();
  const std::vector<Stream> alone = {{.fd = single.read.get(), .name = "one"}};
  Service reader = shell_service("echo $LISTEN_FDS $LISTEN_FDNAMES; cat; ls /proc/self/fd");
  CHECK(run(reader, facts_of(), [&alone](SpawnRequest& request) { request.streams = alone; }).output ==
        "1 one\nx\n0\n1\n2\n3\n4\n");
}

TEST_CASE("the notify socket is named to who is to use it, and to nobody else") {
  const RuntimeFacts facts = facts_of({"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=/outer"});
  const auto adjust = [](SpawnRequest& request) { request.notify_path = "/run/hcrc/notify"; };
  Service service = shell_service("echo ${NOTIFY_SOCKET-none} ${WATCHDOG_USEC-none}");
  service.cleanup = service.command;
  CHECK(run(service, facts, adjust).output == "none none\n");
  service.ready.kind = ReadyKind::notify;
  CHECK(run(service, facts, adjust).output == "/run/hcrc/notify none\n");
  service.health.watchdog = Milliseconds(30'000);
  CHECK(run(service, facts, adjust).output == "/run/hcrc/notify 30000000\n");
  CHECK(run(service, facts).output == "none none\n");
  CHECK(run(service, facts, [](SpawnRequest& request) {
          request.notify_path = "/run/hcrc/notify";
          request.role = ProcessRole::cleanup;
        }).output == "none none\n");
}

TEST_CASE("a condition on a path that does not hold skips the start, before anything else may fail it") {
  test::ScratchDir dir;
  Service service = shell_service("echo started");
  service.environment_files = {literal(dir.file("env"))};
  service.conditions = {{ConditionKind::path, {}, literal(dir.file("env"))}};
  Ran ran = run(service);
  REQUIRE(ran.answers.size() == 1);
  CHECK(ran.answers[0].kind == SpawnAnswer::Kind::skipped);
  CHECK(ran.answers[0].detail.view() == dir.file("env") + " does not exist");
  CHECK(ran.output.empty());
  // A restart does not look again.
  ran = run(service, facts_of(), [](SpawnRequest& request) { request.judge_paths = false; });
  CHECK(ran.failure() == "environment file " + dir.file("env") + ": No such file or directory");

  write_file(dir.file("env"), "A=1\n");
  CHECK(run(service).output == "started\n");
  service.conditions = {{ConditionKind::path_not, {}, literal(dir.file("env"))}};
  CHECK(run(service).detail(SpawnAnswer::Kind::skipped) == dir.file("env") + " exists");
}

TEST_CASE("a line of an environment file that is wrong fails the start with its number") {
  test::ScratchDir dir;
  Service service = shell_service("echo started");
  service.environment_files = {literal(write_file(dir.file("env"), "A=1\nB C=2\n"))};
  CHECK(run(service).failure() == "environment file " + dir.file("env") + ": line 2 has a blank in its name");
}

TEST_CASE("what exec refuses is named") {
  test::ScratchDir dir;
  Service service = shell_service("");
  const auto failure_of = [&service](std::string word, const RuntimeFacts& facts = facts_of()) {
    service.command = words({std::move(word)});
    return run(service, facts).failure();
  };
  CHECK(failure_of("/nonexistent") == "command /nonexistent: No such file or directory");
  CHECK(failure_of(dir.path()) == "command " + dir.path() + ": Permission denied");
  CHECK(failure_of(write_file(dir.file("data"), "data", 0644)) == "command " + dir.file("data") + ": Permission denied");
  CHECK(failure_of(write_file(dir.file("noexec"), "data", 0755)) == "command " + dir.file("noexec") + ": Exec format error");
  CHECK(failure_of(write_file(dir.file("script"), "#!/nonexistent/sh\n", 0755)) ==
        "command " + dir.file("script") + " (its interpreter): No such file or directory");
  CHECK(failure_of("") == "command \"\": No such file or directory");
  const std::string path = "PATH=/nonexistent:" + dir.path();
  CHECK(failure_of("none", facts_of({path})) ==
        "command none, looked for in /nonexistent:" + dir.path() + ": No such file or directory");
  CHECK(failure_of("data", facts_of({path})) == "command " + dir.file("data") + ": Permission denied");
  CHECK(failure_of("noexec", facts_of({path})) == "command " + dir.file("noexec") + ": Exec format error");

  write_file(dir.file("busy"), "#!/bin/sh\n", 0755);
  {
    const Descriptor writer(open(dir.file("busy").c_str(), O_WRONLY | O_CLOEXEC));
    CHECK(failure_of(dir.file("busy")) == "command " + dir.file("busy") + ": Text file busy");
  }
  const std::string huge = "X=" + std::string(200'000, 'x');  // over MAX_ARG_STRLEN
  CHECK(failure_of("/bin/true", facts_of({huge})) == "command /bin/true: Argument list too long");
}

TEST_CASE("a name without a slash is looked up in the service's own PATH") {
  test::ScratchDir dir;
  write_file(dir.file("tool"), "#!/bin/sh\necho found\n", 0755);
  Service service = shell_service("");
  service.command = words({"tool"});
  service.environment = {{"PATH", literal("/nonexistent:" + dir.path())}};
  CHECK(run(service).output == "found\n");
  service.environment.clear();
  CHECK(run(service).failure() == "command tool, looked for in /usr/bin:/bin: No such file or directory");
  service.command = words({"echo", "default"});
  CHECK(run(service, facts_of({})).output == "default\n");
}

TEST_CASE("an environment of 2 MB is passed on") {
  std::vector<std::string> entries;
  for (int i = 0; i < 20; ++i) entries.push_back("BIG" + std::to_string(i) + '=' + std::string(100'000, 'x'));
  RuntimeFacts facts = facts_of();
  for (const std::string& entry : entries) facts.environment.push_back(entry);
  Service service = shell_service("");
  service.command = words({"env"});
  const Ran ran = run(service, facts);
  // The kernel takes what fits a quarter of the stack's limit (execve(2)).
  CHECK((ran.output.size() > 2'000'000 || ran.failure() == "command /usr/bin/env: Argument list too long"));
}

TEST_CASE("addresses are filled in by the runtime, and by the child where it knows more") {
  test::ScratchDir dir;
  Service service = shell_service("");
  service.ready.kind = ReadyKind::tcp;
  service.ready.address = Template{.pieces = {piece("127.0.0.1:"), variable("PORT")}};
  RuntimeFacts facts = facts_of({"PATH=/usr/bin:/bin", "PORT=80"});
  const auto known = [&] {
    const Database database = database_of(service);
    return Spawner(facts).address(database, 0, database.service(0).ready_address);
  };
  CHECK(known() == "127.0.0.1:80");
  CHECK(run(service, facts).answers.empty());
  service.environment = {{"PORT", literal("81")}};
  CHECK(known() == "127.0.0.1:81");
  service.environment.clear();
  service.environment_files = {literal(write_file(dir.file("env"), "PORT=82\n"))};
  CHECK(run(service, facts).detail(SpawnAnswer::Kind::ready_address) == "127.0.0.1:82");
  service.environment_files.clear();
  facts = facts_of();
  CHECK(known().empty());
  CHECK(run(service, facts).failure() == "variable PORT is not set and has no default");
}

TEST_CASE("privileges are given up for good where that is asked for") {
  Service service = status_service();
  CHECK(status_field(run(service).output, "NoNewPrivs:") == "0");
  service.no_new_privileges = true;
  CHECK(status_field(run(service).output, "NoNewPrivs:") == "1");
}

TEST_CASE("CMD is as the runtime is") {
  test::ScratchDir dir;
  const int code = in_a_child([&dir] {
    if (chdir(dir.path().c_str()) != 0) return 100;
    umask(0027);
    const int out = open("out", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    dup2(out, 1);
    const Database database = database_of(shell_service(""));
    std::string script = "echo $HCRC_DB ${X}; pwd; umask; ls /proc/self/fd; exit 9";
    std::string sh = "sh";
    std::string dash_c = "-c";
    std::string untouched = "${X}";
    char* const argv[] = {sh.data(), dash_c.data(), script.data(), untouched.data(), nullptr};
    SpawnRequest request;
    request.database = &database;
    request.service = 1;
    request.role = ProcessRole::command;
    request.command = std::span(argv).first(4);
    const RuntimeFacts facts = facts_of({"PATH=/usr/bin:/bin", "HCRC_DB=db", "X=x"});
    Spawner spawner(facts);
    const auto spawned = spawner.spawn(request);
    if (!spawned || !answers_of(spawner, *spawned).empty()) return 101;
    const int status = wait_for(spawned->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 102;
  });
  CHECK(code == 9);
  std::ifstream out(dir.file("out"));
  const std::string said{std::istreambuf_iterator<char>(out), {}};
  CHECK(said == "db x\n" + dir.path() + "\n0027\n0\n1\n2\n3\n");
}

TEST_CASE("a CMD that cannot be executed says so") {
  const Database database = database_of(shell_service(""));
  std::string word = "no-such-program";
  char* const argv[] = {word.data(), nullptr};
  SpawnRequest request;
  request.database = &database;
  request.role = ProcessRole::command;
  request.command = std::span(argv).first(1);
  const RuntimeFacts facts = facts_of();
  Spawner spawner(facts);
  const auto spawned = spawner.spawn(request);
  REQUIRE(spawned);
  Ran ran;
  ran.answers = answers_of(spawner, *spawned);
  wait_for(spawned->pid);
  CHECK(ran.failure() == "command no-such-program, looked for in /usr/bin:/bin: No such file or directory");
}

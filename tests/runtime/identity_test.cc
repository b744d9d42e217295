#include "core/runtime/identity.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "core/runtime/capabilities.h"
#include "tests/runtime/one_service.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;
using namespace hcrc::test;

namespace {

// Accounts of the test's own: user web with uid 1001 and groups 1002 and 50.
struct Accounts {
  Accounts() {
    std::ofstream(passwd) << "root:x:0:0:root:/root:/bin/sh\nweb:x:1001:1002::/srv/web:/bin/sh\n";
    std::ofstream(group) << "root:x:0:\nweb:x:1002:\nlogs:x:50:web\naudio:x:20:\n";
    chmod(dir.path().c_str(), 0755);
  }
  RuntimeFacts facts() const {
    RuntimeFacts facts = facts_of({"PATH=/usr/bin:/bin", "HOME=/root", "WHO=web"});
    facts.accounts = {.passwd = passwd.c_str(), .group = group.c_str()};
    return facts;
  }
  test::ScratchDir dir;
  std::string passwd = dir.file("passwd");
  std::string group = dir.file("group");
};

constexpr const char* who = "id -u; id -ru; id -g; echo $(grep Groups: /proc/self/status); echo $HOME $USER $LOGNAME";
constexpr const char* capability_lines = "grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status | cut -f2";

bool root() { return geteuid() == 0; }

// Runs the service below a runtime that has changed itself first; its output, or the last answer.
Ran run_after(const std::function<void()>& change, const Service& service, const RuntimeFacts& facts) {
  Pipe report;
  const int code = in_a_child([&] {
    change();
    const Database database = database_of(service);
    Pipe output;
    SpawnRequest request;
    request.database = &database;
    request.judge_paths = true;
    request.output = output.write.get();
    Spawner spawner(facts);
    const auto spawned = spawner.spawn(request);
    output.write.reset();
    if (!spawned) return 1;
    for (const SpawnAnswer& answer : answers_of(spawner, *spawned)) send_answer(report.write.get(), answer);
    const std::string text = read_to_end(output.read.get());
    SpawnAnswer last;
    last.detail.assign(text);
    send_answer(report.write.get(), last);
    wait_for(spawned->pid);
    return 0;
  });
  REQUIRE(code == 0);
  report.write.reset();
  Ran ran;
  SpawnAnswer answer;
  while (read_answer(report.read.get(), answer) == AnswerRead::answer) ran.answers.push_back(answer);
  ran.output = ran.answers.back().detail.view();
  ran.answers.pop_back();
  return ran;
}

void lose_capability(unsigned number) {
  CapabilitySets sets;
  if (get_capabilities(sets) != 0) _exit(2);
  sets.effective &= ~capability(number);
  sets.permitted &= ~capability(number);
  if (set_capabilities(sets) != 0) _exit(3);
}

void become_nobody() {
  if (setgid(65534) != 0 || setuid(65534) != 0) _exit(4);
}

}  // namespace

TEST_CASE("root starts a service as its user, with its own groups alone and no capability") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service(std::string(who) + "; " + capability_lines);
  service.user = Template{.pieces = {variable("WHO")}};
  const Ran ran = run(service, accounts.facts());
  CHECK(ran.failure() == "");
  CHECK(ran.output ==
        "1001\n1001\n1002\nGroups: 50 1002\n/srv/web web web\n"
        "0000000000000000\n0000000000000000\n0000000000000000\n0000000000000000\n");
}

TEST_CASE("group and groups take the place of the user's") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service(who);
  service.user = literal("web");
  service.group = literal("audio");
  CHECK(run(service, accounts.facts()).output == "1001\n1001\n20\nGroups: 50 1002\n/srv/web web web\n");
  service.groups = std::vector{literal("7"), literal("audio")};
  CHECK(run(service, accounts.facts()).output == "1001\n1001\n20\nGroups: 7 20\n/srv/web web web\n");
  service.groups = std::vector<Template>{};
  CHECK(run(service, accounts.facts()).output == "1001\n1001\n20\nGroups:\n/srv/web web web\n");
  // Without a user the rest stays the runtime's.
  service.user.reset();
  CHECK(run(service, accounts.facts()).output == "0\n0\n20\nGroups:\n/root\n");
}

TEST_CASE("a number that is nobody's is a user") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service(who);
  service.user = literal("4242");
  CHECK(run(service, accounts.facts()).output == "4242\n4242\n4242\nGroups: 4242\n/ 4242 4242\n");
}

TEST_CASE("who does not exist fails the start for good") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service("echo started");
  service.user = literal("nobody-here");
  Ran ran = run(service, accounts.facts());
  CHECK(ran.failure() == "user nobody-here: there is no such user in " + accounts.passwd);
  CHECK(ran.answers.back().permanent);
  CHECK(ran.output.empty());
  service.user.reset();
  service.group = literal("none");
  ran = run(service, accounts.facts());
  CHECK(ran.failure() == "group none: there is no such group in " + accounts.group);
  CHECK(ran.answers.back().permanent);
}

TEST_CASE("root without the capability to change fails the start for good and names it") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service("echo started");
  service.user = literal("web");
  Ran ran = run_after([] { lose_capability(cap_setuid); }, service, accounts.facts());
  CHECK(ran.failure() == "user web: the runtime has no CAP_SETUID to become it");
  CHECK(ran.answers.back().permanent);
  ran = run_after([] { lose_capability(cap_setgid); }, service, accounts.facts());
  CHECK(ran.failure() == "groups of user web: the runtime has no CAP_SETGID to become it");
  CHECK(ran.output.empty());
}

TEST_CASE("root without any capability starts what stays root") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service("id -u");
  const auto nothing = [] {
    for (const unsigned number : {cap_setuid, cap_setgid}) lose_capability(number);
  };
  CHECK(run_after(nothing, service, accounts.facts()).output == "0\n");
  service.group = literal("root");
  const Ran ran = run_after(nothing, service, accounts.facts());
  CHECK(ran.output == "0\n");
}

TEST_CASE("a runtime that is not root ignores users and groups with one line") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service("id -u; echo $HOME");
  service.user = literal("web");
  service.group = literal("audio");
  Ran ran = run_after(become_nobody, service, accounts.facts());
  REQUIRE(ran.answers.size() == 1);
  CHECK(ran.answers[0].kind == SpawnAnswer::Kind::note);
  CHECK(ran.answers[0].detail.view() == "user web, group audio: ignored, since the runtime is not root");
  CHECK(ran.output == "65534\n/root\n");

  // No such user is no reason not to start, where it would be ignored.
  service.user = literal("nobody-here");
  service.group.reset();
  ran = run_after(become_nobody, service, accounts.facts());
  CHECK(ran.answers.at(0).detail.view() == "user nobody-here: ignored, since the runtime is not root");
  CHECK(ran.output == "65534\n/root\n");
}

TEST_CASE("a runtime that is the user already says nothing and sets its variables") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service("id -u; echo $HOME $USER");
  service.user = literal("web");
  service.group = literal("web");
  const auto become_web = [] {
    if (setgid(1002) != 0 || setuid(1001) != 0) _exit(5);
  };
  const Ran ran = run_after(become_web, service, accounts.facts());
  CHECK(ran.answers.empty());
  CHECK(ran.output == "1001\n/srv/web web\n");
}

TEST_CASE("capabilities that are kept reach a user's program, and no others can be had") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service(std::string(capability_lines) + "; grep CapBnd /proc/self/status | cut -f2");
  service.user = literal("web");
  service.capabilities = capability(10) | capability(5);
  CHECK(run(service, accounts.facts()).output ==
        "0000000000000420\n0000000000000420\n0000000000000420\n0000000000000420\n0000000000000420\n");
  service.user.reset();
  CHECK(run(service, accounts.facts()).output ==
        "0000000000000000\n0000000000000420\n0000000000000420\n0000000000000000\n0000000000000420\n");
  service.capabilities = 0;
  CHECK(run(service, accounts.facts()).output ==
        "0000000000000000\n0000000000000000\n0000000000000000\n0000000000000000\n0000000000000000\n");
}

TEST_CASE("a capability that the runtime has not got is named and missed") {
  if (!root()) return;
  const Accounts accounts;
  Service service = shell_service("grep CapEff /proc/self/status | cut -f2");
  service.user = literal("web");
  service.capabilities = capability(10) | capability(5);
  const Ran ran = run_after([] { lose_capability(10); }, service, accounts.facts());
  CHECK(ran.answers.at(0).detail.view() == "capabilities: CAP_NET_BIND_SERVICE: the runtime has none to keep");
  CHECK(ran.output == "0000000000000020\n");
}

TEST_CASE("PATH is looked up and the directory entered as the user") {
  if (!root()) return;
  const Accounts accounts;
  const std::string hidden = accounts.dir.file("hidden");
  REQUIRE(mkdir(hidden.c_str(), 0700) == 0);
  Service service = shell_service("pwd");
  service.user = literal("web");
  service.directory = literal(hidden);
  CHECK(run(service, accounts.facts()).failure() == "working directory " + hidden + ": Permission denied");
  REQUIRE(chown(hidden.c_str(), 1001, 1002) == 0);
  CHECK(run(service, accounts.facts()).output == hidden + "\n");
}

TEST_CASE("a file that only the runtime may read is fed, but none that the user chose by a link") {
  if (!root()) return;
  const Accounts accounts;
  const std::string secrets = accounts.dir.file("secrets");
  mkdir(secrets.c_str(), 0755);
  const std::string secret = secrets + "/passphrase";
  std::ofstream(secret) << "secret";
  chmod(secret.c_str(), 0600);
  Service service = shell_service("");
  service.command = words({"cat"});
  service.user = literal("web");
  // /tmp is anybody's to write: behind it no link counts. A folder of root's own would do.
  service.stdin_file = literal(secret);
  CHECK(run(service, accounts.facts()).output == "secret");

  const std::string own = accounts.dir.file("own");
  mkdir(own.c_str(), 0755);
  REQUIRE(chown(own.c_str(), 1001, 1002) == 0);
  REQUIRE(symlink(secret.c_str(), (own + "/link").c_str()) == 0);
  service.stdin_file = literal(own + "/link");
  CHECK(run(service, accounts.facts()).failure() ==
        "stdin " + own + "/link leads through a link in a folder that others may write");
  REQUIRE(link(secret.c_str(), (own + "/hard").c_str()) == 0);
  service.stdin_file = literal(own + "/hard");
  CHECK(run(service, accounts.facts()).failure() ==
        "stdin " + own + "/hard has several names in a folder that others may write");
  REQUIRE(symlink(secrets.c_str(), (own + "/folder").c_str()) == 0);
  service.stdin_file = literal(own + "/folder/passphrase");
  CHECK(run(service, accounts.facts()).failure() ==
        "stdin " + own + "/folder/passphrase leads through a link in a folder that others may write");
  // Without a user of its own the service could read it all itself.
  service.user.reset();
  CHECK(run(service, accounts.facts()).output == "secret");
}

#include "core/runtime/leftovers.h"

#include <sys/prctl.h>

#include <algorithm>
#include <sstream>

#include "core/runtime/proc_listing.h"
#include "tests/runtime/one_service.h"

using namespace hcrc;
using namespace hcrc::test;

namespace {

// How a process that is left behind has gone its own way.
enum class Left { in_group, own_group, own_session, below_own_session };

// What it does before it is there to be found: true in the process that stays.
bool go(Left way) {
  switch (way) {
    case Left::in_group: return true;
    case Left::own_group: return setpgid(0, 0) == 0;
    case Left::own_session: return setsid() > 0;
    case Left::below_own_session:  // its parent leaves the session, it does not
      if (fork() == 0) return true;
      setsid();
      return false;
  }
  return false;
}

// A leader of a session that leaves processes behind: they are ours when it is gone.
class Session {
 public:
  explicit Session(const std::vector<Left>& ways) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Pipe report;
    leader = fork();
    REQUIRE(leader >= 0);
    if (leader == 0) {
      setsid();
      signal(SIGTERM, SIG_DFL);  // not Catch2's
      for (const Left way : ways) leave(way, report);
      _exit(0);
    }
    wait_for(leader);
    pids.resize(ways.size());
    for (pid_t& pid : pids) REQUIRE(read(report.read.get(), &pid, sizeof pid) == sizeof pid);
  }
  ~Session() {
    ChildListing children;
    while (children.open()) {
      const pid_t pid = children.next();
      if (pid == 0) break;
      kill(pid, SIGKILL);
      wait_for(pid);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  }

  pid_t leader = 0;
  std::vector<pid_t> pids;

 private:
  // Returns in the leader, once the process says that it is as it is to be.
  static void leave(Left way, const Pipe& report) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) _exit(1);
    if (fork() == 0) {
      if (go(way)) {
        const pid_t self = getpid();
        if (write(report.write.get(), &self, sizeof self) != sizeof self) _exit(1);
      }
      // Two processes of below_own_session hold the end: the leader goes on when both are done.
      close(ends[1]);
      pause();
      _exit(0);
    }
    close(ends[1]);
    char byte = 0;
    while (read(ends[0], &byte, 1) > 0) {
    }
    close(ends[0]);
  }
};

// Waits until it has ended without reaping it.
void wait_to_end(pid_t pid) {
  siginfo_t info{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
}

bool ended(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == pid;
}

}  // namespace

TEST_CASE("what a process is, is read from /proc whatever its name is", "[other-processes]") {
  const auto own = stat_of(getpid());
  REQUIRE(own);
  CHECK(own->parent == getppid());
  CHECK(own->group == getpgrp());
  CHECK(own->session == getsid(0));
  CHECK(own->alive);
  CHECK_FALSE(own->kernel);
  CHECK_FALSE(stat_of(0x7ffffff0));

  Pipe named;
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_NAME, ") Z 1 1 (", 0, 0, 0);
    named.write.reset();
    if (write(named.read.get(), "", 0) == 0) _exit(1);
    pause();
    _exit(0);
  }
  named.write.reset();
  REQUIRE(read_to_end(named.read.get()).empty());
  const auto odd = stat_of(child);
  REQUIRE(odd);
  CHECK(odd->parent == getpid());
  CHECK(odd->alive);
  kill(child, SIGKILL);
  wait_to_end(child);
  CHECK_FALSE(stat_of(child)->alive);
  wait_for(child);
  CHECK_FALSE(stat_of(child));
}

TEST_CASE("children are listed until they are reaped", "[other-processes]") {
  std::vector<pid_t> made;
  for (int i = 0; i < 1500; ++i) {  // more than one read takes
    const pid_t child = fork();
    if (child == 0) _exit(0);
    made.push_back(child);
  }
  ChildListing children;
  REQUIRE(children.open());
  std::vector<pid_t> listed;
  for (pid_t pid = children.next(); pid != 0; pid = children.next()) listed.push_back(pid);
  for (const pid_t pid : made) wait_for(pid);
  std::ranges::sort(made);
  std::ranges::sort(listed);
  CHECK(listed == made);
}

TEST_CASE("what is left in the process group is found and ended", "[other-processes]") {
  const Session session({Left::in_group});
  CHECK(any_left(session.leader));
  signal_left(session.leader, SIGTERM, Leader::reaped);
  wait_to_end(session.pids[0]);
  CHECK_FALSE(any_left(session.leader));  // a zombie is gone
}

TEST_CASE("what is left in the session, in a group of its own, is found and ended", "[other-processes]") {
  const Session session({Left::own_group, Left::in_group, Left::own_group});
  CHECK(getpgid(session.pids[0]) != session.leader);
  CHECK(any_left(session.leader));
  signal_left(session.leader, SIGKILL, Leader::reaped);
  for (const pid_t pid : session.pids) wait_to_end(pid);
  CHECK_FALSE(any_left(session.leader));
}

TEST_CASE("what is left below one that has left the session is found and ended", "[other-processes]") {
  const Session session({Left::below_own_session});
  CHECK(getsid(session.pids[0]) == session.leader);
  CHECK(any_left(session.leader));
  signal_left(session.leader, SIGKILL, Leader::reaped);
  while (any_left(session.leader)) {
  }
}

TEST_CASE("who has left the session is none of its leftovers, but an orphan", "[other-processes]") {
  const Session session({Left::own_session});
  CHECK_FALSE(any_left(session.leader));
  CHECK(signal_orphans(std::span(session.pids), 0) == 0);
  CHECK(signal_orphans(std::span(session.pids), SIGTERM) == 0);
  CHECK_FALSE(ended(session.pids[0]));
  CHECK(signal_orphans({}, 0) == 1);
  CHECK(signal_orphans({}, SIGTERM) == 1);
  wait_to_end(session.pids[0]);
  CHECK(signal_orphans({}, 0) == 0);
}

TEST_CASE("what descends from an owned process is owned", "[other-processes]") {
  // A living leader whose child has left its session.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  Pipe output;
  const Database database = database_of(shell_service("setsid sh -c 'echo $$; sleep 1000' & wait"));
  SpawnRequest request;
  request.database = &database;
  request.output = output.write.get();
  const RuntimeFacts facts = facts_of();
  const auto spawned = Spawner(facts).spawn(request);
  REQUIRE(spawned);
  std::string line;
  for (char character = 0; read(output.read.get(), &character, 1) == 1 && character != '\n';) line += character;
  const pid_t outside = static_cast<pid_t>(std::stoi(line));
  CHECK(getsid(outside) == outside);
  const pid_t spared[] = {spawned->pid};
  CHECK(signal_orphans(spared, 0) == 0);
  CHECK(signal_orphans(spared, SIGKILL) == 0);
  kill(spawned->pid, SIGKILL);
  wait_for(spawned->pid);
  CHECK(signal_orphans({}, SIGKILL) >= 1);
  CHECK(WIFSIGNALED(wait_for(outside)));
  while (waitpid(-1, nullptr, 0) > 0) {  // the sleep
  }
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

TEST_CASE("a number that a stranger has got is no leftover and gets no signal", "[other-processes]") {
  // A living process of this number: the leader that was reaped had it before.
  const pid_t stranger = fork();
  if (stranger == 0) {
    setsid();
    pause();
    _exit(0);
  }
  while (getsid(stranger) != stranger) {
  }
  CHECK_FALSE(any_left(stranger));
  signal_left(stranger, SIGKILL, Leader::reaped);
  CHECK_FALSE(ended(stranger));
  signal_left(stranger, SIGKILL, Leader::may_live);
  CHECK(WIFSIGNALED(wait_for(stranger)));
}

TEST_CASE("with all children known, nothing more is looked at", "[other-processes]") {
  const Session session({Left::in_group});
  const KnownChildren all{.knows = [](const void*, pid_t) { return true; }, .context = nullptr};
  const KnownChildren none{.knows = [](const void*, pid_t) { return false; }, .context = nullptr};
  CHECK_FALSE(any_left(session.leader, all));
  CHECK(any_left(session.leader, none));
}

TEST_CASE("a number is held by whatever is left of its process, group or session", "[other-processes]") {
  HeldNumbers numbers;
  pid_t free = 0;
  {
    const auto way = GENERATE(Left::in_group, Left::own_group, Left::below_own_session);
    const Session session({way});
    CHECK_FALSE(numbers.surely_free(session.leader));  // nobody to ask yet
    numbers.open();
    CHECK_FALSE(numbers.surely_free(session.leader));
    kill(session.pids[0], SIGKILL);
    free = session.leader;
  }
  CHECK(numbers.surely_free(free));
  const Session session({Left::own_session});
  CHECK(numbers.surely_free(session.leader));
  CHECK_FALSE(numbers.surely_free(session.pids[0]));
  CHECK_FALSE(numbers.surely_free(getpid()));
  CHECK_FALSE(numbers.surely_free(0));
}

TEST_CASE("a free number is no leftover, whatever else is about", "[other-processes]") {
  HeldNumbers numbers;
  numbers.open();
  const KnownChildren none{
      .knows = [](const void*, pid_t) { return false; }, .context = nullptr, .listing = nullptr, .numbers = &numbers};
  const Session orphans({Left::own_session});
  CHECK_FALSE(any_left(orphans.leader, none));
  const Session session({Left::in_group});
  CHECK(any_left(session.leader, none));
  kill(session.pids[0], SIGKILL);
  wait_to_end(session.pids[0]);
  CHECK_FALSE(any_left(session.leader, none));  // held, but by a zombie
}

TEST_CASE("signals go to no session that could be everybody's") {
  CHECK_FALSE(any_left(0));
  CHECK_FALSE(any_left(1));
  signal_left(0, SIGKILL);
  signal_left(1, SIGKILL);
  signal_left(-1, SIGKILL);
  SUCCEED("we are still here");
}

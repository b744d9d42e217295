#include "core/runtime/notify_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/runtime/loop_until.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;
using hcrc::test::loop_until;
using hcrc::test::ScratchDir;
using hcrc::test::turn;

namespace {

struct Told {
  pid_t pid;
  uid_t uid;
  bool ready;
  std::string status;
};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// As sd_notify does it, with descriptors where there are some. Whether it was taken.
bool tell(const std::string& path, std::string text, const std::vector<int>& descriptors = {}) {
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = address_of(path);
  iovec vector{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = sizeof address;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  const std::size_t bytes = descriptors.size() * sizeof(int);
  std::vector<char> control(CMSG_SPACE(bytes));
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(header), descriptors.data(), bytes);
  }
  return sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

struct Node {
  ScratchDir scratch;
  EventLoop loop;
  std::unique_ptr<RunDir> run_dir;
  NotifySocket socket;
  std::vector<Told> told;

  Node() {
    REQUIRE(loop.open());
    auto taken = RunDir::take({.named = scratch.file("run"), .xdg_runtime_dir = {}});
    REQUIRE(taken);
    run_dir = std::make_unique<RunDir>(std::move(*taken));
  }
  std::string open() {
    const auto opened = socket.open(
        loop, *run_dir, 7,
        [](void* self, pid_t pid, uid_t uid, const NotifyMessage& message) {
          static_cast<Node*>(self)->told.push_back(
              {.pid = pid, .uid = uid, .ready = message.ready, .status = std::string(message.status.value_or("-"))});
        },
        this);
    return opened ? "opened" : opened.error();
  }
};

}  // namespace

TEST_CASE("A service's words come with its pid and uid") {
  Node node;
  REQUIRE(node.open() == "opened");
  CHECK(node.socket.path() == node.scratch.file("run/notify.7"));
  REQUIRE(tell(node.socket.path(), "READY=1\nSTATUS=well"));
  REQUIRE(loop_until(node.loop, [&] { return node.told.size() == 1; }));
  CHECK(node.told[0].pid == getpid());
  CHECK(node.told[0].uid == getuid());
  CHECK(node.told[0].ready);
  CHECK(node.told[0].status == "well");
}

TEST_CASE("What means nothing, or is too long, is not delivered") {
  Node node;
  REQUIRE(node.open() == "opened");
  for (const std::string& text :
       {std::string(), std::string("MAINPID=1"), "READY=1\n" + std::string(NotifySocket::datagram_bytes, 'x'),
        std::string("READY=1\nSTATUS=last")}) {
    REQUIRE(tell(node.socket.path(), text));
  }
  REQUIRE(loop_until(node.loop, [&] { return !node.told.empty(); }));
  REQUIRE(node.told.size() == 1);
  CHECK(node.told[0].status == "last");
}

TEST_CASE("Descriptors that come along are closed: a barrier is through") {
  Node node;
  REQUIRE(node.open() == "opened");
  int ends[2];
  REQUIRE(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
  std::vector<int> many(250, ends[1]);
  REQUIRE(tell(node.socket.path(), "BARRIER=1", {ends[1]}));
  REQUIRE(tell(node.socket.path(), "FDSTORE=1", many));
  REQUIRE(tell(node.socket.path(), std::string(8'000, 'x'), many));
  close(ends[1]);
  char byte = 0;
  REQUIRE(loop_until(node.loop, [&] { return read(ends[0], &byte, 1) == 0; }));
  close(ends[0]);
}

TEST_CASE("A drain delivers what has arrived, without the loop") {
  Node node;
  REQUIRE(node.open() == "opened");
  REQUIRE(tell(node.socket.path(), "READY=1"));
  node.socket.drain();
  CHECK(node.told.size() == 1);
  node.socket.drain();
  CHECK(node.told.size() == 1);
}

TEST_CASE("One who floods it makes it pause for the rest of the second, and nothing is lost") {
  Node node;
  REQUIRE(node.open() == "opened");
  std::size_t sent = 0;
  while (node.socket.next_deadline() == end_of_time) {
    if (tell(node.socket.path(), "WATCHDOG=1")) {
      ++sent;
    } else {
      node.socket.drain();
    }
    REQUIRE(sent < 100'000);
  }
  const std::size_t before = node.told.size();
  turn(node.loop, 10);
  node.socket.drain();
  CHECK(node.told.size() == before);
  CHECK(node.socket.next_deadline() <= EventLoop::now() + std::chrono::seconds(1));
  node.socket.expire(node.socket.next_deadline() - Duration(1));
  CHECK(node.socket.next_deadline() != end_of_time);
  node.socket.expire(node.socket.next_deadline());
  CHECK(node.socket.next_deadline() == end_of_time);
  // The rest comes, in as many turns as it takes; a second pause may be due within.
  REQUIRE(loop_until(node.loop, [&] {
    node.socket.expire(node.socket.next_deadline());
    return node.told.size() == sent;
  }));
}

TEST_CASE("Before another run begins all that has arrived is delivered, paused or not") {
  Node node;
  REQUIRE(node.open() == "opened");
  while (node.socket.next_deadline() == end_of_time) {
    if (!tell(node.socket.path(), "WATCHDOG=1")) node.socket.drain();
  }
  REQUIRE(tell(node.socket.path(), "STATUS=left behind"));
  node.socket.drain();
  CHECK(node.told.back().status != "left behind");
  node.socket.begin_anew();
  CHECK(node.told.back().status == "left behind");
  CHECK(node.socket.next_deadline() == end_of_time);
  REQUIRE(tell(node.socket.path(), "STATUS=of the next"));
  REQUIRE(loop_until(node.loop, [&] { return node.told.back().status == "of the next"; }));
}

TEST_CASE("A socket is gone with its owner, and nothing else of the run dir") {
  Node node;
  std::string path;
  {
    NotifySocket other;
    const auto nobody = [](void*, pid_t, uid_t, const NotifyMessage&) {};
    REQUIRE(other.open(node.loop, *node.run_dir, 8, nobody, nullptr));
    REQUIRE(node.open() == "opened");
    path = other.path();
    CHECK(path != node.socket.path());
    CHECK(std::filesystem::exists(path));
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(std::filesystem::exists(node.socket.path()));
}

TEST_CASE("Services under other uids may tell") {
  if (geteuid() != 0) return;
  Node node;
  const mode_t before = umask(0077);
  REQUIRE(node.open() == "opened");
  umask(before);
  REQUIRE(chmod(node.scratch.path().c_str(), 0755) == 0);
  const pid_t child = fork();
  if (child == 0) _exit(setgid(65534) == 0 && setuid(65534) == 0 && tell(node.socket.path(), "READY=1") ? 0 : 1);
  REQUIRE(loop_until(node.loop, [&] { return node.told.size() == 1; }));
  CHECK(node.told[0].pid == child);
  CHECK(node.told[0].uid == 65534);
  waitpid(child, nullptr, 0);
}

TEST_CASE("A former runtime's notify socket is replaced, nothing else is") {
  Node node;
  const std::string path = node.scratch.file("run/notify.7");
  SECTION("a socket") {
    const Descriptor dead(socket(AF_UNIX, SOCK_DGRAM, 0));
    const sockaddr_un address = address_of(path);
    REQUIRE(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(node.open() == "opened");
  }
  SECTION("anything else") {
    SECTION("a file") { std::ofstream(path) << "x"; }
    SECTION("a folder") { std::filesystem::create_directory(path); }
    SECTION("a link") { std::filesystem::create_symlink("elsewhere", path); }
    CHECK(node.open() == "no notify socket: " + path + ": something that is no socket is in its place: remove it");
    CHECK_FALSE(node.socket.usable());
    CHECK(std::filesystem::exists(std::filesystem::symlink_status(path)));
    node.socket.drain();
  }
}

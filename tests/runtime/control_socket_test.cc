#include "core/runtime/control_socket.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
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
using namespace std::chrono_literals;
using hcrc::test::loop_until;
using hcrc::test::ScratchDir;
using hcrc::test::turn;

namespace {

// Answers in the place of the shell.
class FakeHandler final : public ControlHandler {
 public:
  ControlServer* server = nullptr;
  std::uint32_t lines = 3;    // of a status
  bool settled = false;       // what `wait` waits for
  bool endless_line = false;  // `why` writes a line that no buffer holds
  int asked = 0;
  uid_t peer_uid = 0;

  Progress answer(const Request& request, ControlAnswer& answer) override {
    ++asked;
    peer_uid = answer.peer().uid;
    switch (request.verb) {
      case Verb::status: return status(answer);
      case Verb::why: return why(answer);
      case Verb::wait:
        if (settled) return answer.ok();
        return Progress::waiting;
      case Verb::start:
        settled = true;
        server->poke();
        return answer.ok(request.names.front());
      case Verb::health: return answer.fail(exit_code::failed, "holochain: held");
      case Verb::list:
      case Verb::stop:
      case Verb::restart:
      case Verb::signal:
      case Verb::update:
      case Verb::shutdown: return answer.ok();
    }
    return Progress::done;
  }

 private:
  Progress status(ControlAnswer& answer) {
    for (std::uint32_t& index = answer.cursor().index; index < lines; ++index) {
      JsonLine line = answer.line();
      line.begin_object().number("n", index).end_object();
      if (!answer.put(line)) return Progress::more;
    }
    return answer.ok();
  }
  Progress why(ControlAnswer& answer) const {
    JsonLine line = answer.line();
    line.begin_object().text("why", std::string(endless_line ? 1'000'000 : 1, 'x')).end_object();
    if (!answer.put(line)) return Progress::more;
    return answer.ok();
  }
};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Descriptor connected_to(const std::string& path) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) socket.reset();
  return socket;
}

// The other end of a connection, as a shell with `nc -U` has it.
class Client {
 public:
  explicit Client(const std::string& path) : socket_(connected_to(path)) { REQUIRE(socket_); }

  Client& say(std::string_view text) {
    REQUIRE(send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
    return *this;
  }
  Client& say_no_more() {
    shutdown(socket_.get(), SHUT_WR);
    return *this;
  }
  void hang_up() { socket_.reset(); }
  int fd() const { return socket_.get(); }

  // Takes what has come, at most `most` bytes; whether the server has closed.
  bool closed(std::size_t most = SIZE_MAX) {
    char bytes[4096];
    while (most > 0) {
      const ssize_t received = recv(socket_.get(), bytes, std::min(sizeof bytes, most), 0);
      if (received == 0 || (received < 0 && errno != EAGAIN)) return true;
      if (received < 0) return false;
      heard_.append(bytes, static_cast<std::size_t>(received));
      most -= static_cast<std::size_t>(received);
    }
    return false;
  }
  const std::string& heard() const { return heard_; }

 private:
  Descriptor socket_;
  std::string heard_;
};

// A server in a run dir of its own.
struct Node {
  ScratchDir scratch;
  EventLoop loop;
  std::unique_ptr<RunDir> run_dir;
  FakeHandler handler;
  ControlServer server;

  explicit Node(bool open = true) {
    REQUIRE(loop.open());
    auto taken = RunDir::take({.named = scratch.file("run"), .xdg_runtime_dir = {}});
    REQUIRE(taken);
    run_dir = std::make_unique<RunDir>(std::move(*taken));
    handler.server = &server;
    if (open) REQUIRE(server.open(loop, *run_dir, handler));
  }
  std::string path() const { return run_dir->file("control"); }

  // The whole answer to one request.
  std::string answer(std::string_view request) {
    Client client(path());
    client.say(request);
    REQUIRE(loop_until(loop, [&] { return client.closed(); }));
    return client.heard();
  }
  // Lets the server take in what has been sent so far: a request that is made now is answered after it.
  void settle() { answer("list\n"); }
};

std::string why_not(ControlServer& server, Node& node) {
  const auto opened = server.open(node.loop, *node.run_dir, node.handler);
  return opened ? "opened" : opened.error().sentence;
}

}  // namespace

TEST_CASE("The control socket is 0600 whatever the umask, and gone in the end") {
  const mode_t before = umask(0);
  Node node;
  umask(before);
  struct stat status{};
  REQUIRE(lstat(node.path().c_str(), &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(node.server.next_deadline() == end_of_time);
  node.server.close();
  CHECK_FALSE(std::filesystem::exists(node.path()));
}

TEST_CASE("A request is answered in lines, then the connection is closed") {
  Node node;
  CHECK(node.answer("status\n") == "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"result\":\"ok\"}\n");
  CHECK(node.answer("health\r\n") == "{\"result\":\"failed\",\"code\":1,\"text\":\"holochain: held\"}\n");
  CHECK(node.handler.peer_uid == geteuid());
  CHECK(node.server.clients() == 0);
  CHECK(node.server.next_deadline() == end_of_time);
}

TEST_CASE("What is no request is told so, and reaches no handler") {
  Node node;
  CHECK(node.answer("start\n") == "{\"result\":\"error\",\"code\":100,\"text\":\"start needs the name of a service\"}\n");
  CHECK(node.answer("\n").starts_with("{\"result\":\"error\",\"code\":100,"));
  CHECK(node.answer(std::string(300, '\xFF') + "\n").starts_with("{\"result\":\"error\",\"code\":100,"));
  CHECK(node.handler.asked == 0);
}

TEST_CASE("A request may come in pieces") {
  Node node;
  Client client(node.path());
  for (const char character : std::string("status\n")) {
    client.say({&character, 1});
    node.settle();
  }
  REQUIRE(loop_until(node.loop, [&] { return client.closed(); }));
  CHECK(client.heard().ends_with("{\"result\":\"ok\"}\n"));
}

TEST_CASE("A request that was cut off before its newline is none") {
  Node node;
  Client client(node.path());
  client.say("stop holochain").say_no_more();
  REQUIRE(loop_until(node.loop, [&] { return client.closed(); }));
  CHECK(client.heard().empty());
  CHECK(node.handler.asked == 0);
}

TEST_CASE("A request of exactly the longest line is taken, a longer one refused") {
  Node node;
  std::string line = "start ";
  line += std::string(bounds::control_line_bytes - line.size() - 1, 'x');
  CHECK(node.answer(line + "\n").starts_with("{\"result\":\"ok\""));
  CHECK(node.answer(line + "xx\n")
            .starts_with("{\"result\":\"error\",\"code\":100,\"text\":\"the request is longer than 16 KiB"));
}

TEST_CASE("A large answer comes whole, in pieces, to a slow reader too") {
  Node node;
  node.handler.lines = 60'000;
  std::string expected;
  for (std::uint32_t i = 0; i < node.handler.lines; ++i) expected += "{\"n\":" + std::to_string(i) + "}\n";
  expected += "{\"result\":\"ok\"}\n";
  Client slow(node.path());
  slow.say("status\n");
  FdWatcher more_to_read;
  more_to_read.start(node.loop, slow.fd(), {.readable = true}, [](void*, Readiness) {}, nullptr);
  REQUIRE(loop_until(node.loop, [&] { return slow.closed(1'000); }));
  CHECK((slow.heard() == expected));
  CHECK(node.handler.asked > 10);
}

TEST_CASE("A line that no buffer holds ends the answer with an error") {
  Node node;
  node.handler.endless_line = true;
  CHECK(node.answer("why a\n") ==
        "{\"result\":\"error\",\"code\":111,\"text\":\"a line of the answer is longer than the buffer\"}\n");
}

TEST_CASE("A request that waits is answered after a poke, and not before") {
  Node node;
  Client client(node.path());
  client.say("wait --up\n");
  REQUIRE(loop_until(node.loop, [&] { return node.handler.asked == 1; }));
  CHECK(node.server.next_deadline() == end_of_time);
  node.server.poke();
  CHECK(node.handler.asked == 2);
  CHECK_FALSE(client.closed());
  CHECK(client.heard().empty());
  node.handler.settled = true;
  node.server.poke();
  CHECK(client.closed());
  CHECK(client.heard() == "{\"result\":\"ok\"}\n");
  CHECK(node.server.clients() == 0);
}

TEST_CASE("A handler may poke") {
  Node node;
  Client waiting(node.path());
  waiting.say("wait --up\n");
  REQUIRE(loop_until(node.loop, [&] { return node.handler.asked == 1; }));
  node.answer("start a\n");
  CHECK(node.server.next_deadline() == Instant::min());
  node.server.expire(EventLoop::now());
  CHECK(waiting.closed());
  CHECK(waiting.heard() == "{\"result\":\"ok\"}\n");
  CHECK(node.server.next_deadline() == end_of_time);
}

TEST_CASE("A silent client has five seconds") {
  Node node;
  Client client(node.path());
  client.say("sta");
  REQUIRE(loop_until(node.loop, [&] { return node.server.clients() == 1; }));
  const Instant deadline = node.server.next_deadline();
  CHECK(deadline <= EventLoop::now() + ControlServer::reading_time);
  node.server.expire(deadline - 1ns);
  CHECK(node.server.clients() == 1);
  node.server.expire(deadline);
  CHECK(node.server.clients() == 0);
  CHECK(client.closed());
}

TEST_CASE("A client that takes nothing of its answer has ten seconds") {
  Node node;
  node.handler.lines = 100'000;
  Client client(node.path());
  client.say("status\n");
  // The server writes until the kernel's buffer is full; only then is there a deadline.
  REQUIRE(loop_until(node.loop, [&] { return node.handler.asked > 0 && node.server.next_deadline() != end_of_time; }));
  const Instant deadline = node.server.next_deadline();
  CHECK(deadline > EventLoop::now() + ControlServer::writing_time - 5s);
  node.server.expire(deadline);
  CHECK(node.server.clients() == 0);
}

TEST_CASE("A client that goes before its answer costs nothing") {
  Node node;
  node.handler.lines = 100'000;
  SECTION("while it is written") {
    Client client(node.path());
    client.say("status\n");
    REQUIRE(loop_until(node.loop, [&] { return node.handler.asked > 0; }));
    client.hang_up();
  }
  SECTION("while it waits") {
    Client client(node.path());
    client.say("wait --up\n");
    REQUIRE(loop_until(node.loop, [&] { return node.handler.asked > 0; }));
    client.hang_up();
  }
  SECTION("before it was read") {
    Client client(node.path());
    client.say("status\n");
    client.hang_up();
    REQUIRE(loop_until(node.loop, [&] { return node.handler.asked > 0; }));
  }
  REQUIRE(loop_until(node.loop, [&] { return node.server.clients() == 0; }));
  CHECK(node.answer("list\n") == "{\"result\":\"ok\"}\n");
}

TEST_CASE("A client that sends no more gets its answer, and is noticed when it goes") {
  Node node;
  Client client(node.path());
  client.say("wait --up\n").say_no_more();
  REQUIRE(loop_until(node.loop, [&] { return node.server.next_deadline() != end_of_time && node.handler.asked == 1; }));
  SECTION("it stays") {
    node.server.expire(node.server.next_deadline());
    CHECK(node.server.clients() == 1);
    node.handler.settled = true;
    node.server.poke();
    CHECK(client.closed());
    CHECK(client.heard() == "{\"result\":\"ok\"}\n");
  }
  SECTION("it goes") {
    client.hang_up();
    node.server.expire(node.server.next_deadline());
    CHECK(node.server.clients() == 0);
  }
}

TEST_CASE("What comes behind a request is ignored, a flood is not borne") {
  Node node;
  CHECK(node.answer("list\n\nstatus\n") == "{\"result\":\"ok\"}\n");
  Client client(node.path());
  client.say("wait --up\nwait --up\n");
  REQUIRE(loop_until(node.loop, [&] { return node.handler.asked == 2; }));
  const std::string flood(4'096, 'x');
  REQUIRE(loop_until(node.loop, [&] {
    send(client.fd(), flood.data(), flood.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return node.server.clients() == 0;
  }));
  CHECK(node.handler.asked == 2);
}

TEST_CASE("Where all places are taken by silent clients, the oldest makes room") {
  Node node;
  std::vector<std::unique_ptr<Client>> silent;
  for (std::size_t i = 0; i < bounds::control_clients; ++i) {
    silent.push_back(std::make_unique<Client>(node.path()));
    REQUIRE(loop_until(node.loop, [&] { return node.server.clients() == i + 1; }));
  }
  CHECK(node.answer("list\n") == "{\"result\":\"ok\"}\n");
  CHECK(silent.front()->closed());
  CHECK_FALSE(silent.back()->closed());
  CHECK(node.server.clients() == bounds::control_clients - 1);
}

TEST_CASE("Only so many may wait, and there is a place left for the others") {
  Node node;
  std::vector<std::unique_ptr<Client>> waiting;
  for (std::size_t i = 0; i < bounds::control_waiting; ++i) {
    waiting.push_back(std::make_unique<Client>(node.path()));
    waiting.back()->say("wait --up\n");
  }
  REQUIRE(loop_until(node.loop, [&] { return node.handler.asked == static_cast<int>(bounds::control_waiting); }));
  CHECK(
      node.answer("wait --up\n").starts_with("{\"result\":\"error\",\"code\":111,\"text\":\"too many clients wait already"));
  CHECK(node.answer("health\n").starts_with("{\"result\":\"failed\""));
  node.handler.settled = true;
  node.server.poke();
  for (const auto& client : waiting) CHECK(client->closed());
  CHECK(node.server.clients() == 0);
}

TEST_CASE("Where all places are taken by clients that are served, newcomers wait until one goes") {
  Node node;
  node.handler.lines = 100'000;
  std::vector<std::unique_ptr<Client>> slow;
  for (std::size_t i = 0; i < bounds::control_clients; ++i) {
    slow.push_back(std::make_unique<Client>(node.path()));
    slow.back()->say("status\n");
  }
  REQUIRE(loop_until(node.loop, [&] { return node.handler.asked >= static_cast<int>(bounds::control_clients); }));
  Client late(node.path());
  late.say("health\n");
  turn(node.loop, 20);
  CHECK_FALSE(late.closed());
  slow.front()->hang_up();
  CHECK(loop_until(node.loop, [&] { return late.closed(); }));
  CHECK(late.heard().starts_with("{\"result\":\"failed\""));
}

TEST_CASE("Descriptors that a peer sends are closed") {
  Node node;
  int ends[2];
  REQUIRE(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
  Client client(node.path());
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char text[] = "wait --up\n";
  iovec vector{.iov_base = text, .iov_len = sizeof text - 1};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
  REQUIRE(sendmsg(client.fd(), &message, MSG_NOSIGNAL) > 0);
  close(ends[1]);
  REQUIRE(loop_until(node.loop, [&] { return node.handler.asked == 1; }));
  char byte = 0;
  CHECK(read(ends[0], &byte, 1) == 0);  // nobody has the other end
  close(ends[0]);
}

TEST_CASE("A second server does not take the first one's socket") {
  Node node;
  FakeHandler handler;
  ControlServer second;
  const auto opened = second.open(node.loop, *node.run_dir, handler);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().occupied);
  CHECK(opened.error().pid == getpid());
  CHECK(opened.error().sentence == "another runtime, pid " + std::to_string(getpid()) + ", answers at " + node.path() +
                                       ": stop it, or name another run dir");
  second.close();
  CHECK(node.answer("list\n") == "{\"result\":\"ok\"}\n");
}

TEST_CASE("Only a dead socket is replaced") {
  Node node(false);
  const std::string path = node.path();
  SECTION("one that a child of a dead runtime still holds") {
    int child[2];
    REQUIRE(pipe(child) == 0);
    const pid_t runtime = fork();
    if (runtime == 0) {
      const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
      const sockaddr_un address = address_of(path);
      if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener, 1) != 0)
        _exit(1);
      const pid_t held_by = fork();
      if (held_by == 0) {
        for (;;) pause();
      }
      _exit(write(child[1], &held_by, sizeof held_by) == sizeof held_by ? 0 : 1);
    }
    pid_t held_by = 0;
    REQUIRE(read(child[0], &held_by, sizeof held_by) == sizeof held_by);
    // While it is not reaped, and when nothing is left of it.
    const bool reaped = GENERATE(false, true);
    siginfo_t ended{};
    REQUIRE(waitid(P_PID, static_cast<id_t>(runtime), &ended, WEXITED | (reaped ? 0 : WNOWAIT)) == 0);
    CHECK(why_not(node.server, node) == "opened");
    CHECK(node.answer("list\n") == "{\"result\":\"ok\"}\n");
    kill(held_by, SIGKILL);
    if (!reaped) waitpid(runtime, nullptr, 0);
    close(child[0]);
    close(child[1]);
  }
  SECTION("a dead socket") {
    {
      const Descriptor dead(socket(AF_UNIX, SOCK_STREAM, 0));
      const sockaddr_un address = address_of(path);
      REQUIRE(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    CHECK(why_not(node.server, node) == "opened");
    CHECK(node.answer("list\n") == "{\"result\":\"ok\"}\n");
  }
  SECTION("anything else") {
    SECTION("a file") { std::ofstream(path) << "x"; }
    SECTION("a folder") { std::filesystem::create_directory(path); }
    SECTION("a FIFO") { REQUIRE(mkfifo(path.c_str(), 0600) == 0); }
    SECTION("a link that leads nowhere") { std::filesystem::create_symlink(node.scratch.file("elsewhere"), path); }
    CHECK(why_not(node.server, node) ==
          "no control socket: " + path + ": something that is no socket is in its place: remove it");
    CHECK_FALSE(node.server.listening());
    CHECK(std::filesystem::exists(std::filesystem::symlink_status(path)));
    CHECK_FALSE(std::filesystem::exists(node.scratch.file("elsewhere")));
    node.server.poke();
    node.server.expire(EventLoop::now());
    node.server.close();
    CHECK(std::filesystem::exists(std::filesystem::symlink_status(path)));
  }
}

TEST_CASE("A path too long for a socket is refused with its length") {
  const ScratchDir scratch;
  EventLoop loop;
  REQUIRE(loop.open());
  const std::string folder = scratch.file(std::string(120, 'x'));
  const auto run_dir = RunDir::take({.named = folder, .xdg_runtime_dir = {}});
  REQUIRE(run_dir);
  FakeHandler handler;
  ControlServer server;
  const auto opened = server.open(loop, *run_dir, handler);
  REQUIRE_FALSE(opened);
  CHECK_FALSE(opened.error().occupied);
  CHECK(opened.error().sentence.find(std::to_string(folder.size() + 8) + " bytes, but a socket's path has at most 107") !=
        std::string::npos);
}

TEST_CASE("Another user is refused before a byte of the request is read") {
  if (geteuid() != 0) return;
  Node node;
  // As with a socket-group, or a mode that somebody has changed.
  REQUIRE(chmod(node.path().c_str(), 0666) == 0);
  REQUIRE(chmod(node.scratch.path().c_str(), 0755) == 0);
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
    const Descriptor socket = connected_to(node.path());
    fcntl(socket.get(), F_SETFL, 0);
    send(socket.get(), "start a\n", 8, MSG_NOSIGNAL);
    char bytes[512];
    const ssize_t heard = recv(socket.get(), bytes, sizeof bytes, 0);
    if (heard > 0 && write(ends[1], bytes, static_cast<std::size_t>(heard)) != heard) _exit(1);
    _exit(0);
  }
  close(ends[1]);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  std::string heard;
  SignalWatcher child_ended;
  child_ended.start(node.loop, SIGCHLD, [](void*, int) {}, nullptr);
  REQUIRE(loop_until(node.loop, [&] { return waitpid(child, nullptr, WNOHANG) == child; }));
  char bytes[512];
  const ssize_t received = read(ends[0], bytes, sizeof bytes);
  if (received > 0) heard.assign(bytes, static_cast<std::size_t>(received));
  CHECK(heard == "{\"result\":\"error\",\"code\":4,\"text\":\"only root and the runtime's own user may command it\"}\n");
  CHECK(node.handler.asked == 0);
  CHECK(node.server.clients() == 0);
  close(ends[0]);
}

TEST_CASE("Without a descriptor for a newcomer it is left alone for a second, then served") {
  Node node;
  Client client(node.path());
  client.say("list\n");
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit tight{.rlim_cur = 3, .rlim_max = limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
  const bool paused = loop_until(node.loop, [&] { return node.server.next_deadline() != end_of_time; });
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  REQUIRE(paused);
  turn(node.loop, 20);
  CHECK_FALSE(client.closed());
  node.server.expire(node.server.next_deadline());
  CHECK(loop_until(node.loop, [&] { return client.closed(); }));
  CHECK(client.heard() == "{\"result\":\"ok\"}\n");
}

TEST_CASE("Closing the server ends every connection at once") {
  Node node;
  Client waiting(node.path());
  Client silent(node.path());
  waiting.say("wait --up\n");
  REQUIRE(loop_until(node.loop, [&] { return node.handler.asked == 1 && node.server.clients() == 2; }));
  node.server.close();
  CHECK(waiting.closed());
  CHECK(silent.closed());
  CHECK_FALSE(connected_to(node.path()));
}

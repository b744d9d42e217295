#include "core/runtime/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>

#include "tests/catch.h"
#include "tests/runtime/loop_until.h"

using namespace hcrc;
using hcrc::test::loop_until;
using hcrc::test::turn;

namespace {

// Something that listens on a port of its own and says what it is told to.
class Listener {
 public:
  explicit Listener(bool six = false)
      : socket_(socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in6 address6{};
    address6.sin6_family = AF_INET6;
    address6.sin6_addr = in6addr_loopback;
    sockaddr_in address4{};
    address4.sin_family = AF_INET;
    address4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* address = six ? reinterpret_cast<sockaddr*>(&address6) : reinterpret_cast<sockaddr*>(&address4);
    socklen_t length = six ? sizeof address6 : sizeof address4;
    usable_ = socket_ && bind(socket_.get(), address, length) == 0 && listen(socket_.get(), 8) == 0 &&
              getsockname(socket_.get(), address, &length) == 0;
    port_ = ntohs(six ? address6.sin6_port : address4.sin_port);
  }

  bool usable() const { return usable_; }
  std::string at(const std::string& host) const { return host + ':' + std::to_string(port_); }
  void close() { socket_.reset(); }

  // To be called until the request is whole: takes a connection, then what comes.
  bool heard_all() {
    if (!connection_) connection_.reset(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    char bytes[2048];
    const ssize_t received = connection_ ? recv(connection_.get(), bytes, sizeof bytes, 0) : -1;
    if (received > 0) heard_.append(bytes, static_cast<std::size_t>(received));
    return heard_.ends_with("\r\n\r\n");
  }
  const std::string& heard() const { return heard_; }
  void say(std::string_view text) { send(connection_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  void hang_up() { connection_.reset(); }
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(connection_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    connection_.reset();
  }

 private:
  Descriptor socket_;
  Descriptor connection_;
  std::uint16_t port_ = 0;
  bool usable_ = false;
  std::string heard_;
};

struct Asked {
  EventLoop loop;
  Probe probe;
  std::optional<ProbeResult> result;
  int answers = 0;

  Asked() { REQUIRE(loop.open()); }

  void start(ProbeKind kind, const std::string& address) {
    const auto at_once = probe.start(
        loop, kind, address,
        [](void* self, const ProbeResult& came) {
          static_cast<Asked*>(self)->result = came;
          ++static_cast<Asked*>(self)->answers;
        },
        this);
    if (at_once) result = at_once;
  }
  void finish() {
    REQUIRE((result || loop_until(loop, [&] { return result.has_value(); })));
  }
  std::string text() const { return std::string(result->text.view()); }
  bool good() const { return result->outcome == ProbeResult::Outcome::good; }
};

// An http probe of something that answers so.
std::string http(std::string_view answer, bool hang_up, bool* good = nullptr) {
  Listener listener;
  REQUIRE(listener.usable());
  Asked asked;
  asked.start(ProbeKind::http, listener.at("127.0.0.1"));
  REQUIRE_FALSE(asked.result);
  while (!listener.heard_all()) turn(asked.loop, 1);
  listener.say(answer);
  if (hang_up) listener.hang_up();
  asked.finish();
  if (good != nullptr) *good = asked.good();
  return asked.text().substr(listener.at("127.0.0.1").size() + 2);
}

}  // namespace

TEST_CASE("A tcp probe is good where something listens") {
  Listener listener;
  REQUIRE(listener.usable());
  Asked asked;
  asked.start(ProbeKind::tcp, listener.at("127.0.0.1"));
  asked.finish();
  CHECK(asked.good());
  CHECK(asked.text() == listener.at("127.0.0.1") + ": connected");
  CHECK_FALSE(asked.probe.active());
}

TEST_CASE("A probe of a port on which nobody listens is refused") {
  Listener listener;
  REQUIRE(listener.usable());
  listener.close();
  for (const ProbeKind kind : {ProbeKind::tcp, ProbeKind::http}) {
    for (const std::string host : {"127.0.0.1", "localhost"}) {
      Asked asked;
      asked.start(kind, listener.at(host));
      asked.finish();
      CHECK_FALSE(asked.good());
      CHECK(asked.text() == listener.at(host) + ": connection refused");
      CHECK_FALSE(asked.probe.active());
    }
  }
}

TEST_CASE("localhost is either loopback address") {
  for (const bool six : {false, true}) {
    Listener listener(six);
    if (!listener.usable()) continue;  // a machine without IPv6
    Asked asked;
    asked.start(ProbeKind::tcp, listener.at("localhost"));
    asked.finish();
    CHECK(asked.good());
    Asked direct;
    direct.start(ProbeKind::tcp, listener.at(six ? "[::1]" : "127.0.0.1"));
    direct.finish();
    CHECK(direct.good());
  }
}

TEST_CASE("An http probe offers a websocket upgrade") {
  Listener listener;
  REQUIRE(listener.usable());
  Asked asked;
  asked.start(ProbeKind::http, listener.at("127.0.0.1") + "/health?deep=1");
  while (!listener.heard_all()) turn(asked.loop, 1);
  const std::string& request = listener.heard();
  CHECK(request.starts_with("GET /health?deep=1 HTTP/1.1\r\nHost: " + listener.at("127.0.0.1") + "\r\n"));
  for (const auto* line : {"\r\nUpgrade: websocket\r\n", "\r\nConnection: Upgrade\r\n", "\r\nSec-WebSocket-Version: 13\r\n",
                           "\r\nOrigin: ", "\r\nSec-WebSocket-Key: "}) {
    CHECK(request.find(line) != std::string::npos);
  }
  CHECK(asked.probe.waits_for() == "no answer");
  listener.say("HTTP/1.1 400 Bad Request\r\n\r\n");
  asked.finish();
  CHECK(asked.good());
  CHECK(asked.answers == 1);
}

TEST_CASE("Any line that begins HTTP/ is an answer, and nothing else is") {
  bool good = false;
  CHECK(http("HTTP/1.1 101 Switching Protocols\r\n", false, &good) == "answered");
  CHECK(good);
  CHECK(http("HTTP/", false) == "answered");
  CHECK(http("banner\r\n\r\nHTTP/1.0 200 OK\r\n", false) == "answered");
  CHECK(http("", true, &good) == "connection closed without an answer");
  CHECK_FALSE(good);
  CHECK(http("HTTP", true) == "connection closed without an answer");
  CHECK(http("xHTTP/1.1 200 OK\r\n", true) == "connection closed without an answer");
  CHECK(http("HTTHTTP/1.1 200 OK\r\n", true) == "connection closed without an answer");
  CHECK(http(std::string(5'000, 'x'), false) == "what it answers is no HTTP");
}

TEST_CASE("A websocket that was opened is closed as its protocol wants it") {
  Listener listener;
  REQUIRE(listener.usable());
  Asked asked;
  asked.start(ProbeKind::http, listener.at("127.0.0.1"));
  while (!listener.heard_all()) turn(asked.loop, 1);
  const std::size_t request_bytes = listener.heard().size();
  listener.say("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  asked.finish();
  CHECK(asked.good());
  listener.heard_all();
  CHECK(listener.heard().substr(request_bytes) == std::string_view("\x88\x80\0\0\0\0", 6));
}

TEST_CASE("An answer may come byte by byte") {
  Listener listener;
  REQUIRE(listener.usable());
  Asked asked;
  asked.start(ProbeKind::http, listener.at("127.0.0.1"));
  while (!listener.heard_all()) turn(asked.loop, 1);
  for (const char character : std::string("\nHTTP")) {
    listener.say({&character, 1});
    turn(asked.loop, 3);
    CHECK_FALSE(asked.result);
  }
  listener.say("/");
  asked.finish();
  CHECK(asked.good());
}

TEST_CASE("A connection that is reset is no answer") {
  Listener listener;
  REQUIRE(listener.usable());
  Asked asked;
  asked.start(ProbeKind::http, listener.at("127.0.0.1"));
  while (!listener.heard_all()) turn(asked.loop, 1);
  listener.reset();
  asked.finish();
  CHECK_FALSE(asked.good());
  CHECK(asked.text() == listener.at("127.0.0.1") + ": connection reset before an answer");
}

TEST_CASE("A cancelled probe says nothing, and can be started again") {
  Listener listener;  // takes the connection and never answers, as a stopped process does
  REQUIRE(listener.usable());
  Asked asked;
  asked.start(ProbeKind::http, listener.at("127.0.0.1"));
  REQUIRE_FALSE(asked.result);
  CHECK(asked.probe.active());
  asked.probe.cancel();
  CHECK_FALSE(asked.probe.active());
  turn(asked.loop, 5);
  CHECK_FALSE(asked.result);
  asked.start(ProbeKind::tcp, listener.at("127.0.0.1"));
  asked.finish();
  CHECK(asked.good());
}

TEST_CASE("What cannot be asked says why at once") {
  const auto answer = [](const std::string& address) {
    Asked asked;
    asked.start(ProbeKind::tcp, address);
    REQUIRE(asked.result);
    CHECK(asked.result->outcome == ProbeResult::Outcome::bad);
    return asked.text();
  };
  CHECK(answer("") == ": the host is missing: HOST:PORT");
  CHECK(answer("127.0.0.1") == "127.0.0.1: the port is missing: HOST:PORT");
  const std::string no_name = ": no numeric address and not localhost, and no name is looked up";
  CHECK(answer("example.org:80") == "example.org:80" + no_name);
  CHECK(answer("[127.0.0.1]:80") == "[127.0.0.1]:80" + no_name);
  CHECK(answer("127.0.0.1.5:80") == "127.0.0.1.5:80" + no_name);
  const std::string long_text = answer("127.0.0.1:80/" + std::string(5'000, 'x'));
  CHECK(long_text.ends_with(": the address is longer than 512 bytes"));
}

TEST_CASE("Without a descriptor the probe says nothing about the service") {
  Asked asked;
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit tight{.rlim_cur = 3, .rlim_max = limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
  asked.start(ProbeKind::tcp, "127.0.0.1:80");
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  REQUIRE(asked.result);
  CHECK(asked.result->outcome == ProbeResult::Outcome::no_resource);
  CHECK(asked.text() == "127.0.0.1:80: Too many open files");
}

#include "core/runtime/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace hcrc {

namespace {

constexpr std::string_view answer_begins = "HTTP/";

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// The numeric address of a host; length 0 where it is none.
Address numeric(std::string_view host, bool six, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN + 1> text{};
  Address address;
  if (host.size() >= text.size()) return address;
  std::memcpy(text.data(), host.data(), host.size());
  if (six) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    if (inet_pton(AF_INET6, text.data(), &to.sin6_addr) != 1) return address;
    std::memcpy(&address.storage, &to, sizeof to);
    address.length = sizeof to;
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    if (inet_pton(AF_INET, text.data(), &to.sin_addr) != 1) return address;
    std::memcpy(&address.storage, &to, sizeof to);
    address.length = sizeof to;
  }
  return address;
}

bool lacks_resource(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS; }

std::string_view reason(int error) {
  switch (error) {
    case ECONNREFUSED: return "connection refused";
    case ECONNRESET:
    case EPIPE: return "connection reset before an answer";
    case ETIMEDOUT: return "no answer to the connection attempt";
    case EHOSTUNREACH: return "host unreachable";
    case ENETUNREACH: return "network unreachable";
    case EADDRNOTAVAIL: return "no local address or port to connect from";
    default: return std::strerror(error);
  }
}

// Whether the kernel has connected the socket to itself.
bool connected_to_itself(int fd) {
  sockaddr_storage here{};
  sockaddr_storage there{};
  socklen_t here_length = sizeof here;
  socklen_t there_length = sizeof there;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&here), &here_length) != 0) return false;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&there), &there_length) != 0) return false;
  return here_length == there_length && std::memcmp(&here, &there, here_length) == 0;
}

int pending_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

}  // namespace

std::optional<ProbeResult> Probe::start(EventLoop& loop, ProbeKind kind, std::string_view address, Callback callback,
                                        void* context) {
  cancel();
  loop_ = &loop;
  callback_ = callback;
  context_ = context;
  kind_ = kind;
  second_host_ = false;
  first_error_ = 0;
  address_.assign(address);
  if (address.size() > address_bytes) return result(ProbeResult::Outcome::bad, "the address is longer than 512 bytes");
  const auto endpoint = parse_endpoint(address_.view());
  if (!endpoint) return result(ProbeResult::Outcome::bad, endpoint.error());
  endpoint_ = *endpoint;
  return connect_next();
}

void Probe::cancel() {
  watcher_.stop();
  socket_.reset();
}

std::string_view Probe::waits_for() const { return stage_ == Stage::connecting ? "no connection" : "no answer"; }

ProbeResult Probe::result(ProbeResult::Outcome outcome, std::string_view text) const {
  std::array<char, bounds::report_text_bytes> room;
  TextWriter out(room);
  // What is wrong matters more than the end of a long path.
  const std::string_view address = address_.view();
  const std::size_t shown = room.size() - std::min(room.size() / 2, text.size()) - 2;
  out.put(address.substr(0, shown)).put(": ").put(text);
  return {.outcome = outcome, .text = out.view()};
}

// Begins to connect to the host, or to the other one of localhost. A result where it ends at once.
std::optional<ProbeResult> Probe::connect_next() {
  const bool localhost = endpoint_.host == "localhost" && !endpoint_.bracketed;
  while (true) {
    const Address address = localhost ? numeric(second_host_ ? "::1" : "127.0.0.1", second_host_, endpoint_.port)
                                      : numeric(endpoint_.host, endpoint_.bracketed, endpoint_.port);
    if (address.length == 0) {
      return result(ProbeResult::Outcome::bad, "no numeric address and not localhost, and no name is looked up");
    }
    socket_.reset(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    int error = socket_ ? 0 : errno;
    if (socket_) {
      stage_ = Stage::connecting;
      if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0)
        return connected();
      if (errno == EINPROGRESS || errno == EINTR) {
        watch({.writable = true});
        return std::nullopt;
      }
      error = errno;
    }
    if (auto failed = connect_failed(error)) return failed;
  }
}

// A result, or nothing where there is another host to try.
std::optional<ProbeResult> Probe::connect_failed(int error) {
  cancel();
  if (lacks_resource(error)) return result(ProbeResult::Outcome::no_resource, reason(error));
  if (endpoint_.host == "localhost" && !endpoint_.bracketed && !second_host_) {
    first_error_ = error;
    second_host_ = true;
    return std::nullopt;
  }
  // Of the two, the first says more: the second host is often not there at all.
  return result(ProbeResult::Outcome::bad, reason(first_error_ != 0 ? first_error_ : error));
}

void Probe::watch(Readiness interest) {
  watcher_.start(*loop_, socket_.get(), interest, [](void* self, Readiness) { static_cast<Probe*>(self)->proceed(); }, this);
}

void Probe::proceed() {
  std::optional<ProbeResult> over;
  if (stage_ == Stage::connecting) {
    const int error = pending_error(socket_.get());
    over = error == 0 ? connected() : connect_failed(error);
    if (error != 0 && !over) over = connect_next();
  } else {
    over = read_answer();
  }
  if (!over) return;
  cancel();
  callback_(context_, *over);
}

std::optional<ProbeResult> Probe::connected() {
  if (connected_to_itself(socket_.get())) {
    if (auto failed = connect_failed(ECONNREFUSED)) return failed;
    return connect_next();
  }
  if (kind_ == ProbeKind::tcp) {
    cancel();
    return result(ProbeResult::Outcome::good, "connected");
  }
  return send_request();
}

std::optional<ProbeResult> Probe::send_request() {
  std::array<char, address_bytes + 512> room;
  TextWriter out(room);
  out.put("GET ").put(endpoint_.path.empty() ? "/" : endpoint_.path).put(" HTTP/1.1\r\nHost: ");
  out.put(address_.view().substr(0, address_.view().size() - endpoint_.path.size()));
  // Servers of websockets may answer only who names an origin. The key is 16 bytes in base64 (RFC 6455, section 4.1); that
  // it is always the same harms nobody who only asks.
  out.put(
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nOrigin: hcrc\r\n"
      "Sec-WebSocket-Key: aGNyYyBpcyBhbGl2ZSA/Pw==\r\nUser-Agent: hcrc\r\n\r\n");
  // A fresh connection takes a request of this size at once.
  const ssize_t sent = send(socket_.get(), out.view().data(), out.view().size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != static_cast<ssize_t>(out.view().size())) {
    const int error = sent < 0 ? errno : ENOBUFS;
    cancel();
    return result(lacks_resource(error) ? ProbeResult::Outcome::no_resource : ProbeResult::Outcome::bad, reason(error));
  }
  stage_ = Stage::answer;
  matched_ = 0;
  line_lost_ = false;
  read_ = 0;
  watch({.readable = true});
  return std::nullopt;
}

// Closes a websocket as RFC 6455 (section 5.5.1) wants it, as far as one can who does not wait: a server that is asked every
// few seconds need not log a broken connection each time.
void Probe::take_leave() {
  constexpr std::string_view close_frame("\x88\x80\0\0\0\0", 6);  // final, close; masked, empty; the mask
  [[maybe_unused]] const ssize_t sent =
      send(socket_.get(), close_frame.data(), close_frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Looks for a line that begins `HTTP/`. One read a turn.
std::optional<ProbeResult> Probe::read_answer() {
  std::array<char, 1024> bytes;
  const ssize_t received = recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (received < 0) return result(ProbeResult::Outcome::bad, reason(errno));
  if (received == 0) return result(ProbeResult::Outcome::bad, "connection closed without an answer");
  const std::string_view answer(bytes.data(), static_cast<std::size_t>(received));
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const char character = answer[i];
    if (character == '\n') {
      matched_ = 0;
      line_lost_ = false;
    } else if (!line_lost_ && character == answer_begins[matched_]) {
      if (++matched_ < answer_begins.size()) continue;
      if (answer.substr(i + 1).starts_with("1.1 101")) take_leave();
      return result(ProbeResult::Outcome::good, "answered");
    } else {
      line_lost_ = true;
    }
  }
  read_ += static_cast<std::uint32_t>(received);
  if (read_ >= answer_bytes) return result(ProbeResult::Outcome::bad, "what it answers is no HTTP");
  return std::nullopt;
}

}  // namespace hcrc

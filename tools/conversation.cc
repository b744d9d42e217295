#include "tools/conversation.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "core/control_protocol.h"
#include "core/run_places.h"

namespace hcrc {

namespace {

using Clock = Patience::Clock;
using std::chrono::milliseconds;

constexpr milliseconds full_queue_pause{20};  // between attempts at a runtime whose queue of connections is full
constexpr milliseconds connecting_time{5'000};
constexpr std::size_t longest_line = 4 * bounds::control_answer_bytes;

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Connection& operator=(Connection&&) = delete;
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

Ending ending(Ending::Kind kind, std::uint8_t code, std::string text) {
  return {.kind = kind, .code = code, .text = std::move(text)};
}

// Connects to one run dir. The error is an errno.
std::expected<Connection, int> connect_to(const std::string& path, Clock::time_point until) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() > socket_path_bytes) return std::unexpected(ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  Connection connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connection.fd() < 0) return std::unexpected(errno);
  while (connect(connection.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error != EAGAIN || Clock::now() >= until) return std::unexpected(error);
    std::this_thread::sleep_for(full_queue_pause);
  }
  return connection;
}

std::string why_not(const std::string& path, int error) {
  if (error == ENAMETOOLONG) return socket_path_too_long(path);
  if (error == EAGAIN) return path + ": a runtime is there and takes no connection";
  if (error == EACCES) return path + ": " + std::strerror(error) + ": run hcrc as root or as the runtime's user";
  if (error == ECONNREFUSED) return path + ": nobody listens: its runtime has ended";
  if (error == ENOENT) return path + ": " + std::strerror(error) + ": is hcrc-init running there?";
  return path + ": " + std::strerror(error);
}

// The first runtime that answers.
std::expected<Connection, Ending> connect_somewhere(const RuntimeSearch& search, const Patience& patience) {
  const Clock::time_point until = std::min(patience.until, Clock::now() + connecting_time);
  const std::vector<std::string> places = run_dirs_to_ask(search);
  std::string reasons;
  for (const std::string& place : places) {
    const std::string path = place + '/' + std::string(run_dir_file::control);
    auto connection = connect_to(path, until);
    if (connection) return std::move(*connection);
    // Where nobody is named, what is simply not there is not worth a word; what is there and refuses is.
    if (search.named.empty() && connection.error() == ENOENT) continue;
    reasons += (reasons.empty() ? "" : "; ") + why_not(path, connection.error());
  }
  if (reasons.empty()) {
    for (const std::string& place : places) reasons += (reasons.empty() ? "looked in " : ", ") + place;
    reasons += ": is hcrc-init running? --run-dir names another place";
  }
  return std::unexpected(ending(Ending::Kind::unreachable, exit_code::unreachable, "no runtime reachable: " + reasons));
}

// Waits until the connection is ready for `events`, as long as patience lasts. False: it is over.
bool wait_for(const Connection& connection, short events, const Patience& patience) {
  const Clock::time_point silence_ends =
      patience.silence.count() == 0 ? Clock::time_point::max() : Clock::now() + patience.silence;
  const Clock::time_point until = std::min(patience.until, silence_ends);
  while (true) {
    int timeout = -1;
    if (until != Clock::time_point::max()) {
      const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
      timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
    }
    pollfd waiting{.fd = connection.fd(), .events = events, .revents = 0};
    const int ready = poll(&waiting, 1, timeout);
    if (ready > 0) return true;
    if (ready == 0 && Clock::now() >= until) return false;
  }
}

Ending timed_out(const Patience& patience) {
  if (Clock::now() >= patience.until) return ending(Ending::Kind::timed_out, exit_code::timed_out, "timed out");
  const std::string seconds = std::to_string(patience.silence.count() / 1'000);
  return ending(Ending::Kind::timed_out, exit_code::timed_out,
                "the runtime takes the connection, but has not answered for " + seconds + "s: it is stopped, or very busy");
}

Ending lost() {
  return ending(Ending::Kind::lost, exit_code::unreachable,
                "the runtime went away before it answered: has the node stopped?");
}

Ending broken() {
  return ending(Ending::Kind::broken, exit_code::system,
                "what the runtime answers is not understood: is it of another version?");
}

// Sends the request; an ending where that fails. A peer that has closed may have answered before: reading tells.
std::optional<Ending> say(const Connection& connection, std::string_view text, const Patience& patience) {
  while (!text.empty()) {
    if (!wait_for(connection, POLLOUT, patience)) return timed_out(patience);
    const ssize_t sent = send(connection.fd(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return std::nullopt;
    } else if (errno != EINTR && errno != EAGAIN) {
      return ending(Ending::Kind::broken, exit_code::system, std::string("cannot send: ") + std::strerror(errno));
    }
  }
  return std::nullopt;
}

// The ending that a result line stands for; nothing where it is another line.
std::optional<Ending> result_of(const JsonValue& line) {
  const auto result = line.member("result");
  if (!result) return std::nullopt;
  const auto word = result->string();
  if (!word) return broken();
  std::int64_t code = exit_code::done;
  if (*word != "ok") {
    const auto number = line.member("code");
    code = number ? number->integer().value_or(exit_code::failed) : exit_code::failed;
  }
  const auto text = line.member("text");
  return ending(Ending::Kind::answered, static_cast<std::uint8_t>(std::clamp<std::int64_t>(code, 0, 255)),
                text ? text->string().value_or("") : "");
}

// Takes the whole lines out of what has come. An ending where one of them is the result, or is none.
std::optional<Ending> take_lines(std::string& pending, const TakeLine& take) {
  std::size_t begin = 0;
  std::optional<Ending> end;
  for (std::size_t newline = 0; !end && (newline = pending.find('\n', begin)) != std::string::npos; begin = newline + 1) {
    const auto line = JsonValue::parse(std::string_view(pending).substr(begin, newline - begin));
    if (!line || !line->is_object()) return broken();
    end = result_of(*line);
    if (!end) take(*line);
  }
  pending.erase(0, begin);
  return end;
}

}  // namespace

Ending converse(const RuntimeSearch& search, std::string_view request, const Patience& patience, const TakeLine& take) {
  const auto connection = connect_somewhere(search, patience);
  if (!connection) return connection.error();
  if (auto end = say(*connection, std::string(request) + '\n', patience)) return *end;
  std::string pending;
  std::array<char, 65536> bytes;
  while (true) {
    if (!wait_for(*connection, POLLIN, patience)) return timed_out(patience);
    const ssize_t received = recv(connection->fd(), bytes.data(), bytes.size(), 0);
    if (received < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (received <= 0) return lost();
    pending.append(bytes.data(), static_cast<std::size_t>(received));
    if (auto end = take_lines(pending, take)) return *end;
    if (pending.size() > longest_line) return broken();
  }
}

}  // namespace hcrc

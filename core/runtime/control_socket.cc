#include "core/runtime/control_socket.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/run_places.h"
#include "core/runtime/control_client.h"
#include "core/runtime/proc_listing.h"

namespace hcrc {

namespace {

constexpr int backlog = 64;
constexpr int accepts_in_a_turn = 8;
constexpr Duration accept_pause = std::chrono::seconds(1);

}  // namespace

ControlServer::ControlServer() = default;

ControlServer::~ControlServer() { close(); }

namespace {

using Error = ControlServer::Error;

std::unexpected<Error> refuse(std::string_view path, std::string_view why) {
  return std::unexpected(Error{.sentence = "no control socket: " + std::string(path) + ": " + std::string(why)});
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

pid_t peer_pid(int connection) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 ? credentials.pid : 0;
}

// Whether whoever listened there has ended; not, where that cannot be known (another PID namespace).
bool is_dead(pid_t pid) {
  if (pid <= 0) return false;
  const auto stat = stat_of(pid);
  return stat ? !stat->alive : kill(pid, 0) != 0 && errno == ESRCH;
}

std::unexpected<Error> occupied(const std::string& path, pid_t pid) {
  const std::string who = pid > 0 ? ", pid " + std::to_string(pid) + "," : "";
  return std::unexpected(
      Error{.occupied = true,
            .pid = pid,
            .sentence = "another runtime" + who + " answers at " + path + ": stop it, or name another run dir"});
}

// Nothing, or a dead socket, may lie where the socket goes.
std::expected<void, Error> make_way(int folder, const std::string& name, const std::string& path) {
  struct stat status{};
  if (fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return refuse(path, std::strerror(errno));
  }
  if (!S_ISSOCK(status.st_mode)) return refuse(path, "something that is no socket is in its place: remove it");
  const Descriptor knock(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!knock) return refuse(path, std::strerror(errno));
  const sockaddr_un address = address_of(path);
  const bool connected = connect(knock.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = connected ? 0 : errno;
  if (connected) {
    // A child that was forked by a runtime at the moment of its death keeps its socket for a while, and nobody answers
    // there.
    if (const pid_t pid = peer_pid(knock.get()); !is_dead(pid)) return occupied(path, pid);
  }
  if (error == EAGAIN) return occupied(path, 0);  // its queue is full
  if (!connected && error != ECONNREFUSED) return refuse(path, std::strerror(error));
  if (unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT) return refuse(path, std::strerror(errno));
  return {};
}

}  // namespace

std::expected<void, Error> ControlServer::open(EventLoop& loop, const RunDir& run_dir, ControlHandler& handler) {
  const std::string name(run_dir_file::control);
  const std::string path = run_dir.file(name);
  if (const std::string too_long = socket_path_too_long(path); !too_long.empty()) {
    return std::unexpected(Error{.sentence = "no control socket: " + too_long});
  }
  if (auto way = make_way(run_dir.fd(), name, path); !way) return way;

  Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return refuse(path, std::strerror(errno));
  // The mode of a socket's file comes from the socket (and the umask): 0600 from its first moment on.
  const sockaddr_un address = address_of(path);
  if (fchmod(listener.get(), 0600) != 0 ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      fchmodat(run_dir.fd(), name.c_str(), 0600, 0) != 0 || listen(listener.get(), backlog) != 0) {
    return refuse(path, std::strerror(errno));
  }
  loop_ = &loop;
  handler_ = &handler;
  folder_fd_ = run_dir.fd();
  own_uid_ = geteuid();
  places_ = std::make_unique_for_overwrite<ControlClient[]>(bounds::control_clients);
  listener_ = std::move(listener);
  resume_accepting();
  return {};
}

void ControlServer::resume_accepting() {
  accept_again_ = end_of_time;
  watcher_.start(
      *loop_, listener_.get(), {.readable = true},
      [](void* self, Readiness) { static_cast<ControlServer*>(self)->accept_some(); }, this);
}

void ControlServer::pause_accepting(Instant until) {
  watcher_.stop();
  accept_again_ = until;
}

// A free place, or the one whose client has been silent for longest.
ControlClient* ControlServer::free_place() {
  ControlClient* silent = nullptr;
  for (ControlClient& client : std::span(places_.get(), bounds::control_clients)) {
    if (client.state() == ControlClient::State::free) return &client;
    if (client.state() != ControlClient::State::reading) continue;
    if (silent == nullptr || client.since() < silent->since()) silent = &client;
  }
  return silent;
}

void ControlServer::place_is_free() {
  if (listener_ && !watcher_.active() && accept_again_ == end_of_time) resume_accepting();
}

void ControlServer::accept_some() {
  const Instant now = EventLoop::now();
  for (int i = 0; i < accepts_in_a_turn; ++i) {
    if (free_place() == nullptr) {
      pause_accepting(end_of_time);
      break;
    }
    Descriptor connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection) {
      admit(std::move(connection), now);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN) pause_accepting(now + accept_pause);  // no descriptor or memory for it now
    break;
  }
  schedule();
}

void ControlServer::admit(Descriptor connection, Instant now) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return;
  if (credentials.uid != 0 && credentials.uid != own_uid_) {
    std::array<char, result_line_bytes> room;
    JsonLine line(room);
    write_result(line, exit_code::unreachable, "only root and the runtime's own user may command it");
    TextWriter out(std::span<char>(room).subspan(line.view().size()));
    const std::size_t bytes = line.view().size() + out.put('\n').view().size();
    [[maybe_unused]] const ssize_t sent = send(connection.get(), room.data(), bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  ControlClient* place = free_place();
  place->drop();
  place->begin(*this, std::move(connection), {.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid}, now);
}

void ControlServer::poke() {
  if (!listener_) return;
  if (answering_) {
    poked_ = true;  // expire() takes it up
    schedule();
    return;
  }
  poked_ = false;
  if (waiting_ == 0) return schedule();
  const Instant now = EventLoop::now();
  for (ControlClient& client : std::span(places_.get(), bounds::control_clients)) client.poked(now);
  schedule();
}

void ControlServer::expire(Instant now) {
  if (!listener_) return;
  for (ControlClient& client : std::span(places_.get(), bounds::control_clients)) client.expire(now);
  if (accept_again_ <= now) resume_accepting();
  if (poked_) poke();
  schedule();
}

void ControlServer::schedule() {
  next_deadline_ = poked_ ? Instant::min() : accept_again_;
  for (const ControlClient& client : std::span(places_.get(), bounds::control_clients)) {
    next_deadline_ = std::min(next_deadline_, client.deadline());
  }
}

void ControlServer::close() {
  if (!listener_) return;
  watcher_.stop();
  // The socket that lies there is ours: we hold the run dir's lock.
  unlinkat(folder_fd_, std::string(run_dir_file::control).c_str(), 0);
  listener_.reset();
  for (ControlClient& client : std::span(places_.get(), bounds::control_clients)) client.flush_and_drop();
  accept_again_ = next_deadline_ = end_of_time;
  poked_ = false;
}

}  // namespace hcrc

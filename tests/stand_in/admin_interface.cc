#include "tests/stand_in/admin_interface.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tests/stand_in/files.h"
#include "tests/stand_in/websocket.h"

namespace stand_in {
namespace {

constexpr std::size_t client_bound = 32;
constexpr std::size_t request_bound = 8192;

// A listening socket, or -1 with errno.
int listen_on(const sockaddr* address, socklen_t size) {
  const int fd = socket(address->sa_family, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->sa_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (bind(fd, address, size) == 0 && listen(fd, 128) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace

std::expected<AdminInterface, std::string> AdminInterface::open(int port) {
  AdminInterface admin;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(static_cast<std::uint16_t>(port));
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = four.sin_port;
  six.sin6_addr = in6addr_loopback;
  const std::array<int, 2> fds{listen_on(reinterpret_cast<sockaddr*>(&four), sizeof four),
                               listen_on(reinterpret_cast<sockaddr*>(&six), sizeof six)};
  // Only the second may be missing, and only for want of IPv6.
  if (fds[0] < 0 || (fds[1] < 0 && errno == EADDRINUSE)) {
    const std::string why = std::strerror(errno);
    if (fds[0] >= 0) close(fds[0]);
    return std::unexpected("cannot listen on port " + std::to_string(port) + ": " + why);
  }
  for (int fd : fds) {
    if (fd >= 0) admin.listeners_.push_back(fd);
  }
  return admin;
}

void AdminInterface::accept_from(int listener) {
  const int fd = accept(listener, nullptr, nullptr);
  if (fd < 0) return;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (clients_.size() == client_bound) {
    close(fd);
  } else {
    clients_.push_back({fd, "", false});
  }
}

// Reads what a client sends; false when its connection is over.
bool AdminInterface::keep(Client& client) {
  std::array<char, 4096> buffer;
  const ssize_t size = read(client.fd, buffer.data(), buffer.size());
  if (size <= 0) return size < 0 && (errno == EAGAIN || errno == EINTR);
  if (client.open) return true;
  client.request.append(buffer.data(), static_cast<std::size_t>(size));
  if (!client.request.contains("\r\n\r\n")) return client.request.size() < request_bound;
  const std::string answer = handshake_answer(client.request);
  if (answer.empty() || !write_all(client.fd, answer)) return false;
  client.open = answer.starts_with("HTTP/1.1 101");
  return client.open;
}

bool AdminInterface::serve(int wake_fd, int timeout_ms) {
  std::vector<pollfd> watched{{wake_fd, POLLIN, 0}};
  for (int fd : listeners_) watched.push_back({fd, POLLIN, 0});
  for (const Client& client : clients_) watched.push_back({client.fd, POLLIN, 0});
  if (poll(watched.data(), watched.size(), timeout_ms) <= 0) return false;
  std::vector<Client> kept;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Client& client = clients_[i];
    if (watched[1 + listeners_.size() + i].revents == 0 || keep(client)) {
      kept.push_back(std::move(client));
    } else {
      close(client.fd);
    }
  }
  clients_ = std::move(kept);
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (watched[1 + i].revents != 0) accept_from(listeners_[i]);
  }
  return watched[0].revents != 0;
}

void AdminInterface::close_all() {
  for (int fd : listeners_) close(fd);
  for (const Client& client : clients_) close(client.fd);
  listeners_.clear();
  clients_.clear();
}

}  // namespace stand_in

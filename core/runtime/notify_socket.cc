#include "core/runtime/notify_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/run_places.h"

namespace hcrc {

namespace {

constexpr std::size_t most_descriptors = 253;  // SCM_MAX_FD of the kernel: what one message can bring
constexpr Duration second = std::chrono::seconds(1);

std::unexpected<std::string> refuse(const std::string& path, std::string_view why) {
  return std::unexpected("no notify socket: " + path + ": " + std::string(why));
}

// The run dir is locked, so a socket that lies there is a former runtime's.
std::expected<void, std::string> make_way(int folder, const std::string& name, const std::string& path) {
  struct stat status{};
  if (fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return refuse(path, std::strerror(errno));
  }
  if (!S_ISSOCK(status.st_mode)) return refuse(path, "something that is no socket is in its place: remove it");
  if (unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT) return refuse(path, std::strerror(errno));
  return {};
}

// Closes what came along and finds out who sent it.
ucred take_control(msghdr& message) {
  ucred sender{};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_CREDENTIALS && header->cmsg_len >= CMSG_LEN(sizeof sender)) {
      std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
    }
    if (header->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        close(fd);
      }
    }
  }
  return sender;
}

}  // namespace

bool has_notify_socket(const format::ServiceRecord& rule) {
  return static_cast<ReadyKind>(rule.ready_kind) == ReadyKind::notify || rule.watchdog_ms >= 0;
}

NotifySocket::~NotifySocket() {
  if (!socket_) return;
  watcher_.stop();
  unlinkat(folder_fd_, name_.c_str(), 0);
}

std::expected<void, std::string> NotifySocket::open(EventLoop& loop, const RunDir& run_dir, std::uint32_t number,
                                                    Callback callback, void* context) {
  name_ = std::string(run_dir_file::notify) + std::to_string(number);
  path_ = run_dir.file(name_);
  if (const std::string too_long = socket_path_too_long(path_); !too_long.empty()) {
    return std::unexpected("no notify socket: " + too_long);
  }
  if (auto way = make_way(run_dir.fd(), name_, path_); !way) return way;

  Descriptor fresh(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fresh) return refuse(path_, std::strerror(errno));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  const int on = 1;
  if (setsockopt(fresh.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
      bind(fresh.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      fchmodat(run_dir.fd(), name_.c_str(), 0666, 0) != 0) {
    return refuse(path_, std::strerror(errno));
  }
  loop_ = &loop;
  folder_fd_ = run_dir.fd();
  callback_ = callback;
  context_ = context;
  socket_ = std::move(fresh);
  watch();
  return {};
}

void NotifySocket::watch() {
  watcher_.start(
      *loop_, socket_.get(), {.readable = true}, [](void* self, Readiness) { static_cast<NotifySocket*>(self)->drain(); },
      this);
}

void NotifySocket::drain() {
  if (!socket_ || paused_until_ != end_of_time) return;
  const Instant now = EventLoop::now();
  if (now - second_began_ >= second) {
    second_began_ = now;
    in_this_second_ = 0;
  }
  for (std::uint32_t i = 0; i < batch && receive_one(); ++i) {
    if (++in_this_second_ < burst) continue;
    paused_until_ = second_began_ + second;
    watcher_.stop();
    return;
  }
}

void NotifySocket::begin_anew() {
  if (!socket_) return;
  for (std::uint32_t i = 0; i < burst && receive_one(); ++i) {
  }
  expire(paused_until_);
}

void NotifySocket::expire(Instant now) {
  if (paused_until_ > now) return;
  paused_until_ = end_of_time;
  watch();
}

// One datagram. False: there is none.
bool NotifySocket::receive_one() {
  std::array<char, datagram_bytes> text;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(most_descriptors * sizeof(int))> control;
  iovec vector{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t received = 0;
  do {
    received = recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return false;
  const ucred sender = take_control(message);
  if ((message.msg_flags & MSG_TRUNC) != 0) return true;  // longer than anything that means something
  const NotifyMessage told = parse_notify({text.data(), static_cast<std::size_t>(received)});
  if (!told.empty()) callback_(context_, sender.pid, sender.uid, told);
  return true;
}

}  // namespace hcrc

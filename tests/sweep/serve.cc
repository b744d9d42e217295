#include "tests/sweep/serve.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace sweep {

namespace {

void say_ready_by_socket() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path == nullptr || std::strlen(path) >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sendto(fd, "READY=1", 7, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  close(fd);
}

}  // namespace

int serve(std::string_view name, std::string_view how) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  const std::string line = std::string(name) + '\n';
  [[maybe_unused]] const ssize_t said = write(1, line.data(), line.size());
  if (how == "once") return 0;
  if (how == "notify") say_ready_by_socket();
  if (how == "fd") [[maybe_unused]]
    const ssize_t written = write(3, "\n", 1);
  if (how.starts_with("dies:")) {
    const std::string mark(how.substr(5));
    if (const int fd = open(mark.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644); fd >= 0) raise(SIGKILL);
  }
  int signal = 0;
  sigwait(&stop, &signal);
  return 0;
}

}  // namespace sweep

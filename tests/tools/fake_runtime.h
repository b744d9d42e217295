// A control socket that says what a test has written down, one script a connection, on a thread of its own.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hcrc::test {

class FakeRuntime {
 public:
  // What happens on a connection once its request line has been read; it is closed afterwards.
  using Script = std::function<void(int connection)>;

  FakeRuntime(const std::string& run_dir, std::vector<Script> scripts) : scripts_(std::move(scripts)) {
    const std::string path = run_dir + "/control";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool well =
        bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(listener_, 8) == 0;
    if (well) thread_ = std::thread([this] { serve(); });
  }
  ~FakeRuntime() {
    shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }
  FakeRuntime(const FakeRuntime&) = delete;
  FakeRuntime& operator=(const FakeRuntime&) = delete;

  // The request lines so far.
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  static Script says(std::string text) {
    return [text = std::move(text)](int connection) { send(connection, text.data(), text.size(), MSG_NOSIGNAL); };
  }
  // Until the client goes.
  static void stays_silent(int connection) {
    char byte = 0;
    while (recv(connection, &byte, 1, 0) > 0) {
    }
  }

 private:
  void serve() {
    for (const Script& script : scripts_) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      std::string line;
      char byte = 0;
      while (recv(connection, &byte, 1, 0) == 1 && byte != '\n') line += byte;
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(line);
      }
      script(connection);
      close(connection);
    }
  }

  std::vector<Script> scripts_;
  int listener_ = -1;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
};

}  // namespace hcrc::test

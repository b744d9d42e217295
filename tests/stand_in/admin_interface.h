// The conductor's admin interface as seen from the door: it listens on both loopback addresses and answers handshakes.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace stand_in {

class AdminInterface {
 public:
  AdminInterface() = default;  // nobody can come
  // Listens on 127.0.0.1 and, where the machine has IPv6, on ::1. An error is a sentence.
  [[nodiscard]] static std::expected<AdminInterface, std::string> open(int port);

  // Waits until a client needs something, `wake_fd` is readable, or `timeout_ms` (-1: no bound) is over, and serves the
  // clients. True if wake_fd is readable.
  bool serve(int wake_fd, int timeout_ms);

  // Forgets all descriptors, for a child that shall not keep the port.
  void close_all();

 private:
  struct Client {
    int fd;
    std::string request;
    bool open;  // its websocket is: what it sends is read and ignored
  };

  void accept_from(int listener);
  static bool keep(Client& client);

  std::vector<int> listeners_;
  std::vector<Client> clients_;
};

}  // namespace stand_in

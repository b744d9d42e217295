// The conductor's configuration, as far as it decides whether and where a conductor starts.
#pragma once

#include <expected>
#include <string>

namespace stand_in {

struct Configuration {
  std::string data_root;
  std::string keystore_root;
  int admin_port = 0;
};

// Reads and checks it. An error is what the conductor says before it exits with 42.
[[nodiscard]] std::expected<Configuration, std::string> read_configuration(const std::string& path);

}  // namespace stand_in

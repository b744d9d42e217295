#include "tests/stand_in/configuration.h"

#include <cerrno>
#include <charconv>
#include <cstring>

#include "tests/stand_in/files.h"
#include "tests/stand_in/yaml.h"

namespace stand_in {

std::expected<Configuration, std::string> read_configuration(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::unexpected(path + ": " + std::strerror(errno));
  const auto yaml = parse_yaml(*text);
  if (!yaml) return std::unexpected(path + ": " + yaml.error());
  // 0.5's mandatory fields; 0.7 has relay_url instead of signal_url and refuses this configuration, as this one does its.
  for (const char* field : {"data_root_path", "keystore.type", "admin_interfaces.0.driver.port", "network.bootstrap_url",
                            "network.signal_url"}) {
    const auto found = yaml->find(field);
    if (found == yaml->end() || found->second.empty()) {
      return std::unexpected(path + ": Missing field `" + std::string(field) + '`');
    }
  }
  Configuration configuration;
  configuration.data_root = yaml->at("data_root_path");
  const auto root = yaml->find("keystore.lair_root");
  configuration.keystore_root = root == yaml->end() ? configuration.data_root + "/ks" : root->second;
  if (configuration.data_root.front() != '/' || configuration.keystore_root.front() != '/') {
    return std::unexpected(path + ": data_root_path and lair_root must begin with /");
  }
  if (yaml->at("keystore.type") != "lair_server_in_proc") {
    return std::unexpected(path + ": keystore.type: only lair_server_in_proc is known here");
  }
  const std::string& port = yaml->at("admin_interfaces.0.driver.port");
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), configuration.admin_port);
  if (error != std::errc() || end != port.data() + port.size() || configuration.admin_port < 1 ||
      configuration.admin_port > 65535) {
    return std::unexpected(path + ": `" + port + "` is no port");
  }
  return configuration;
}

}  // namespace stand_in

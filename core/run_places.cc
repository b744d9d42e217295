#include "core/run_places.h"

namespace hcrc {

std::vector<RunPlace> run_places(std::uint32_t uid, std::string_view xdg_runtime_dir) {
  std::vector<RunPlace> places{{.path = "/run/hcrc", .make_parents = true}};
  if (xdg_runtime_dir.starts_with('/')) {
    places.push_back({.path = std::string(xdg_runtime_dir) + "/hcrc", .make_parents = false});
  }
  places.push_back({.path = "/dev/shm/hcrc-" + std::to_string(uid), .make_parents = false});
  return places;
}

std::string socket_path_too_long(std::string_view path) {
  if (path.size() <= socket_path_bytes) return {};
  return std::string(path) + ": " + std::to_string(path.size()) + " bytes, but a socket's path has at most " +
         std::to_string(socket_path_bytes) + ": choose a shorter run dir";
}

}  // namespace hcrc

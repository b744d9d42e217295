// Where a runtime lives when nobody names its run dir, and what lies in one (contract, section 3). Runtime and client go
// through the same list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hcrc {

namespace run_dir_file {
inline constexpr std::string_view control = "control";  // the control socket, 0600
inline constexpr std::string_view notify = "notify.";   // and a number: a service's notify socket, 0666
inline constexpr std::string_view lock = "lock";        // locked by the runtime that lives there, whose pid is in it
inline constexpr std::string_view processes =
    "processes";  // its children, for the one after it (core/runtime/process_records.h)
}  // namespace run_dir_file

// sockaddr_un holds 108 bytes, the last of them NUL (unix(7)).
inline constexpr std::size_t socket_path_bytes = 107;

struct RunPlace {
  std::string path;
  bool make_parents;  // the folders above may be made too: a container without /run
};

// /run/hcrc, then $XDG_RUNTIME_DIR/hcrc where that is set to an absolute path, then /dev/shm/hcrc-UID.
std::vector<RunPlace> run_places(std::uint32_t uid, std::string_view xdg_runtime_dir);

// "RUN_DIR/control: 131 bytes, but a socket's path has at most 107: choose a shorter run dir"; empty where it fits.
std::string socket_path_too_long(std::string_view path);

}  // namespace hcrc

// Where the client looks for a living runtime: the place that is named, else the usual ones, its own user's before those of
// others (root in a container whose node runs as another user finds it). Only who answers counts: a run dir outlives its
// runtime.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace hcrc {

struct RuntimeSearch {
  std::string named;            // --run-dir or HCRC_RUN_DIR; empty: everywhere
  std::string xdg_runtime_dir;  // the variable
  uid_t uid = 0;                // the client's effective one
  std::string shared_memory = "/dev/shm";
  std::string user_folders = "/run/user";  // what XDG_RUNTIME_DIR of another user lies in
};

// The run dirs that may be asked, in order. A folder that bears a user's number counts only where it belongs to that user.
std::vector<std::string> run_dirs_to_ask(const RuntimeSearch& search);

}  // namespace hcrc

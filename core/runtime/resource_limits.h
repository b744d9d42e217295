// [limits]: resource limits of a service's processes (setrlimit(2)).
//
// In two steps, since only a privileged process may raise a hard limit and only what is about to exec can live with a low
// one: hard limits are raised first, and everything gets its value at the end.
#pragma once

#include <sys/resource.h>

#include <string>
#include <vector>

#include "core/database.h"
#include "core/runtime/spawn_answer.h"

namespace hcrc {

class ResourceLimits {
 public:
  // Raises the soft limit of descriptors to the hard one: between fork and exec more may be needed than afterwards.
  ResourceLimits();

  // Raises hard limits as far as this process may. What falls short of what is written is a line for the notes.
  void raise(const Database& database, const format::ServiceRecord& service, std::vector<std::string>& notes);
  // Sets every limit that is written, as near as it can be had, and gives back the limit of descriptors.
  [[nodiscard]] OrFailure<void> set(const Database& database, const format::ServiceRecord& service) const;
  // Gives back the limit of descriptors alone.
  void restore() const;

 private:
  rlimit descriptors_{};  // as it was
  bool raised_ = false;
};

}  // namespace hcrc

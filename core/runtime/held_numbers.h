// Whether anything at all has a process number: as its pid, or as that of its group or session. The kernel gives a number to
// nobody new as long as anything has it, so what a dead leader left behind keeps its number held.
//
// One call tells, where /proc would be read through: fcntl(2)'s F_SETOWN refuses a number that nobody has (ESRCH), and Linux
// looks for the number itself, of whatever kind (fs/fcntl.c, f_setown). What only speaks like Linux may look for a process:
// a trial finds out.
#pragma once

#include <sys/types.h>

#include "core/system/descriptor.h"

namespace hcrc {

class HeldNumbers {
 public:
  // Makes two children that end at once, and reaps them. Where it does not succeed the kernel cannot be asked.
  void open();

  // Whether surely nothing has it. False where the kernel cannot be asked.
  [[nodiscard]] bool surely_free(pid_t number) const;

 private:
  bool trial_goes_well() const;

  Descriptor owned_;  // only ever owned, never read
};

}  // namespace hcrc

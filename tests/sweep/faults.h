// What can go wrong with a system call, as its man page has it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sweep {

struct Fault {
  enum class Kind : std::uint8_t {
    fails,     // the call is not made
    done_yet,  // it is made, and fails all the same (close(2))
    is_short,  // one byte of those that were asked for
  };
  Kind kind = Kind::fails;
  int error = 0;
};

struct Call {
  long number;
  std::string_view name;
  std::span<const Fault> faults;
};

// Null for a call that cannot fail, or whose failure a program can only shrug at (munmap, rt_sigprocmask, exit).
const Call* call(long number);

}  // namespace sweep

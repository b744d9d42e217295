// Runs the runtime in a PID namespace of its own and lets one of its system calls fail: ptrace(2). From there on it runs by
// itself; its children are never traced.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sweep/faults.h"

namespace sweep {

struct Plan {
  std::vector<std::string> command;  // the runtime and its options
  bool pid1 = true;                  // else a child of the tracer, which is PID 1
  std::uint32_t at = 0;              // the how many-th call that can fail does; 0: none, all are counted
  std::uint32_t which = 0;           // of the faults of that call
};

// What the tracer tells over its pipe, in records of this kind.
struct Told {
  enum class Kind : std::uint8_t { failed, counted, ended };
  Kind kind;
  Fault fault;              // of `failed`
  long number = 0;          // of `failed` and `counted`: the call's
  int status = 0;           // of `ended`: as wait4(2) gives it
  std::int64_t cpu_ms = 0;  // of `ended`
};

// Forks the tracer; its pid. Records come from `told`, which ends with it. Standard output and error, and `notify` as
// descriptor 3, are those of the runtime. With the tracer everything in the namespace ends.
pid_t start(const Plan& plan, int told, int out, int err, int notify);

}  // namespace sweep

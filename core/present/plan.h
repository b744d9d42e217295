// How long a node may take to start and to stop when everything takes all the time that it is given.
//
// Start. Looked at is what is wanted at boot and all that this starts. A service begins when what it waits for is ready, and
// takes its `cleanup` (at most the stop timeout) and then, if it says itself when it is ready, its ready timeout; a oneshot
// takes its `timeout`, and has no bound where it has none. A producer waits for its logger to be spawned, not to be ready,
// and 5 seconds at most. First attempts only: a restart starts the clock of that service anew, and a lock may be waited for
// without end.
//
// Stop. Everything is looked at, since an operator may have started it. The deadline less its reserve (1.5 s, or a quarter
// where that is less) is shared as the supervisor shares it: a timeout that is written is kept as far as there is time, one
// that is not leaves what stops after it the time written there, 1 s where none is, or at least an even share. Loggers, and
// what they need, stop in the reserve.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/graph.h"
#include "core/time.h"

namespace hcrc::present {

inline constexpr std::uint32_t nobody = UINT32_MAX;  // the index of no service

struct StartOfService {
  bool at_boot = false;
  std::uint32_t level = 0;        // 0, or one more than the highest level of what it waits for at boot
  bool bounded = true;            // false: a oneshot without a timeout
  Milliseconds own{0};            // what it may take itself, as far as that has a bound
  Milliseconds ready{0};          // when it is ready at the latest, unbounded ones on its path aside
  std::uint32_t before = nobody;  // what it waits for the longest
};

struct StopOfService {
  bool late = false;                  // stops in the reserve: a logger, or what one needs
  bool instant = false;               // takes no time: a oneshot without a stop command, a bundle
  std::uint32_t step = 0;             // 0, or one more than the highest step of what stops before it
  Milliseconds own{0};                // the most that it is given
  Milliseconds gone{0};               // when it is gone at the latest, from the start of the stop
  std::uint32_t before = nobody;      // what it waits for the longest
  Milliseconds written_from_here{0};  // written timeouts on the longest path from here on, its own included
  std::uint32_t next = nobody;        // what comes next on that path
  bool written_before = false;        // something with a written timeout stops before it
};

struct Plan {
  std::vector<StartOfService> starts;     // by service
  std::vector<StopOfService> stops;       // by service
  std::vector<std::uint32_t> start_path;  // the longest, in the order in which they start
  Milliseconds start_time{0};             // along it
  std::vector<std::uint32_t> unbounded;   // at boot, without a bound
  std::vector<std::uint32_t>
      stop_path;  // the longest, in the order in which they stop; those that take no time are left out
  Milliseconds stop_time{0};
  Milliseconds deadline{0};
  Milliseconds reserve{0};
  std::vector<std::uint32_t> written_path;  // the services with written timeouts on the longest path of these
  Milliseconds written_time{0};
  bool fits() const { return written_time <= deadline - reserve; }
};

// Linear in services and edges.
Plan make_plan(const ServiceGraph& graph);

// A table of at most 100 columns, closed by a newline. It tells at most 8 names where one service waits for many.
std::string plan_text(const ServiceGraph& graph, const Plan& plan);

// One object in one line, closed by a newline. Times are whole milliseconds; null where there is no bound.
std::string plan_json(const ServiceGraph& graph, const Plan& plan);

}  // namespace hcrc::present

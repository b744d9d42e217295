// What goes wrong in a simulation: the --fail words of `hcrc simulate`, and random faults for --runs.
//
//   NAME=exit:CODE@T     the service's own process ends with this code at T; a service that has none then is not harmed
//   NAME=signal:SIG@T    the same by a signal
//   NAME=hang@T          the process that it has at T hangs from then on: it answers no probe and no watchdog and does not
//                        hear its stop signal; the next one is well
//   NAME=unready         its processes never become ready; a oneshot's or periodic's never end by themselves
//
// Of a bundle all contents are meant.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/simulation/world.h"

namespace hcrc::simulation {

struct Fault {
  enum class Kind : std::uint8_t { ends, hangs, unready };
  Kind kind = Kind::ends;
  Slot slot = 0;
  Duration at{0};
  ExitStatus status;              // of `ends`
  std::optional<Duration> until;  // of `unready`; none: for ever
};

struct ScenarioError {
  enum class Kind : std::uint8_t { malformed, no_such_service };
  Kind kind = Kind::malformed;
  std::string sentence;  // what is wrong and what to do
};

// One --fail word.
[[nodiscard]] std::expected<std::vector<Fault>, ScenarioError> parse_fault(std::string_view word, const Database& database);

// Before the world boots.
void inflict(World& world, std::span<const Fault> faults);

// Whether anything would notice that a process of this service hangs.
bool checked(const format::ServiceRecord& rule);

// Faults of random services at random times from 0 to `span`, some of them many in a row; the same for the same seed. Hangs
// are of services that are checked only: what becomes of the others is known.
std::vector<Fault> random_faults(const Database& database, std::uint64_t seed, Duration span);

// What a node may need to be well again after its last fault by its own definitions: the longest of its timeouts, delays and
// holds added up, at least 10 minutes and at most a day.
Duration time_to_recover(const Database& database);

}  // namespace hcrc::simulation

// The vocabulary of services: the words of the contract as types, and their names as text. docs/glossary.md says what each
// word means.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hcrc {

enum class ServiceType : std::uint8_t { longrun, oneshot, periodic, bundle };

// What connects two services. `requires`, `wants` and `binds_to` start what they name; all of them order. One pair of
// services may be connected in several ways at once, so edges carry a set.
enum class EdgeKind : std::uint8_t { requires_, wants, after, binds_to, log_to };

class EdgeKinds {
 public:
  constexpr EdgeKinds() = default;
  constexpr explicit EdgeKinds(std::uint8_t bits) : bits_(bits) {}
  constexpr EdgeKinds(EdgeKind kind) : bits_(static_cast<std::uint8_t>(1u << static_cast<unsigned>(kind))) {}

  constexpr bool has(EdgeKind kind) const { return (bits_ >> static_cast<unsigned>(kind) & 1u) != 0; }
  constexpr void add(EdgeKind kind) { bits_ = static_cast<std::uint8_t>(bits_ | EdgeKinds(kind).bits_); }
  // Must be up before the other may start: `requires` or `binds-to`.
  constexpr bool requirement() const { return has(EdgeKind::requires_) || has(EdgeKind::binds_to); }
  // Starts what it names.
  constexpr bool pulls() const { return requirement() || has(EdgeKind::wants) || has(EdgeKind::log_to); }
  constexpr std::uint8_t bits() const { return bits_; }
  static constexpr std::uint8_t all_bits = 0x1f;
  friend constexpr bool operator==(EdgeKinds, EdgeKinds) = default;

 private:
  std::uint8_t bits_ = 0;
};

enum class State : std::uint8_t { down, waiting, starting, up, stopping, backoff, held, failed, skipped };

enum class RestartPolicy : std::uint8_t { always, on_failure, never };
enum class Exhausted : std::uint8_t { fail, hold, shutdown };
enum class ReadyKind : std::uint8_t { spawned, notify, fd, tcp, http, exec };
enum class HealthKind : std::uint8_t { none, tcp, http, exec };
enum class ConditionKind : std::uint8_t { env_set, env_unset, env_equals, env_differs, path, path_not };
enum class LimitKind : std::uint8_t { nofile, nproc, core, as, memlock, stack };

// Text of each enumerator as it stands in TOML, in JSON and on the console.
std::string_view text(ServiceType type);
std::string_view text(EdgeKind kind);
std::string_view text(State state);
std::string_view text(RestartPolicy policy);
std::string_view text(Exhausted exhausted);
std::string_view text(ReadyKind kind);
std::string_view text(HealthKind kind);
std::string_view text(ConditionKind kind);
std::string_view text(LimitKind kind);

// Signals by Linux number (signal(7)); the core sends none, it only names them.
namespace signals {
inline constexpr int sighup = 1, sigint = 2, sigkill = 9, sigterm = 15, sigcont = 18;
inline constexpr int highest = 64;
}  // namespace signals

// "SIGSEGV" for 11, "SIGRTMIN+3" for 37; numbers without a name come back empty.
std::string_view signal_name(int number);
// The number of "SIGTERM", "TERM" or "SIGRTMIN+3"; nothing else is a signal.
std::optional<int> signal_number(std::string_view name);

}  // namespace hcrc

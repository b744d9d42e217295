// The service graph: what the definitions say once they are resolved and found right, without their source positions.
//
// The compiler makes one and the database writer turns it into bytes; reading a database back gives an equal one
// (load . write is the identity). In a graph
//   - services are sorted by name, each name is there once, and edges name services by index;
//   - a bundle is a name only: edges never lead to or from one, its contents are plain services;
//   - `before` has become `after` on the other side, instances have become services of their own with a bundle for the name
//     they share, defaults are filled in (a logger's restart defaults, policy by type, ...);
//   - the edges of all kinds together have no cycle.
// Durations are whole milliseconds, 0 to bounds::duration_ms.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/service.h"
#include "core/time.h"

namespace hcrc {

// A text with variables, as `/data/${NAME:-x}/log`: pieces that are put together at start.
struct TemplatePiece {
  enum class Kind : std::uint8_t { literal, variable, variable_or };
  Kind kind = Kind::literal;
  std::string text;      // the literal, or the variable's name
  std::string fallback;  // of variable_or: taken where the variable is unset or empty
  friend bool operator==(const TemplatePiece&, const TemplatePiece&) = default;
};

// No pieces is the empty text. Two literals never stand side by side.
struct Template {
  std::vector<TemplatePiece> pieces;
  friend bool operator==(const Template&, const Template&) = default;
};

using Arguments = std::vector<Template>;  // an argv; empty where there is none

struct EnvironmentEntry {
  std::string name;
  Template value;
  friend bool operator==(const EnvironmentEntry&, const EnvironmentEntry&) = default;
};

struct Condition {
  ConditionKind kind{};
  std::string name;  // of env*: the variable
  Template value;    // of env_equals, env_differs: the literal value; of path, path_not: the path
  friend bool operator==(const Condition&, const Condition&) = default;
};

struct ReadyRule {
  ReadyKind kind = ReadyKind::spawned;
  std::uint32_t fd = 0;             // of fd
  std::optional<Template> address;  // of tcp "HOST:PORT", of http "HOST:PORT[/PATH]"
  Arguments command;                // of exec
  Milliseconds interval{500};
  Milliseconds timeout{60'000};
  friend bool operator==(const ReadyRule&, const ReadyRule&) = default;
};

struct HealthRule {
  HealthKind kind = HealthKind::none;
  std::optional<Template> address;
  Arguments command;
  Milliseconds interval{10'000};
  Milliseconds timeout{3'000};
  std::uint32_t failures = 3;
  std::optional<Milliseconds> watchdog;
  friend bool operator==(const HealthRule&, const HealthRule&) = default;
};

using ExitCodes = std::bitset<256>;

struct RestartRule {
  static constexpr std::uint32_t unlimited = UINT32_MAX;
  RestartPolicy policy = RestartPolicy::always;
  std::uint32_t attempts = 5;
  Milliseconds delay{1'000};
  std::uint32_t factor_milli = 2'000;  // thousandths
  Milliseconds max_delay{60'000};
  std::uint32_t jitter_milli = 100;  // thousandths
  Milliseconds reset_after{60'000};
  ExitCodes success_codes{1};
  ExitCodes permanent_codes;
  Exhausted exhausted = Exhausted::fail;
  Milliseconds hold{900'000};
  friend bool operator==(const RestartRule&, const RestartRule&) = default;
};

struct StopRule {
  std::uint8_t signal = signals::sigterm;
  Milliseconds timeout{10'000};
  bool timeout_written = false;  // a written timeout is kept at shutdown; a default one may be cut
  Arguments command;
  friend bool operator==(const StopRule&, const StopRule&) = default;
};

struct Schedule {
  Milliseconds every{86'400'000};
  bool at_start = true;
  Milliseconds jitter{0};
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

struct Limit {
  static constexpr std::uint64_t unlimited = UINT64_MAX;
  LimitKind kind{};
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
  friend bool operator==(const Limit&, const Limit&) = default;
};

struct Resources {
  static constexpr std::uint64_t none = UINT64_MAX;
  std::uint64_t memory_max = none;        // bytes
  std::uint64_t cpu_max_quota_us = none;  // in each period
  std::uint64_t cpu_max_period_us = 100'000;
  std::uint64_t pids_max = none;
  bool required = false;
  friend bool operator==(const Resources&, const Resources&) = default;
};

struct Edge {
  std::uint32_t target = 0;  // the service that is depended on
  EdgeKinds kinds;
  friend bool operator==(const Edge&, const Edge&) = default;
};

struct Service {
  std::string name;
  ServiceType type = ServiceType::longrun;
  std::string description;
  bool autostart = true;
  bool essential = false;
  std::string instance;  // what ${INSTANCE} is in it; empty where it is no instance

  Arguments command;
  std::vector<std::uint32_t> contents;  // of a bundle, sorted
  std::vector<Edge> edges;              // sorted by target, each target once

  std::optional<Template> lock;
  std::optional<Template> user;
  std::optional<Template> group;
  std::optional<std::vector<Template>> groups;
  std::optional<Template> directory;
  std::uint16_t umask = 022;
  std::optional<std::int8_t> nice;            // -20 to 19
  std::optional<std::int16_t> oom_score_adj;  // -1000 to 1000
  std::optional<Milliseconds> timeout;        // of one run
  std::vector<EnvironmentEntry> environment;  // sorted by name
  std::vector<Template> environment_files;
  bool environment_clear = false;
  std::optional<Template> stdin_file;
  std::optional<std::string> stdin_text;
  std::vector<Condition> conditions;
  ReadyRule ready;
  HealthRule health;
  RestartRule restart;
  StopRule stop;
  Arguments cleanup;
  Schedule schedule;
  std::vector<Limit> limits;  // sorted by kind
  bool no_new_privileges = false;
  std::optional<std::uint64_t> capabilities;  // those kept, by number as bit (capabilities(7))
  Resources resources;

  friend bool operator==(const Service&, const Service&) = default;
};

struct NodeSettings {
  std::optional<Milliseconds> stop_deadline;  // of node.toml; the runtime's default where there is none
  std::optional<Template> history;
  std::optional<Template> socket_group;
  friend bool operator==(const NodeSettings&, const NodeSettings&) = default;
};

struct ServiceGraph {
  NodeSettings node;
  std::vector<Service> services;
  friend bool operator==(const ServiceGraph&, const ServiceGraph&) = default;
};

}  // namespace hcrc

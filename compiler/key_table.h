// The language as one table: every key of a definition and of node.toml, what it takes, and which types of service have it.
// Reading, checking of types and ranges, suggestions and help go by this table; a key that is not in it does not exist.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/service.h"

namespace hcrc::compiler {

enum class Key : std::uint8_t {
  type,
  override_,
  description,
  command,
  contents,
  autostart,
  requires_,
  wants,
  after,
  before,
  binds_to,
  essential,
  log_to,
  lock,
  user,
  group,
  groups,
  directory,
  umask,
  nice,
  oom_score_adj,
  timeout,
  instances,
  env,
  env_files,
  env_clear,
  cleanup,
  stdin_file,
  stdin_text,
  when_env_set,
  when_env_unset,
  when_env,
  when_env_not,
  when_path,
  when_path_not,
  ready_notify,
  ready_fd,
  ready_tcp,
  ready_http,
  ready_exec,
  ready_interval,
  ready_timeout,
  health_http,
  health_tcp,
  health_exec,
  health_interval,
  health_timeout,
  health_failures,
  health_watchdog,
  restart_policy,
  restart_attempts,
  restart_delay,
  restart_factor,
  restart_max_delay,
  restart_jitter,
  restart_reset_after,
  restart_success_codes,
  restart_permanent_codes,
  restart_exhausted,
  restart_hold,
  stop_signal,
  stop_timeout,
  stop_command,
  schedule_every,
  schedule_at_start,
  schedule_jitter,
  limits_nofile,
  limits_nproc,
  limits_core,
  limits_as,
  limits_memlock,
  limits_stack,
  security_no_new_privileges,
  security_capabilities,
  resources_memory_max,
  resources_cpu_max,
  resources_pids_max,
  resources_required,
  // Of node.toml.
  node_override,
  node_stop_deadline,
  node_socket_group,
};
inline constexpr std::size_t keys = static_cast<std::size_t>(Key::node_socket_group) + 1;

// What a key takes, and what its value is read into (Value in definition.h).
enum class ValueKind : std::uint8_t {
  boolean,         // bool
  choice,          // one of a few words: its index
  text,            // plain text
  octal,           // a number in octal digits
  integer,         // a number from `least` to `most`
  decimal,         // a number with up to 3 decimals: thousandths, from `least` to `most` thousandths
  count,           // a number from `least` to `most`, or "unlimited"
  duration,        // milliseconds from `least` to `most`
  codes,           // a list of exit codes
  signal,          // a signal's number
  path,            // a text with variables that is not empty
  paths,           // a list of those
  path_or_paths,   // one or a list of those
  words,           // an argv: a list of texts with variables
  account,         // the name or number of a user or group, with variables
  accounts,        // a list of those
  tcp_address,     // HOST:PORT, with variables
  http_address,    // HOST:PORT[/PATH], with variables
  service,         // a service's name
  services,        // a list of those
  instances,       // a list of instance names
  variable_names,  // a list of environment variables' names
  variables,       // a table of those with texts with variables
  literals,        // a table of those with plain texts
  limit,           // a number, size, "unlimited", or a table of soft and hard
  capabilities,    // a list of capabilities: their numbers
  size,            // bytes, or "unlimited"
  cpu_share,       // how much of the processors, or "unlimited": quota and period
};

// Which definitions have a key.
class Definitions {
 public:
  constexpr explicit Definitions(unsigned bits) : bits_(static_cast<std::uint8_t>(bits)) {}
  constexpr bool has(ServiceType type) const { return (bits_ >> static_cast<unsigned>(type) & 1u) != 0; }
  constexpr bool node() const { return (bits_ & node_bit) != 0; }
  static constexpr unsigned node_bit = 16;

 private:
  std::uint8_t bits_;
};

struct KeyRow {
  Key key;
  std::string_view table;  // "" for the keys above the first [table]
  std::string_view name;
  ValueKind kind;
  Definitions definitions;
  std::string_view fallback;  // the default as TOML; "" where there is none
  std::string_view help;      // one sentence
  std::int64_t least = 0;     // of numbers and durations
  std::int64_t most = 0;
  std::span<const std::string_view> choices = {};
};

std::span<const KeyRow> key_table();
const KeyRow& row(Key key);

// The row of a key, for service definitions or for node.toml; none where there is none.
const KeyRow* find_key(bool node, std::string_view table, std::string_view name);
// Whether there is a [table] of this name.
bool is_table(bool node, std::string_view name);
std::vector<std::string_view> table_names(bool node);
std::vector<std::string_view> key_names(bool node, std::string_view table);

// "delay of [restart]", or "command".
std::string text(const KeyRow& row);
// "a longrun and a oneshot".
std::string text(Definitions definitions);

}  // namespace hcrc::compiler

#include "compiler/key_table.h"

#include <algorithm>
#include <array>

#include "core/bounds.h"

namespace hcrc::compiler {

namespace {

constexpr Definitions L{1u << static_cast<unsigned>(ServiceType::longrun)};
constexpr Definitions P{1u << static_cast<unsigned>(ServiceType::periodic)};
constexpr Definitions B{1u << static_cast<unsigned>(ServiceType::bundle)};
constexpr Definitions LO{0b0011}, OP{0b0110}, LOP{0b0111}, LOPB{0b1111};
constexpr Definitions N{Definitions::node_bit};
static_assert(LO.has(ServiceType::longrun) && LO.has(ServiceType::oneshot) && OP.has(ServiceType::periodic));

constexpr std::array<std::string_view, 4> types{"longrun", "oneshot", "periodic", "bundle"};
constexpr std::array<std::string_view, 2> overrides{"merge", "replace"};
constexpr std::array<std::string_view, 3> policies{"always", "on-failure", "never"};
constexpr std::array<std::string_view, 3> exhausted{"fail", "hold", "shutdown"};

constexpr std::int64_t longest = bounds::duration_ms;
constexpr std::int64_t million = 1'000'000;

using K = ValueKind;

constexpr auto table = std::to_array<KeyRow>({
    {Key::type, "", "type", K::choice, LOPB, R"("longrun")", "what kind of service it is", 0, 0, types},
    {Key::override_, "", "override", K::choice, LOPB, "", "how it changes the definition of an earlier folder", 0, 0,
     overrides},
    {Key::description, "", "description", K::text, LOPB, R"("")", "a line for those who look at the status"},
    {Key::command, "", "command", K::words, LOP, "", "the program and its arguments, without a shell"},
    {Key::contents, "", "contents", K::services, B, "", "the services that the bundle stands for"},
    {Key::autostart, "", "autostart", K::boolean, LOPB, "",
     "whether it is wanted at boot, as all but bundles are by default"},
    {Key::requires_, "", "requires", K::services, LOP, "[]", "services that have to be up before it starts"},
    {Key::wants, "", "wants", K::services, LOP, "[]", "services that are started too, and tried before it starts"},
    {Key::after, "", "after", K::services, LOP, "[]", "services that start before it where they are started"},
    {Key::before, "", "before", K::services, LOP, "[]", "services that start after it where they are started"},
    {Key::binds_to, "", "binds-to", K::services, LOP, "[]", "required services that it is stopped along with"},
    {Key::essential, "", "essential", K::boolean, L, "false", "whether its end for good stops the node"},
    {Key::log_to, "", "log-to", K::service, LOP, "", "the longrun that reads what it prints"},
    {Key::lock, "", "lock", K::path, L, "", "a file that keeps a second copy from running"},
    {Key::user, "", "user", K::account, LOP, "", "the user it runs as, by name or number"},
    {Key::group, "", "group", K::account, LOP, "", "the group it runs as, by name or number"},
    {Key::groups, "", "groups", K::accounts, LOP, "", "further groups, by name or number"},
    {Key::directory, "", "directory", K::path, LOP, R"("/")", "the folder it runs in"},
    {Key::umask, "", "umask", K::octal, LOP, R"("022")", "the permissions that new files do not get", 0, 0777},
    {Key::nice, "", "nice", K::integer, LOP, "", "its scheduling priority, 19 the lowest", -20, 19},
    {Key::oom_score_adj, "", "oom-score-adj", K::integer, LOP, "", "how soon the kernel kills it for memory", -1'000, 1'000},
    {Key::timeout, "", "timeout", K::duration, OP, "", "how long one run may take", 1, longest},
    {Key::instances, "", "instances", K::instances, LOP, "", "names of copies, each with its ${INSTANCE}"},
    {Key::env, "", "env", K::variables, LOP, "", "variables of its environment"},
    {Key::env_files, "", "env-files", K::paths, LOP, "[]", "files of lines NAME=value for its environment"},
    {Key::env_clear, "", "env-clear", K::boolean, LOP, "false", "whether it begins with an empty environment"},
    {Key::cleanup, "", "cleanup", K::words, LOP, "", "what tidies up before each start and after its end"},

    {Key::stdin_file, "stdin", "file", K::path, LOP, "", "the file that is fed to its standard input"},
    {Key::stdin_text, "stdin", "text", K::text, LOP, "", "the text that is fed where there is no such file", 0,
     bounds::stdin_bytes},

    {Key::when_env_set, "when", "env-set", K::variable_names, LOP, "[]", "variables that have to be set and not empty"},
    {Key::when_env_unset, "when", "env-unset", K::variable_names, LOP, "[]", "variables that have to be unset or empty"},
    {Key::when_env, "when", "env", K::literals, LOP, "", "variables and the values that they have to have"},
    {Key::when_env_not, "when", "env-not", K::literals, LOP, "", "variables and the values that they must not have"},
    {Key::when_path, "when", "path", K::path_or_paths, LOP, "", "a path that has to exist"},
    {Key::when_path_not, "when", "path-not", K::path_or_paths, LOP, "", "a path that must not exist"},

    {Key::ready_notify, "ready", "notify", K::boolean, L, "false", "whether it says READY=1 to NOTIFY_SOCKET"},
    {Key::ready_fd, "ready", "fd", K::integer, L, "", "the descriptor to which it writes a newline", 3, 1'023},
    {Key::ready_tcp, "ready", "tcp", K::tcp_address, L, "", "the address that accepts a connection"},
    {Key::ready_http, "ready", "http", K::http_address, L, "", "the address that answers a request"},
    {Key::ready_exec, "ready", "exec", K::words, L, "", "a program that ends with 0"},
    {Key::ready_interval, "ready", "interval", K::duration, L, R"("500ms")", "how often it is tried", 1, longest},
    {Key::ready_timeout, "ready", "timeout", K::duration, L, R"("60s")", "how long it may take", 1, longest},

    {Key::health_http, "health", "http", K::http_address, L, "", "the address that answers a request"},
    {Key::health_tcp, "health", "tcp", K::tcp_address, L, "", "the address that accepts a connection"},
    {Key::health_exec, "health", "exec", K::words, L, "", "a program that ends with 0"},
    {Key::health_interval, "health", "interval", K::duration, L, R"("10s")", "how often it is tried", 1, longest},
    {Key::health_timeout, "health", "timeout", K::duration, L, R"("3s")", "how long one try may take", 1, longest},
    {Key::health_failures, "health", "failures", K::integer, L, "3", "failed tries in a row that are too many", 1, million},
    {Key::health_watchdog, "health", "watchdog", K::duration, L, "", "how often it says WATCHDOG=1 at least", 1, longest},

    {Key::restart_policy, "restart", "policy", K::choice, LO, "",
     "which ends it is restarted after: of a longrun always, of a "
     "oneshot never",
     0, 0, policies},
    {Key::restart_attempts, "restart", "attempts", K::count, LO, "5", "restarts after the first start", 0, bounds::attempts},
    {Key::restart_delay, "restart", "delay", K::duration, LO, R"("1s")", "the wait before the first restart in a row", 0,
     longest},
    {Key::restart_factor, "restart", "factor", K::decimal, LO, "2", "what each wait grows by", bounds::factor_milli_min,
     bounds::factor_milli_max},
    {Key::restart_max_delay, "restart", "max-delay", K::duration, LO, R"("60s")", "the longest wait", 0, longest},
    {Key::restart_jitter, "restart", "jitter", K::decimal, LO, "0.1", "the share of a wait that chance may add", 0, 1'000},
    {Key::restart_reset_after, "restart", "reset-after", K::duration, LO, R"("60s")",
     "after how long a time of being ready the attempts count anew", 0, longest},
    {Key::restart_success_codes, "restart", "success-codes", K::codes, LO, "[0]", "exit codes that are no failure", 0, 255},
    {Key::restart_permanent_codes, "restart", "permanent-codes", K::codes, LO, "[]", "exit codes that no restart cures", 0,
     255},
    {Key::restart_exhausted, "restart", "exhausted", K::choice, LO, R"("fail")", "what follows the last attempt", 0, 0,
     exhausted},
    {Key::restart_hold, "restart", "hold", K::duration, LO, R"("15m")", "the wait between attempts once it is held", 1,
     longest},

    {Key::stop_signal, "stop", "signal", K::signal, LOP, R"("SIGTERM")", "the signal that asks it to end"},
    {Key::stop_timeout, "stop", "timeout", K::duration, LOP, R"("10s")", "how long it may take to end", 0, longest},
    {Key::stop_command, "stop", "command", K::words, LOP, "", "a program that ends it in place of the signal"},

    {Key::schedule_every, "schedule", "every", K::duration, P, R"("24h")", "the time from start to start", 1, longest},
    {Key::schedule_at_start, "schedule", "at-start", K::boolean, P, "true", "whether it also runs as soon as it is up"},
    {Key::schedule_jitter, "schedule", "jitter", K::duration, P, R"("0s")", "how much chance may add to the time", 0,
     longest},

    {Key::limits_nofile, "limits", "nofile", K::limit, LOP, "", "how many descriptors it may have"},
    {Key::limits_nproc, "limits", "nproc", K::limit, LOP, "", "how many processes its user may have"},
    {Key::limits_core, "limits", "core", K::limit, LOP, "", "how large a core file may be"},
    {Key::limits_as, "limits", "as", K::limit, LOP, "", "how much address space it may have"},
    {Key::limits_memlock, "limits", "memlock", K::limit, LOP, "", "how much memory it may lock"},
    {Key::limits_stack, "limits", "stack", K::limit, LOP, "", "how large its stack may be"},

    {Key::security_no_new_privileges, "security", "no-new-privileges", K::boolean, LOP, "false",
     "whether no program it runs may gain privileges"},
    {Key::security_capabilities, "security", "capabilities", K::capabilities, LOP, "", "the capabilities that it keeps"},

    {Key::resources_memory_max, "resources", "memory-max", K::size, LOP, "",
     "how much memory its processes may have in all"},
    {Key::resources_cpu_max, "resources", "cpu-max", K::cpu_share, LOP, "", "how much of the processors they may use"},
    {Key::resources_pids_max, "resources", "pids-max", K::count, LOP, "", "how many processes and threads they may be", 1,
     bounds::pids_max},
    {Key::resources_required, "resources", "required", K::boolean, LOP, "false",
     "whether it must not start where these cannot be set"},

    {Key::node_override, "", "override", K::choice, N, "", "how it changes the settings of an earlier folder", 0, 0,
     overrides},
    {Key::node_stop_deadline, "", "stop-deadline", K::duration, N, R"("9s")", "how long the node may take to stop", 1,
     longest},
    {Key::node_socket_group, "", "socket-group", K::account, N, "", "the group that may read the status"},
});

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].key) != i) return false;
  }
  return true;
}
static_assert(in_order() && table.size() == keys);

}  // namespace

std::span<const KeyRow> key_table() { return table; }

const KeyRow& row(Key key) { return table[static_cast<std::size_t>(key)]; }

const KeyRow* find_key(bool node, std::string_view table_name, std::string_view name) {
  const auto found = std::ranges::find_if(table, [&](const KeyRow& row) {
    return row.name == name && row.table == table_name && row.definitions.node() == node;
  });
  return found == table.end() ? nullptr : &*found;
}

bool is_table(bool node, std::string_view name) {
  return !name.empty() &&
         std::ranges::any_of(table, [&](const KeyRow& row) { return row.definitions.node() == node && row.table == name; });
}

std::vector<std::string_view> table_names(bool node) {
  std::vector<std::string_view> names;
  for (const KeyRow& row : table) {
    const bool is_one = row.table.empty() ? row.kind == ValueKind::variables : true;
    if (row.definitions.node() != node || !is_one) continue;
    const std::string_view name = row.table.empty() ? row.name : row.table;
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

std::vector<std::string_view> key_names(bool node, std::string_view table_name) {
  std::vector<std::string_view> names;
  for (const KeyRow& row : table) {
    if (row.definitions.node() == node && row.table == table_name) names.push_back(row.name);
  }
  return names;
}

std::string text(const KeyRow& row) {
  if (row.table.empty()) return std::string(row.name);
  return std::string(row.name).append(" of [").append(row.table).append("]");
}

std::string text(Definitions definitions) {
  std::vector<std::string_view> names;
  if (definitions.has(ServiceType::longrun)) names.push_back("a longrun");
  if (definitions.has(ServiceType::oneshot)) names.push_back("a oneshot");
  if (definitions.has(ServiceType::periodic)) names.push_back("a periodic");
  if (definitions.has(ServiceType::bundle)) names.push_back("a bundle");
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text.append(i + 1 == names.size() ? " and " : ", ");
    text.append(names[i]);
  }
  return text;
}

}  // namespace hcrc::compiler

#include "compiler/service_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "compiler/program_name.h"
#include "compiler/secrets.h"
#include "compiler/shell_text.h"
#include "compiler/template_text.h"
#include "compiler/toml_text.h"
#include "core/graph.h"
#include "core/service.h"
#include "core/units.h"

namespace hcrc::compiler {

namespace {

class ServiceCheck {
 public:
  ServiceCheck(const Definition& definition, const ServiceSurroundings& surroundings, Diagnostics& diagnostics)
      : definition_(definition), surroundings_(surroundings), diagnostics_(diagnostics) {}

  void all();

 private:
  void type_keys(ServiceType type);
  void command(ServiceType type);
  void ready();
  void health();
  void restart(ServiceType type);
  void exit_codes();
  void delays();
  void attempts();
  void restart_without_effect(ServiceType type);
  void limits();
  void conditions();
  void excluded(Key must, Key must_not, std::string_view what);
  void logger();
  void lock();
  void lookup();
  void secrets();
  void shell_texts();
  void endless();
  void no_effect(Key key, Note why);

  Place first_line() const { return {.file = definition_.place.file, .line = 1, .column = 1}; }
  // The place of a key that is written.
  Place place(Key key) const { return definition_.find(key)->place; }
  // Which of some ways of checking are written, without those that are switched off.
  std::vector<Key> written(std::initializer_list<Key> keys) const;

  const Definition& definition_;
  const ServiceSurroundings& surroundings_;
  Diagnostics& diagnostics_;
};

std::vector<Key> ServiceCheck::written(std::initializer_list<Key> all_of) const {
  std::vector<Key> found;
  for (const Key key : all_of) {
    const bool* flag = definition_.value<bool>(key);
    if (definition_.has(key) && (flag == nullptr || *flag)) found.push_back(key);
  }
  return found;
}

void ServiceCheck::no_effect(Key key, Note why) {
  if (!definition_.has(key)) return;
  diagnostics_.add(Code::no_effect, definition_.find(key)->key_place, fmt::format("{} has no effect", text(row(key))),
                   {std::move(why)});
}

// A table that this type has no key of is reported once.
void ServiceCheck::type_keys(ServiceType type) {
  std::set<std::string_view> tables;
  for (const Setting& setting : definition_.settings) {
    const KeyRow& key = row(setting.key);
    if (key.definitions.has(type)) continue;
    const bool whole_table = !key.table.empty() && std::ranges::none_of(key_table(), [&](const KeyRow& other) {
      return other.table == key.table && other.definitions.has(type);
    });
    if (whole_table && !tables.insert(key.table).second) continue;
    std::vector<Note> notes{{fmt::format("it belongs to {}", text(key.definitions))}};
    if (const Setting* written = definition_.find(Key::type)) {
      notes.push_back({"the type stands here", written->place});
    } else {
      notes.push_back({R"(a definition without type = "..." is a longrun)"});
    }
    diagnostics_.add(Code::key_of_another_type, setting.key_place,
                     whole_table ? fmt::format("a {} has no [{}]", hcrc::text(type), key.table)
                                 : fmt::format("a {} has no {}", hcrc::text(type), text(key)),
                     std::move(notes));
  }
}

void ServiceCheck::command(ServiceType type) {
  if (type == ServiceType::bundle) {
    if (definition_.incomplete || definition_.means(Key::contents)) return;
    diagnostics_.add(Code::missing_contents, first_line(), fmt::format("the bundle {} has no contents", definition_.name),
                     {{R"(write contents = ["name"]: the services that it stands for)"}});
    return;
  }
  const Items* words = definition_.value<Items>(Key::command);
  const bool is_empty = words != nullptr && words->empty();
  if (!is_empty && (definition_.incomplete || definition_.means(Key::command))) return;
  diagnostics_.add(Code::missing_command, is_empty ? place(Key::command) : first_line(),
                   fmt::format("{} has no command", definition_.name),
                   {{R"(write command = ["/usr/bin/program", "argument"])"}});
}

void ServiceCheck::ready() {
  const auto ways = written({Key::ready_notify, Key::ready_fd, Key::ready_tcp, Key::ready_http, Key::ready_exec});
  for (std::size_t i = 1; i < ways.size(); ++i) {
    const auto [earlier, later] = std::minmax(ways[0], ways[i], [&](Key a, Key b) { return place(a) < place(b); });
    diagnostics_.add(Code::two_ready_checks, definition_.find(later)->key_place, "there is another way to be ready already",
                     {{fmt::format("{} is written here", row(earlier).name), definition_.find(earlier)->key_place}});
  }
  if (ways.empty()) {
    no_effect(Key::ready_timeout, {"nothing says when the service is ready: notify, fd, tcp, http or exec"});
    no_effect(Key::ready_interval, {"nothing says when the service is ready: notify, fd, tcp, http or exec"});
  } else if (ways[0] == Key::ready_notify || ways[0] == Key::ready_fd) {
    no_effect(Key::ready_interval, {"the service itself says when it is ready, so nothing is tried", place(ways[0])});
  }
  const auto* fd = definition_.value<std::int64_t>(Key::ready_fd);
  if (fd == nullptr || static_cast<std::size_t>(*fd) >= 3 + surroundings_.producers) return;
  diagnostics_.add(
      Code::ready_descriptor_taken, place(Key::ready_fd), fmt::format("descriptor {} is taken by a log", *fd),
      {{fmt::format("{} log to it, on descriptors 3 to {}", surroundings_.producers, 2 + surroundings_.producers)}});
}

void ServiceCheck::health() {
  const auto ways = written({Key::health_http, Key::health_tcp, Key::health_exec});
  for (std::size_t i = 1; i < ways.size(); ++i) {
    const auto [earlier, later] = std::minmax(ways[0], ways[i], [&](Key a, Key b) { return place(a) < place(b); });
    diagnostics_.add(Code::two_health_checks, definition_.find(later)->key_place, "there is another health check already",
                     {{fmt::format("{} is written here", row(earlier).name), definition_.find(earlier)->key_place}});
  }
  if (!ways.empty()) return;
  for (const Key key : {Key::health_interval, Key::health_timeout, Key::health_failures}) {
    no_effect(key, {"there is no health check: http, tcp or exec"});
  }
}

void ServiceCheck::exit_codes() {
  const Items* permanent = definition_.value<Items>(Key::restart_permanent_codes);
  if (permanent == nullptr) return;
  const Items* success = definition_.value<Items>(Key::restart_success_codes);
  if (success == nullptr && definition_.has(Key::restart_success_codes)) return;
  const Items by_default{Item{.name = {}, .text = {}, .place = {}, .name_place = {}}};
  for (const Item& code : *permanent) {
    for (const Item& other : success == nullptr ? by_default : *success) {
      if (other.number != code.number) continue;
      Note note{"a success here", other.place};
      if (success == nullptr) note = {"success-codes is [0] where it is not written", {}};
      diagnostics_.add(Code::contradictory_exit_code, code.place,
                       fmt::format("exit code {} is both a success and a permanent failure", code.number),
                       {std::move(note)});
    }
  }
}

void ServiceCheck::delays() {
  const auto* written_delay = definition_.value<std::int64_t>(Key::restart_delay);
  const auto* written_most = definition_.value<std::int64_t>(Key::restart_max_delay);
  // A value that is wrong is unknown, not the default.
  if ((written_delay == nullptr && definition_.has(Key::restart_delay)) ||
      (written_most == nullptr && definition_.has(Key::restart_max_delay))) {
    return;
  }
  const bool logger = surroundings_.producers > 0;
  const RestartRule defaults;
  const std::int64_t delay = written_delay != nullptr ? *written_delay : defaults.delay.count();
  const std::int64_t most = written_most != nullptr ? *written_most : logger ? 1'000 : defaults.max_delay.count();
  if (most >= delay) return;
  Note note{fmt::format("write max-delay = \"{}\", too: the longest wait", format_duration(Milliseconds(delay)))};
  if (written_most != nullptr && written_delay != nullptr) {
    note = {"delay, the first wait, stands here", place(Key::restart_delay)};
  } else if (written_most != nullptr) {
    note = {fmt::format("write delay = \"{}\", too: the first wait", format_duration(Milliseconds(most)))};
  }
  diagnostics_.add(Code::max_delay_below_delay, place(written_most != nullptr ? Key::restart_max_delay : Key::restart_delay),
                   fmt::format("max-delay, {}{}, is below delay, {}{}", format_duration(Milliseconds(most)),
                               written_most != nullptr ? ""
                               : logger                ? " by default for what others log to"
                                                       : " by default",
                               format_duration(Milliseconds(delay)), written_delay != nullptr ? "" : " by default"),
                   {{std::move(note)}});
}

void ServiceCheck::attempts() {
  if (!definition_.has(Key::restart_exhausted)) return;
  const auto* attempts = definition_.value<std::int64_t>(Key::restart_attempts);
  const bool by_default = surroundings_.producers > 0 && !definition_.has(Key::restart_attempts);
  if (!by_default && (attempts == nullptr || *attempts >= 0)) return;
  std::vector<Note> notes;
  if (by_default) {
    notes.push_back({"attempts is unlimited by default for what others log to"});
  } else {
    notes.push_back({"attempts is unlimited here, so there is no last one", place(Key::restart_attempts)});
  }
  notes.push_back({"write attempts = 5, or leave exhausted out"});
  diagnostics_.add(Code::exhausted_under_unlimited, definition_.find(Key::restart_exhausted)->key_place,
                   "exhausted is written, but attempts is unlimited", std::move(notes));
}

void ServiceCheck::restart_without_effect(ServiceType type) {
  const auto* policy = definition_.value<std::int64_t>(Key::restart_policy);
  if (policy == nullptr && definition_.has(Key::restart_policy)) return;
  const bool never =
      policy != nullptr ? static_cast<RestartPolicy>(*policy) == RestartPolicy::never : type == ServiceType::oneshot;
  if (never) {
    for (const Key key : {Key::restart_attempts, Key::restart_delay, Key::restart_factor, Key::restart_max_delay,
                          Key::restart_jitter, Key::restart_reset_after, Key::restart_exhausted, Key::restart_hold}) {
      no_effect(key, policy != nullptr
                         ? Note{"policy is \"never\"", place(Key::restart_policy)}
                         : Note{"policy is \"never\" for a oneshot where it is not written: write policy = \"on-failure\""});
    }
    return;
  }
  // An essential one may be held by HCRC_ON_EXHAUSTED.
  const bool* essential = definition_.value<bool>(Key::essential);
  const auto* exhausted = definition_.value<std::int64_t>(Key::restart_exhausted);
  const bool unread = exhausted == nullptr && definition_.has(Key::restart_exhausted);
  const bool held = exhausted != nullptr && static_cast<Exhausted>(*exhausted) == Exhausted::hold;
  if (!held && !unread && (essential == nullptr || !*essential)) {
    no_effect(Key::restart_hold, {"exhausted is not \"hold\": write exhausted = \"hold\", or leave hold out"});
  }
}

void ServiceCheck::restart(ServiceType type) {
  exit_codes();
  delays();
  attempts();
  restart_without_effect(type);
}

void ServiceCheck::limits() {
  for (const Key key :
       {Key::limits_nofile, Key::limits_nproc, Key::limits_core, Key::limits_as, Key::limits_memlock, Key::limits_stack}) {
    const Items* items = definition_.value<Items>(key);
    if (items == nullptr || (items->size() == 1 && items->front().name.empty())) continue;
    const auto find = [&](std::string_view name) { return std::ranges::find(*items, name, &Item::name); };
    const auto soft = find("soft"), hard = find("hard");
    if (soft == items->end() || hard == items->end()) {
      diagnostics_.add(Code::contradictory_limit, place(key),
                       fmt::format("{} has no {}", text(row(key)), soft == items->end() ? "soft" : "hard"),
                       {{"write { soft = ..., hard = ... }, or one value that is both"}});
    } else if (soft->number > hard->number) {
      diagnostics_.add(Code::contradictory_limit, soft->place, fmt::format("the soft limit is above the hard one"),
                       {{"the hard one stands here", hard->place}});
    }
  }
}

// What one list asks for and another forbids.
void ServiceCheck::excluded(Key must, Key must_not, std::string_view what) {
  const Items* wanted = definition_.value<Items>(must);
  const Items* unwanted = definition_.value<Items>(must_not);
  if (wanted == nullptr || unwanted == nullptr) return;
  const bool by_value = row(must).kind == ValueKind::literals;
  std::set<std::pair<std::string, std::string>> seen;
  const auto identity = [&](const Item& item) {
    const std::string* value = literal_text(item.text);
    return std::pair(item.name, by_value && value != nullptr ? *value : std::string());
  };
  for (const Item& item : *wanted) seen.insert(identity(item));
  for (const Item& item : *unwanted) {
    if (!seen.contains(identity(item))) continue;
    diagnostics_.add(
        Code::contradictory_condition, item.place, fmt::format("{} {}", in_quotes(item.name), what),
        {{fmt::format("{} asks for the contrary, so the service would always be skipped", row(must).name), place(must)}});
  }
}

void ServiceCheck::conditions() {
  excluded(Key::when_env_set, Key::when_env_unset, "cannot be set and unset");
  excluded(Key::when_env, Key::when_env_not, "cannot have this value and not have it");
  // An item of a list of paths is called by what is written.
  excluded(Key::when_path, Key::when_path_not, "cannot be there and not be there");
}

void ServiceCheck::logger() {
  if (surroundings_.producers < 2) return;
  const Items* words = definition_.value<Items>(Key::command);
  if (words == nullptr || words->empty() || may_be_program(words->front().text, "hcrc-log")) return;
  std::vector<Note> notes;
  for (const Place& from : surroundings_.logged_from) {
    notes.push_back({notes.empty() ? "one of them is here" : "another one here", from});
  }
  notes.push_back(
      {"only hcrc-log reads several logs: write command = [\"hcrc-log\", ...], or give each a logger of its own"});
  diagnostics_.add(Code::several_producers, words->front().place,
                   fmt::format("{} services log to {}, which can read one", surroundings_.producers, definition_.name),
                   std::move(notes));
}

void ServiceCheck::lock() {
  const Template* lock = definition_.value<Template>(Key::lock);
  const Items* instances = definition_.value<Items>(Key::instances);
  if (lock == nullptr || instances == nullptr || instances->size() < 2 || literal_text(*lock) == nullptr) return;
  diagnostics_.add(Code::shared_lock, place(Key::lock), "all instances have the same lock, so only one of them ever runs",
                   {{"put ${INSTANCE} into the path"}});
}

void ServiceCheck::lookup() {
  const bool* clear = definition_.value<bool>(Key::env_clear);
  if (clear == nullptr || !*clear || definition_.has(Key::env_files)) return;
  if (const Items* env = definition_.value<Items>(Key::env)) {
    if (std::ranges::find(*env, "PATH", &Item::name) != env->end()) return;
  }
  for (const Key key : {Key::command, Key::cleanup, Key::stop_command, Key::ready_exec, Key::health_exec}) {
    const Items* words = definition_.value<Items>(key);
    if (words == nullptr || words->empty()) continue;
    const std::string* program = literal_text(words->front().text);
    if (program == nullptr || program->find('/') != std::string::npos) continue;
    diagnostics_.add(Code::no_path, words->front().place,
                     fmt::format("{} has to be looked up, and env-clear leaves no PATH", in_quotes(*program)),
                     {{"write the whole path, or give [env] a PATH"}});
  }
}

void ServiceCheck::secrets() {
  constexpr std::string_view advice = "everybody can read a database: use [stdin] file, env-files, or ${NAME}";
  if (const Items* env = definition_.value<Items>(Key::env)) {
    for (const Item& variable : *env) {
      const std::string* value = literal_text(variable.text);
      if (value == nullptr || !looks_secret(variable.name, *value)) continue;
      diagnostics_.add(Code::secret_in_definition, variable.place,
                       fmt::format("the value of {} looks like a secret", harmless(variable.name)), {{std::string(advice)}});
    }
  }
  const std::string* text = definition_.value<std::string>(Key::stdin_text);
  if (text == nullptr || !looks_secret(*text)) return;
  diagnostics_.add(Code::secret_in_definition, place(Key::stdin_text), "this text looks like a secret",
                   {{std::string(advice)}});
}

void ServiceCheck::shell_texts() {
  for (const Key key : {Key::command, Key::cleanup, Key::stop_command, Key::ready_exec, Key::health_exec}) {
    const Items* words = definition_.value<Items>(key);
    const ShellVariable variable = words == nullptr ? ShellVariable() : variable_in_shell_text(*words);
    if (variable.name.empty()) continue;
    diagnostics_.add(
        Code::shell_variable, variable.place,
        fmt::format("the shell does not see ${{{}}}: it is filled in before", variable.name),
        {{fmt::format("write ${} or $${{{}}} where the shell is to fill it in", variable.name, variable.name)},
         {fmt::format("or hand it over: [\"sh\", \"-c\", \"... \\\"$1\\\"\", \"sh\", {}]", toml_text(variable.source))}});
  }
}

// An essential service that no end of its own is for good.
void ServiceCheck::endless() {
  const bool* essential = definition_.value<bool>(Key::essential);
  const auto* policy = definition_.value<std::int64_t>(Key::restart_policy);
  if (essential == nullptr || !*essential || definition_.incomplete) return;
  if (definition_.has(Key::restart_policy) &&
      (policy == nullptr || static_cast<RestartPolicy>(*policy) != RestartPolicy::always)) {
    return;
  }
  const auto* attempts = definition_.value<std::int64_t>(Key::restart_attempts);
  const bool by_default = surroundings_.producers > 0 && !definition_.has(Key::restart_attempts);
  if (!by_default && (attempts == nullptr || *attempts >= 0)) return;
  const Items* permanent = definition_.value<Items>(Key::restart_permanent_codes);
  if (permanent == nullptr ? definition_.has(Key::restart_permanent_codes) : !permanent->empty()) return;
  diagnostics_.add(Code::essential_never_ends, definition_.find(Key::essential)->key_place,
                   fmt::format("{} is restarted after every end, so it never stops the node", definition_.name),
                   {by_default ? Note{"attempts is unlimited by default for what others log to"}
                               : Note{"attempts is unlimited here", place(Key::restart_attempts)},
                    {"write attempts = 5, or permanent-codes = [42]: exit codes that no restart cures"}});
}

void ServiceCheck::all() {
  // Without a known type nobody knows which keys should be there.
  if (const auto type = service_type(definition_)) {
    type_keys(*type);
    command(*type);
    if (*type == ServiceType::longrun) {
      ready();
      health();
    }
    if (*type == ServiceType::longrun || *type == ServiceType::oneshot) restart(*type);
  }
  limits();
  conditions();
  logger();
  lock();
  lookup();
  secrets();
  shell_texts();
  endless();
}

}  // namespace

void check_service(const Definition& definition, const ServiceSurroundings& surroundings, Diagnostics& diagnostics) {
  ServiceCheck(definition, surroundings, diagnostics).all();
}

}  // namespace hcrc::compiler

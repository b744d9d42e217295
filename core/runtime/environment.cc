#include "core/runtime/environment.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/runtime/expand.h"

namespace hcrc {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

bool blank(char character) { return character == ' ' || (character >= '\t' && character <= '\r'); }

// One line without its end.
std::expected<void, std::string_view> add_line(Environment& environment, std::string_view line, const Environment& runtime) {
  while (!line.empty() && blank(line.front())) line.remove_prefix(1);
  if (line.empty() || line.front() == '#') return {};
  if (line.find('\0') != std::string_view::npos) return std::unexpected("holds a NUL byte");
  const std::size_t equals = line.find('=');
  const std::string_view name = line.substr(0, equals);
  if (name.empty()) return std::unexpected("has no name before its =");
  if (std::ranges::any_of(name, blank)) return std::unexpected("has a blank in its name");
  if (equals != std::string_view::npos) {
    environment.set(name, line.substr(equals + 1));
  } else if (const auto value = runtime.find(name)) {
    environment.set(name, *value);
  }
  return {};
}

}  // namespace

Environment::Environment(std::span<const std::string_view> entries) {
  variables_.reserve(entries.size());
  for (const std::string_view entry : entries) {
    const std::size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string_view::npos) continue;
    variables_.push_back({.own = {}, .borrowed = entry, .name_bytes = equals});
  }
  std::ranges::stable_sort(variables_, {}, &Variable::name);
  const auto later = std::ranges::unique(variables_, {}, &Variable::name);
  variables_.erase(later.begin(), later.end());
}

void Environment::set(std::string_view name, std::string_view value) {
  Variable variable{.own = {}, .borrowed = {}, .name_bytes = name.size()};
  variable.own.reserve(name.size() + 1 + value.size());
  variable.own.append(name).append(1, '=').append(value);
  const auto place = std::ranges::lower_bound(variables_, name, {}, &Variable::name);
  if (place != variables_.end() && place->name() == name) {
    *place = std::move(variable);
  } else {
    variables_.insert(place, std::move(variable));
  }
}

std::optional<std::string_view> Environment::find(std::string_view name) const {
  const auto place = std::ranges::lower_bound(variables_, name, {}, &Variable::name);
  if (place == variables_.end() || place->name() != name) return std::nullopt;
  return place->value();
}

void Environment::erase_if_not_passed_on() {
  std::erase_if(variables_, [](const Variable& variable) { return own_to_the_runtime(variable.name()); });
}

std::vector<const char*> Environment::entries() const {
  std::vector<const char*> entries;
  entries.reserve(variables_.size() + 1);
  for (const Variable& variable : variables_) entries.push_back(variable.entry().data());
  entries.push_back(nullptr);
  return entries;
}

bool own_to_the_runtime(std::string_view name) {
  // sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
  constexpr std::array<std::string_view, 7> told = {"NOTIFY_SOCKET", "WATCHDOG_USEC",  "WATCHDOG_PID",  "LISTEN_FDS",
                                                    "LISTEN_PID",    "LISTEN_FDNAMES", "LISTEN_PIDFDID"};
  return name.starts_with("HCRC_") || std::ranges::find(told, name) != told.end();
}

std::expected<void, EnvironmentFileError> add_environment_file(Environment& environment, std::string_view content,
                                                               const Environment& runtime) {
  if (content.starts_with(byte_order_mark)) content.remove_prefix(byte_order_mark.size());
  for (std::size_t number = 1; !content.empty(); ++number) {
    const std::size_t end = content.find('\n');
    std::string_view line = content.substr(0, end);
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (const auto added = add_line(environment, line, runtime); !added) {
      return std::unexpected(EnvironmentFileError{.line = number, .what = added.error()});
    }
  }
  return {};
}

ComposedEnvironment compose_environment(const Database& database, const format::ServiceRecord& service,
                                        const Environment& runtime, const UserVariables* user, const FileReader& read) {
  ComposedEnvironment composed;
  Environment& environment = composed.environment;
  const auto fail = [&composed](StartFailure failure) {
    if (!composed.failure) composed.failure = std::move(failure);
  };
  if (service.environment_clear == 0) {
    environment = runtime;
    environment.erase_if_not_passed_on();
  }
  if (user != nullptr) {
    environment.set("HOME", user->home);
    environment.set("USER", user->name);
    environment.set("LOGNAME", user->name);
  }
  const std::string_view instance = database.string(service.instance);
  for (const format::TemplateRecord& file : database.arguments(service.environment_files)) {
    auto path = expand(database, database.pieces(file), {environment, runtime, instance});
    if (!path) {
      fail(std::move(path.error()));
      continue;
    }
    auto content = read(*path);
    if (!content) {
      fail(std::move(content.error()));
    } else if (const auto added = add_environment_file(environment, *content, runtime); !added) {
      fail(
          {.stage = Stage::environment_file,
           .error = 0,
           .permanent = false,
           .detail = shown(*path) + ": line " + std::to_string(added.error().line) + ' ' + std::string(added.error().what)});
    }
  }
  // Values of [env] see the environment as it is before [env], whatever their order.
  std::vector<std::pair<std::string_view, std::string>> values;
  for (const format::EnvironmentRecord& entry : database.environment(service.environment)) {
    auto value = expand(database, database.pieces(entry.value), {environment, runtime, instance});
    if (value) {
      values.emplace_back(database.string(entry.name), std::move(*value));
    } else {
      fail(std::move(value.error()));
    }
  }
  for (const auto& [name, value] : values) environment.set(name, value);
  return composed;
}

}  // namespace hcrc

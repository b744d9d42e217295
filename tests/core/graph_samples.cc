#include "tests/core/graph_samples.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "core/bounds.h"

namespace hcrc::samples {

Template text(std::string_view source) {
  Template result;
  while (!source.empty()) {
    const std::size_t start = std::min(source.find("${"), source.size());
    if (start != 0) {
      result.pieces.push_back({.text = std::string(source.substr(0, start)), .fallback = {}});
      source.remove_prefix(start);
      continue;
    }
    const std::size_t end = source.find('}');
    const std::string_view inner = source.substr(2, end - 2);
    const std::size_t separator = inner.find(":-");
    if (separator == std::string_view::npos) {
      result.pieces.push_back({.kind = TemplatePiece::Kind::variable, .text = std::string(inner), .fallback = {}});
    } else {
      result.pieces.push_back({.kind = TemplatePiece::Kind::variable_or,
                               .text = std::string(inner.substr(0, separator)),
                               .fallback = std::string(inner.substr(separator + 2))});
    }
    source.remove_prefix(end + 1);
  }
  return result;
}

Arguments words(std::vector<std::string_view> sources) {
  Arguments result;
  for (const std::string_view source : sources) result.push_back(text(source));
  return result;
}

Service service(std::string name, ServiceType type) {
  Service result;
  result.name = std::move(name);
  result.type = type;
  if (type == ServiceType::bundle) {
    result.autostart = false;
  } else {
    result.command = words({"/bin/true"});
  }
  if (type == ServiceType::oneshot) result.restart.policy = RestartPolicy::never;
  return result;
}

ServiceGraph documented() {
  Service setup = service("setup", ServiceType::oneshot);
  setup.command = words({"/usr/bin/setup", "--quiet"});
  Service web = service("web");
  web.description = "Serves pages";
  web.command = words({"/usr/bin/web", "--port=${PORT:-80}"});
  web.edges = {{.target = 0, .kinds = EdgeKind::requires_}};
  web.restart.permanent_codes.set(42);
  return {.node = {.stop_deadline = Milliseconds(9'000), .history = {}, .socket_group = {}}, .services = {setup, web}};
}

namespace {

// All that a longrun, a oneshot and a periodic may have.
Service full(std::string name, ServiceType type) {
  Service result = service(std::move(name), type);
  result.description = "of " + result.name;
  result.autostart = false;
  result.command = words({"/bin/" + result.name, "--data=${DATA:-/data}/x", "", "${EMPTY:-}", "${ONLY}"});
  result.user = text("${HCRC_USER:-nonroot}");
  result.group = text("staff");
  result.groups = words({"adm", "${MORE}"});
  result.directory = text("/srv/${DATA}");
  result.umask = 0077;
  result.nice = std::int8_t{-20};
  result.oom_score_adj = std::int16_t{-1'000};
  result.environment = {
      {.name = "A", .value = text("1")}, {.name = "EMPTY", .value = {}}, {.name = "PATH", .value = text("${P}:/bin")}};
  result.environment_files = words({"/etc/a.env", "${B}"});
  result.environment_clear = true;
  result.stdin_file = text("/run/secrets/${S}");
  result.stdin_text = "y\n";
  result.conditions = {{.kind = ConditionKind::env_set, .name = "ON", .value = {}},
                       {.kind = ConditionKind::env_unset, .name = "OFF", .value = {}},
                       {.kind = ConditionKind::env_equals, .name = "MODE", .value = text("fast")},
                       {.kind = ConditionKind::env_differs, .name = "MODE", .value = {}},
                       {.kind = ConditionKind::path, .name = "", .value = text("${DATA:-/data}/on")},
                       {.kind = ConditionKind::path_not, .name = "", .value = text("/off")}};
  result.restart = {.policy = RestartPolicy::on_failure,
                    .attempts = RestartRule::unlimited,
                    .delay = Milliseconds(250),
                    .factor_milli = 1'500,
                    .max_delay = Milliseconds(4'000),
                    .jitter_milli = 0,
                    .reset_after = Milliseconds(1),
                    .success_codes = ExitCodes().set(3).set(64).set(255),
                    .permanent_codes = ExitCodes().set(42).set(127).set(128),
                    .exhausted = Exhausted::hold,
                    .hold = Milliseconds(120'000)};
  result.stop = {.signal = signals::sigint,
                 .timeout = Milliseconds(5'000),
                 .timeout_written = true,
                 .command = words({"/bin/stop", "now"})};
  result.cleanup = words({"rm", "-f", "/run/${X:-x}.pid"});
  result.schedule = {.every = Milliseconds(3'600'000), .at_start = false, .jitter = Milliseconds(60'000)};
  result.limits = {{.kind = LimitKind::nofile, .soft = 1'024, .hard = 4'096},
                   {.kind = LimitKind::core, .soft = 0, .hard = 0},
                   {.kind = LimitKind::memlock, .soft = 8u << 20, .hard = Limit::unlimited}};
  result.no_new_privileges = true;
  result.capabilities = std::uint64_t{1} << 40 | 1;
  result.resources = {
      .memory_max = 1u << 30, .cpu_max_quota_us = 50'000, .cpu_max_period_us = 200'000, .pids_max = 100, .required = true};
  return result;
}

}  // namespace

ServiceGraph every_field() {
  ServiceGraph graph;
  graph.node = {
      .stop_deadline = Milliseconds(0), .history = text("${HCRC_DATA:-/data}/history"), .socket_group = Template{}};

  Service bundle = service("all", ServiceType::bundle);  // 0
  bundle.description = "all of them";
  bundle.autostart = true;
  bundle.contents = {1, 3, 4};

  Service job = full("job", ServiceType::periodic);  // 1
  job.timeout = Milliseconds(600'000);
  job.edges = {{.target = 2, .kinds = EdgeKind::log_to}, {.target = 3, .kinds = EdgeKind::wants}};

  Service logger = service("log");  // 2

  Service setup = full("setup", ServiceType::oneshot);  // 3
  setup.timeout = Milliseconds(bounds::duration_ms);

  Service one = full("web@one", ServiceType::longrun);  // 4
  one.instance = "one";
  one.essential = true;
  one.lock = text("/data/lock");
  one.ready.kind = ReadyKind::http;
  one.ready.address = text("127.0.0.1:${PORT:-80}/up");
  one.ready.interval = Milliseconds(100);
  one.ready.timeout = Milliseconds(1'800'000);
  one.health = {.kind = HealthKind::exec,
                .address = {},
                .command = words({"/bin/check", "${PORT}"}),
                .interval = Milliseconds(1'000),
                .timeout = Milliseconds(500),
                .failures = 7,
                .watchdog = Milliseconds(30'000)};
  EdgeKinds kinds(EdgeKind::requires_);
  kinds.add(EdgeKind::after);
  kinds.add(EdgeKind::binds_to);
  one.edges = {{.target = 2, .kinds = EdgeKind::log_to}, {.target = 3, .kinds = kinds}};

  Service two = service("web@two");  // 5
  two.instance = "two";
  two.ready.kind = ReadyKind::exec;
  two.ready.command = words({"/bin/ready"});
  two.health.kind = HealthKind::tcp;
  two.health.address = text("localhost:1");
  two.edges = {{.target = 4, .kinds = EdgeKind::after}};

  Service xfd = service("xfd");  // 6
  xfd.ready.kind = ReadyKind::fd;
  xfd.ready.fd = 5;

  graph.services = {bundle, job, logger, setup, one, two, xfd};
  return graph;
}

ServiceGraph chain(std::size_t length) {
  ServiceGraph graph;
  for (std::uint32_t i = 0; i < length; ++i) {
    char name[24];
    std::snprintf(name, sizeof name, "link-%08u", i);
    graph.services.push_back(service(name));
    if (i != 0) graph.services.back().edges = {{.target = i - 1, .kinds = EdgeKind::requires_}};
  }
  return graph;
}

namespace {

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : numbers_(seed) {}
  ServiceGraph graph(std::size_t services);

 private:
  std::string word(std::size_t longest);
  Template any_text();
  Template any_path();
  std::vector<Template> texts();
  std::optional<Template> perhaps() { return numbers_.chance(30) ? std::optional(any_text()) : std::nullopt; }
  Milliseconds duration() { return Milliseconds(static_cast<std::int64_t>(numbers_.below(bounds::duration_ms + 1))); }
  Milliseconds interval() { return Milliseconds(static_cast<std::int64_t>(1 + numbers_.below(bounds::duration_ms))); }
  template <typename Enumeration>
  Enumeration any(Enumeration last) {
    return static_cast<Enumeration>(numbers_.below(static_cast<std::uint64_t>(last) + 1));
  }
  ExitCodes codes();

  void run_settings(Service& service);
  void conditions(Service& service);
  void rules(Service& service);
  void checks(Service& service);
  void edges(ServiceGraph& graph);
  void bundles(ServiceGraph& graph);

  Numbers numbers_;
};

std::string Maker::word(std::size_t longest) {
  // A few words only, so that strings are shared; and now and then any bytes but NUL.
  static constexpr std::string_view common[] = {"a", "b", "PATH", "/data", "--verbose", "/usr/bin/env"};
  if (numbers_.chance(60)) return std::string(common[numbers_.below(std::size(common))]);
  std::string result(1 + numbers_.below(longest), ' ');
  for (char& c : result) c = static_cast<char>(1 + numbers_.below(255));
  return result;
}

Template Maker::any_text() {
  Template result;
  for (std::uint64_t left = numbers_.below(4); left != 0; --left) {
    const auto kind = any(TemplatePiece::Kind::variable_or);
    const bool after_literal = !result.pieces.empty() && result.pieces.back().kind == TemplatePiece::Kind::literal;
    if (kind == TemplatePiece::Kind::literal) {
      if (!after_literal)
        result.pieces.push_back({.kind = kind, .text = word(numbers_.chance(5) ? 700 : 9), .fallback = {}});
    } else {
      const bool has_default = kind == TemplatePiece::Kind::variable_or && numbers_.chance(80);
      result.pieces.push_back(
          {.kind = kind, .text = "V" + std::to_string(numbers_.below(20)), .fallback = has_default ? word(9) : ""});
    }
  }
  return result;
}

Template Maker::any_path() {
  Template result = any_text();
  return result.pieces.empty() ? text("/path") : result;
}

std::vector<Template> Maker::texts() {
  std::vector<Template> result(numbers_.below(4));
  for (Template& one : result) one = any_text();
  return result;
}

ExitCodes Maker::codes() {
  ExitCodes result;
  for (std::uint64_t left = numbers_.below(5); left != 0; --left) result.set(numbers_.below(256));
  return result;
}

void Maker::run_settings(Service& service) {
  service.command = texts();
  service.command.push_back(any_text());
  service.user = perhaps();
  service.group = perhaps();
  if (numbers_.chance(30)) service.groups = texts();
  service.directory = perhaps();
  service.umask = static_cast<std::uint16_t>(numbers_.below(01000));
  if (numbers_.chance(30)) service.nice = static_cast<std::int8_t>(static_cast<int>(numbers_.below(40)) - 20);
  if (numbers_.chance(30))
    service.oom_score_adj = static_cast<std::int16_t>(static_cast<int>(numbers_.below(2'001)) - 1'000);
  for (std::uint64_t i = 0, count = numbers_.below(5); i < count; ++i) {
    service.environment.push_back({.name = "E" + std::to_string(i), .value = any_text()});
  }
  service.environment_files = texts();
  service.environment_clear = numbers_.chance(50);
  service.stdin_file = perhaps();
  if (numbers_.chance(30)) service.stdin_text = numbers_.chance(20) ? "" : word(400);
  for (std::uint64_t kind = 0; kind <= static_cast<std::uint64_t>(LimitKind::stack); ++kind) {
    const std::uint64_t hard = numbers_.next();
    if (numbers_.chance(20)) {
      service.limits.push_back(
          {.kind = static_cast<LimitKind>(kind), .soft = numbers_.chance(50) ? hard : hard / 2, .hard = hard});
    }
  }
  service.no_new_privileges = numbers_.chance(50);
  if (numbers_.chance(30)) service.capabilities = numbers_.next();
  service.resources = {.memory_max = numbers_.next(),
                       .cpu_max_quota_us = numbers_.next(),
                       .cpu_max_period_us = 1 + numbers_.below(1'000'000),
                       .pids_max = numbers_.next(),
                       .required = numbers_.chance(50)};
}

void Maker::conditions(Service& service) {
  for (std::uint64_t left = numbers_.below(4); left != 0; --left) {
    const auto kind = any(ConditionKind::path_not);
    const bool is_path = kind == ConditionKind::path || kind == ConditionKind::path_not;
    const bool has_value = kind == ConditionKind::env_equals || kind == ConditionKind::env_differs;
    service.conditions.push_back({.kind = kind,
                                  .name = is_path ? "" : "C" + std::to_string(numbers_.below(9)),
                                  .value = is_path                            ? any_path()
                                           : has_value && numbers_.chance(70) ? text("value")
                                                                              : Template{}});
  }
}

void Maker::rules(Service& service) {
  const Milliseconds delay = duration();
  service.restart = {.policy = any(RestartPolicy::never),
                     .attempts = numbers_.chance(20) ? RestartRule::unlimited
                                                     : static_cast<std::uint32_t>(numbers_.below(bounds::attempts + 1)),
                     .delay = delay,
                     .factor_milli = static_cast<std::uint32_t>(1'000 + numbers_.below(99'001)),
                     .max_delay = std::max(delay, duration()),
                     .jitter_milli = static_cast<std::uint32_t>(numbers_.below(1'001)),
                     .reset_after = duration(),
                     .success_codes = codes(),
                     .permanent_codes = codes(),
                     .exhausted = any(Exhausted::shutdown),
                     .hold = duration()};
  service.stop = {.signal = static_cast<std::uint8_t>(1 + numbers_.below(64)),
                  .timeout = duration(),
                  .timeout_written = numbers_.chance(50),
                  .command = texts()};
  service.cleanup = texts();
  if (service.type == ServiceType::periodic) {
    service.schedule = {.every = interval(), .at_start = numbers_.chance(50), .jitter = duration()};
  }
}

void Maker::checks(Service& service) {
  service.essential = numbers_.chance(30);
  service.lock = perhaps();
  service.ready.kind = any(ReadyKind::exec);
  if (service.ready.kind == ReadyKind::fd) service.ready.fd = static_cast<std::uint32_t>(3 + numbers_.below(1'000));
  if (service.ready.kind == ReadyKind::tcp || service.ready.kind == ReadyKind::http) service.ready.address = any_text();
  if (service.ready.kind == ReadyKind::exec) service.ready.command = {any_text()};
  service.ready.interval = interval();
  service.ready.timeout = duration();
  service.health.kind = any(HealthKind::exec);
  if (service.health.kind == HealthKind::tcp || service.health.kind == HealthKind::http) service.health.address = any_text();
  if (service.health.kind == HealthKind::exec) service.health.command = {any_text(), any_text()};
  service.health.interval = interval();
  service.health.timeout = duration();
  service.health.failures = static_cast<std::uint32_t>(1 + numbers_.below(10));
  if (numbers_.chance(30)) service.health.watchdog = interval();
}

// Edges lead from a service to one of lower rank; ranks are a random permutation, so that indices have nothing to do with
// it.
void Maker::edges(ServiceGraph& graph) {
  std::vector<std::uint32_t> by_rank;
  for (std::uint32_t index = 0; index < graph.services.size(); ++index) {
    if (graph.services[index].type != ServiceType::bundle) by_rank.push_back(index);
  }
  for (std::size_t i = by_rank.size(); i > 1; --i) std::swap(by_rank[i - 1], by_rank[numbers_.below(i)]);
  for (std::size_t rank = 1; rank < by_rank.size(); ++rank) {
    std::vector<Edge>& edges = graph.services[by_rank[rank]].edges;
    bool logs = false;
    for (std::uint64_t left = numbers_.below(5); left != 0; --left) {
      const std::uint32_t target = by_rank[numbers_.below(rank)];
      if (std::ranges::any_of(edges, [target](const Edge& edge) { return edge.target == target; })) continue;
      EdgeKinds kinds(static_cast<std::uint8_t>(1 + numbers_.below(EdgeKinds(EdgeKind::log_to).bits() - 1)));
      if (!logs && graph.services[target].type == ServiceType::longrun && numbers_.chance(30)) {
        kinds.add(EdgeKind::log_to);
        logs = true;
      }
      edges.push_back({.target = target, .kinds = kinds});
    }
    std::ranges::sort(edges, {}, &Edge::target);
  }
}

void Maker::bundles(ServiceGraph& graph) {
  for (Service& bundle : graph.services) {
    if (bundle.type != ServiceType::bundle) continue;
    for (std::uint32_t index = 0; index < graph.services.size(); ++index) {
      if (graph.services[index].type != ServiceType::bundle && numbers_.chance(20)) bundle.contents.push_back(index);
    }
  }
}

ServiceGraph Maker::graph(std::size_t services) {
  ServiceGraph graph;
  if (numbers_.chance(50)) graph.node.stop_deadline = duration();
  graph.node.history = perhaps();
  graph.node.socket_group = perhaps();
  for (std::size_t i = 0; i < services; ++i) {
    char name[64];
    std::snprintf(name, sizeof name, "s%07zu%s", i, std::string(numbers_.below(50), 'x').c_str());
    Service made = service(name, any(ServiceType::bundle));
    made.description = numbers_.chance(50) ? word(300) : "";
    made.autostart = numbers_.chance(50);
    if (made.type != ServiceType::bundle) {
      if (numbers_.chance(20)) {
        made.instance = "i" + std::to_string(numbers_.below(100));
        made.name += "@" + made.instance;
      }
      run_settings(made);
      conditions(made);
      rules(made);
    }
    if (made.type == ServiceType::longrun) checks(made);
    if ((made.type == ServiceType::oneshot || made.type == ServiceType::periodic) && numbers_.chance(50))
      made.timeout = duration();
    graph.services.push_back(std::move(made));
  }
  edges(graph);
  bundles(graph);
  return graph;
}

}  // namespace

ServiceGraph random(std::uint64_t seed, std::size_t services) { return Maker(seed).graph(services); }

}  // namespace hcrc::samples

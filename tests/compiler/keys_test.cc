// Every key of the language, read into the graph.
#include <functional>
#include <map>
#include <string>

#include "compiler/dump.h"
#include "compiler/key_table.h"
#include "compiler/template_text.h"
#include "tests/catch.h"
#include "tests/compiler/compile_text.h"

namespace hcrc::compiler {

namespace {

Template literal(std::string_view text) { return literal_template(text); }

Arguments words(std::initializer_list<std::string_view> texts) {
  Arguments all;
  for (const std::string_view text : texts) all.push_back(literal(text));
  return all;
}

// What a definition has to have for a key to be right in it, by the type that has the key.
std::string definition_with(const KeyRow& key, std::string_view value) {
  const ServiceType type = key.definitions.has(ServiceType::longrun)    ? ServiceType::longrun
                           : key.definitions.has(ServiceType::oneshot)  ? ServiceType::oneshot
                           : key.definitions.has(ServiceType::periodic) ? ServiceType::periodic
                                                                        : ServiceType::bundle;
  std::string text;
  if (key.key != Key::type) text.append("type = \"").append(hcrc::text(type)).append("\"\n");
  if (type != ServiceType::bundle && key.key != Key::command) text.append("command = [\"x\"]\n");
  if (!key.table.empty()) text.append("[").append(key.table).append("]\n");
  return text.append(key.name).append(" = ").append(value).append("\n");
}

const std::vector<TextFile> others{{"a", "command = [\"x\"]"}, {"b", "command = [\"x\"]"}};

ServiceGraph graph_with(const std::string& text) {
  std::vector<TextFile> files = others;
  files.push_back({"s", text});
  return graph_of(files);
}

struct Example {
  std::string value;
  std::function<bool(const ServiceGraph&, const Service&)> holds;
};

#define HOLDS(expression) \
  [](const ServiceGraph& graph, const Service& s) { return static_cast<void>(graph), static_cast<void>(s), (expression); }

const std::map<Key, Example>& examples() {
  static const std::map<Key, Example> all{
      {Key::type, {R"("oneshot")", HOLDS(s.type == ServiceType::oneshot && s.restart.policy == RestartPolicy::never)}},
      {Key::description, {R"("what it is")", HOLDS(s.description == "what it is")}},
      {Key::command,
       {R"(["/bin/x", "", "${A:-b}"])",
        HOLDS(s.command.size() == 3 && s.command[1].pieces.empty() && s.command[2].pieces[0].fallback == "b")}},
      {Key::contents, {R"(["b", "a"])", HOLDS(s.contents == std::vector<std::uint32_t>({0, 1}) && !s.autostart)}},
      {Key::autostart, {"false", HOLDS(!s.autostart)}},
      {Key::requires_, {R"(["a", "b"])", HOLDS(edges(graph) == "s requires a, s requires b")}},
      {Key::wants, {R"(["a"])", HOLDS(edges(graph) == "s wants a")}},
      {Key::after, {R"(["a"])", HOLDS(edges(graph) == "s after a")}},
      {Key::before, {R"(["a"])", HOLDS(edges(graph) == "a after s")}},
      {Key::binds_to, {R"(["a"])", HOLDS(edges(graph) == "s binds-to a")}},
      {Key::log_to, {R"("a")", HOLDS(edges(graph) == "s log-to a")}},
      {Key::essential, {"true", HOLDS(s.essential)}},
      {Key::lock, {R"("/run/lock")", HOLDS(s.lock == literal("/run/lock"))}},
      {Key::user, {R"("nobody")", HOLDS(s.user == literal("nobody"))}},
      {Key::group, {"65532", HOLDS(s.group == literal("65532"))}},
      {Key::groups, {R"(["tty", 5])", HOLDS(s.groups == words({"tty", "5"}))}},
      {Key::directory, {R"("/data")", HOLDS(s.directory == literal("/data"))}},
      {Key::umask, {R"("077")", HOLDS(s.umask == 077)}},
      {Key::nice, {"-20", HOLDS(s.nice == -20)}},
      {Key::oom_score_adj, {"1000", HOLDS(s.oom_score_adj == 1000)}},
      {Key::timeout, {R"("1h30m")", HOLDS(s.timeout == Milliseconds(5'400'000))}},
      {Key::instances,
       {R"(["y", "x"])", HOLDS(graph.services.size() == 5 && graph.services[3].name == "s@x" &&
                               graph.services[3].instance == "x" && s.type == ServiceType::bundle)}},
      {Key::env,
       {R"({ B = "${A}", A = "" })",
        HOLDS(s.environment.size() == 2 && s.environment[0].name == "A" && s.environment[1].value.pieces[0].text == "A")}},
      {Key::env_files, {R"(["/b", "/a"])", HOLDS(s.environment_files == words({"/b", "/a"}))}},
      {Key::env_clear, {"true", HOLDS(s.environment_clear)}},
      {Key::cleanup, {R"(["/bin/rm", "x"])", HOLDS(s.cleanup == words({"/bin/rm", "x"}))}},
      {Key::stdin_file, {R"("/run/x")", HOLDS(s.stdin_file == literal("/run/x"))}},
      {Key::stdin_text, {R"("${y}\n")", HOLDS(s.stdin_text == "${y}\n")}},
      {Key::when_env_set, {R"(["A"])", HOLDS(s.conditions == std::vector<Condition>({{ConditionKind::env_set, "A", {}}}))}},
      {Key::when_env_unset,
       {R"(["A"])", HOLDS(s.conditions == std::vector<Condition>({{ConditionKind::env_unset, "A", {}}}))}},
      {Key::when_env,
       {R"({ A = "${x}" })",
        HOLDS(s.conditions == std::vector<Condition>({{ConditionKind::env_equals, "A", literal("${x}")}}))}},
      {Key::when_env_not,
       {R"({ A = "" })", HOLDS(s.conditions == std::vector<Condition>({{ConditionKind::env_differs, "A", {}}}))}},
      {Key::when_path,
       {R"("/a")", HOLDS(s.conditions == std::vector<Condition>({{ConditionKind::path, "", literal("/a")}}))}},
      {Key::when_path_not,
       {R"(["/a", "/b"])", HOLDS(s.conditions.size() == 2 && s.conditions[1].kind == ConditionKind::path_not)}},
      {Key::ready_notify, {"true", HOLDS(s.ready.kind == ReadyKind::notify)}},
      {Key::ready_fd, {"3", HOLDS(s.ready.kind == ReadyKind::fd && s.ready.fd == 3)}},
      {Key::ready_tcp, {R"("[::1]:80")", HOLDS(s.ready.kind == ReadyKind::tcp && s.ready.address == literal("[::1]:80"))}},
      {Key::ready_http, {R"("a:1/x")", HOLDS(s.ready.kind == ReadyKind::http && s.ready.address == literal("a:1/x"))}},
      {Key::ready_exec, {R"(["/t"])", HOLDS(s.ready.kind == ReadyKind::exec && s.ready.command == words({"/t"}))}},
      {Key::ready_interval, {R"("1s")", HOLDS(s.ready.interval == Milliseconds(1'000))}},
      {Key::ready_timeout, {R"("30m")", HOLDS(s.ready.timeout == Milliseconds(1'800'000))}},
      {Key::health_http, {R"("a:1")", HOLDS(s.health.kind == HealthKind::http && s.health.address == literal("a:1"))}},
      {Key::health_tcp, {R"("a:1")", HOLDS(s.health.kind == HealthKind::tcp && s.health.address == literal("a:1"))}},
      {Key::health_exec, {R"(["/t"])", HOLDS(s.health.kind == HealthKind::exec && s.health.command == words({"/t"}))}},
      {Key::health_interval, {R"("1s")", HOLDS(s.health.interval == Milliseconds(1'000))}},
      {Key::health_timeout, {R"("1s")", HOLDS(s.health.timeout == Milliseconds(1'000))}},
      {Key::health_failures, {"7", HOLDS(s.health.failures == 7)}},
      {Key::health_watchdog, {R"("1s")", HOLDS(s.health.watchdog == Milliseconds(1'000))}},
      {Key::restart_policy, {R"("on-failure")", HOLDS(s.restart.policy == RestartPolicy::on_failure)}},
      {Key::restart_attempts, {R"("unlimited")", HOLDS(s.restart.attempts == RestartRule::unlimited)}},
      {Key::restart_delay, {R"("250ms")", HOLDS(s.restart.delay == Milliseconds(250))}},
      {Key::restart_factor, {"1.005", HOLDS(s.restart.factor_milli == 1'005)}},
      {Key::restart_max_delay, {R"("4s")", HOLDS(s.restart.max_delay == Milliseconds(4'000))}},
      {Key::restart_jitter, {"1", HOLDS(s.restart.jitter_milli == 1'000)}},
      {Key::restart_reset_after, {R"("0s")", HOLDS(s.restart.reset_after == Milliseconds(0))}},
      {Key::restart_success_codes,
       {"[3, 255]",
        HOLDS(s.restart.success_codes.count() == 2 && s.restart.success_codes[255] && !s.restart.success_codes[0])}},
      {Key::restart_permanent_codes,
       {"[42]", HOLDS(s.restart.permanent_codes.count() == 1 && s.restart.permanent_codes[42])}},
      {Key::restart_exhausted, {R"("shutdown")", HOLDS(s.restart.exhausted == Exhausted::shutdown)}},
      {Key::restart_hold, {R"("2m")", HOLDS(s.restart.hold == Milliseconds(120'000))}},
      {Key::stop_signal, {R"("INT")", HOLDS(s.stop.signal == signals::sigint)}},
      {Key::stop_timeout, {R"("5s")", HOLDS(s.stop.timeout == Milliseconds(5'000) && s.stop.timeout_written)}},
      {Key::stop_command, {R"(["/s"])", HOLDS(s.stop.command == words({"/s"}) && !s.stop.timeout_written)}},
      {Key::schedule_every, {R"("1h")", HOLDS(s.schedule.every == Milliseconds(3'600'000))}},
      {Key::schedule_at_start, {"false", HOLDS(!s.schedule.at_start)}},
      {Key::schedule_jitter, {R"("1m")", HOLDS(s.schedule.jitter == Milliseconds(60'000))}},
      {Key::limits_nofile, {"64", HOLDS(s.limits == std::vector<Limit>({{LimitKind::nofile, 64, 64}}))}},
      {Key::limits_nproc,
       {R"({ soft = 1, hard = "unlimited" })",
        HOLDS(s.limits == std::vector<Limit>({{LimitKind::nproc, 1, Limit::unlimited}}))}},
      {Key::limits_core, {"0", HOLDS(s.limits == std::vector<Limit>({{LimitKind::core, 0, 0}}))}},
      {Key::limits_as, {R"("1G")", HOLDS(s.limits == std::vector<Limit>({{LimitKind::as, 1u << 30, 1u << 30}}))}},
      {Key::limits_memlock, {R"("8M")", HOLDS(s.limits == std::vector<Limit>({{LimitKind::memlock, 8u << 20, 8u << 20}}))}},
      {Key::limits_stack,
       {R"("unlimited")", HOLDS(s.limits == std::vector<Limit>({{LimitKind::stack, Limit::unlimited, Limit::unlimited}}))}},
      {Key::security_no_new_privileges, {"true", HOLDS(s.no_new_privileges)}},
      {Key::security_capabilities, {R"(["CHOWN", "CAP_NET_BIND_SERVICE"])", HOLDS(s.capabilities == (1u | 1u << 10))}},
      {Key::resources_memory_max, {R"("512M")", HOLDS(s.resources == Resources{.memory_max = 512u << 20})}},
      {Key::resources_cpu_max,
       {R"("50000 200000")", HOLDS((s.resources == Resources{.cpu_max_quota_us = 50'000, .cpu_max_period_us = 200'000}))}},
      {Key::resources_pids_max, {"64", HOLDS(s.resources == Resources{.pids_max = 64})}},
      {Key::resources_required, {"true", HOLDS(s.resources == Resources{.required = true})}},
  };
  return all;
}

#undef HOLDS

}  // namespace

TEST_CASE("every key of a service reaches the graph") {
  for (const KeyRow& key : key_table()) {
    if (key.definitions.node() || key.key == Key::override_) continue;
    INFO(text(key));
    const auto example = examples().find(key.key);
    REQUIRE(example != examples().end());
    const ServiceGraph graph = graph_with(definition_with(key, example->second.value));
    CHECK(example->second.holds(graph, find_service(graph, "s")));
    CHECK(same_again(dump(graph), graph));
  }
}

TEST_CASE("a limit of resources may be lifted in a later layer, and a share of processors is a percentage") {
  const auto resources = [](std::string_view value) {
    return find_service(graph_with("command = [\"x\"]\n[resources]\n" + std::string(value) + "\n"), "s").resources;
  };
  CHECK(resources("memory-max = \"unlimited\"\ncpu-max = \"unlimited\"\npids-max = \"unlimited\"") == Resources());
  CHECK(resources("cpu-max = \"250%\"") == Resources{.cpu_max_quota_us = 250'000, .cpu_max_period_us = 100'000});
}

TEST_CASE("a default that is written down changes nothing") {
  for (const KeyRow& key : key_table()) {
    // The folder is only named where it is written; a written stop timeout is kept at shutdown.
    if (key.fallback.empty() || key.definitions.node() || key.key == Key::directory) continue;
    INFO(text(key));
    const std::string with = definition_with(key, key.fallback);
    ServiceGraph written = graph_with(with);
    ServiceGraph unwritten = graph_with(with.substr(0, with.rfind('\n', with.size() - 2) + 1));
    for (Service& service : written.services) service.stop.timeout_written = false;
    CHECK(written == unwritten);
  }
}

TEST_CASE("the settings of the node") {
  const ServiceGraph graph = graph_of({{"node", "stop-deadline = \"20s\"\nsocket-group = \"${G:-adm}\"\n"}, others[0]});
  CHECK(graph.services.size() == 1);
  CHECK(graph.node.stop_deadline == Milliseconds(20'000));
  CHECK(graph.node.socket_group->pieces[0].fallback == "adm");
  CHECK(!graph.node.history);
  CHECK(graph_of({others[0]}).node == NodeSettings{});
}

TEST_CASE("what is not written") {
  const Service service = service_of_text("command = [\"x\"]");
  Service expected;
  expected.name = "s";
  expected.command = words({"x"});
  CHECK(service == expected);

  const Service oneshot = service_of_text("type = \"oneshot\"\ncommand = [\"x\"]");
  CHECK(oneshot.restart.policy == RestartPolicy::never);
  CHECK(oneshot.autostart);
  const ServiceGraph graph = graph_of({{"b", "type = \"bundle\"\ncontents = []"}, others[0]});
  CHECK(!find_service(graph, "b").autostart);
}

TEST_CASE("a way of being ready that is switched off is none") {
  CHECK(service_of_text("command = [\"x\"]\n[ready]\nnotify = false").ready.kind == ReadyKind::spawned);
  CHECK(service_of_text("command = [\"x\"]\n[ready]\nnotify = false\nfd = 4").ready.kind == ReadyKind::fd);
}

TEST_CASE("every key has a sentence of help, and a default that can be read") {
  for (const KeyRow& key : key_table()) {
    INFO(text(key));
    CHECK(key.help.size() > 5);
    CHECK(find_key(key.definitions.node(), key.table, key.name) == &key);
  }
}

}  // namespace hcrc::compiler

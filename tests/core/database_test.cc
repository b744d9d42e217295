#include "core/database.h"

#include <algorithm>
#include <functional>

#include "core/bounds.h"
#include "core/database_hashes.h"
#include "core/database_writer.h"
#include "core/service.h"
#include "tests/catch.h"
#include "tests/core/database_bytes.h"
#include "tests/core/graph_samples.h"

using namespace hcrc;
using samples::service;
using samples::text;
using samples::words;

namespace {

Database database_of(const ServiceGraph& graph) {
  auto database = DatabaseBytes(graph).load();
  REQUIRE(database.has_value());
  return std::move(*database);
}

// load . write is the identity on graphs, and so is write . graph . load on bytes.
void check_round_trip(const ServiceGraph& graph) {
  const auto bytes = write_database(graph);
  REQUIRE(bytes.has_value());
  const auto database = Database::load(*bytes);
  REQUIRE(database.has_value());
  const ServiceGraph back = database->graph();
  REQUIRE(back == graph);
  const auto again = write_database(back);
  REQUIRE(again.has_value());
  REQUIRE(*again == *bytes);
  REQUIRE(walk(*database).fault == nullptr);
}

ServiceGraph graph_of(std::vector<Service> services) { return {.node = {}, .services = std::move(services)}; }

std::size_t occurrences(std::span<const std::byte> bytes, std::string_view wanted) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::size_t count = 0;
  for (std::size_t at = all.find(wanted); at != std::string_view::npos; at = all.find(wanted, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("A graph comes back from its database as it was") {
  check_round_trip({});
  check_round_trip(samples::documented());
  check_round_trip(samples::every_field());
  check_round_trip(samples::chain(100));
}

TEST_CASE("Random graphs come back from their databases as they were") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    check_round_trip(samples::random(seed * 0x9e3779b97f4a7c15, seed % 40));
  }
}

TEST_CASE("Equal graphs give equal bytes") {
  const ServiceGraph graph = samples::random(7, 30);
  ServiceGraph other;  // equal, but all its memory is elsewhere and of another capacity
  other.node = graph.node;
  for (const Service& one : graph.services) other.services.push_back(one);
  CHECK(*write_database(graph) == *write_database(graph));
  CHECK(*write_database(graph) == *write_database(other));
}

TEST_CASE("The format has not changed by accident") {
  // When it is changed on purpose: a new format version, a new docs/database.md, a new number here.
  const Database database = database_of(samples::documented());
  CHECK(database.bytes().size() == 1'356);
  CHECK(database.build_id() == 0x601ca96ca683eee5);
}

TEST_CASE("The accessors of a small database") {
  const Database database = database_of(samples::every_field());
  REQUIRE(database.size() == 7);
  CHECK(database.find("log") == 2u);
  CHECK(database.find("web@two") == 5u);
  CHECK(database.find("web") == std::nullopt);
  CHECK(database.find("") == std::nullopt);
  CHECK(database.find("zzz") == std::nullopt);
  CHECK(database.contents(0).size() == 3);
  CHECK(database.dependencies(4).size() == 2);
  REQUIRE(database.dependents(2).size() == 2);
  CHECK(database.dependents(2)[0].service == 1);
  CHECK(database.dependents(2)[1].service == 4);
  CHECK(database.service(2).level == 0);
  CHECK(database.service(4).level == 1);
  CHECK(database.service(5).level == 2);
  CHECK_FALSE(database.pieces_of(format::none).has_value());
  const auto lock = database.pieces_of(database.service(4).lock);
  REQUIRE(lock.has_value());
  REQUIRE(lock->size() == 1);
  CHECK(database.string((*lock)[0].text) == "/data/lock");
}

TEST_CASE("A database that was never loaded has no services") {
  const Database database;
  CHECK(database.size() == 0);
  CHECK(database.build_id() == 0);
  CHECK(database.find("a") == std::nullopt);
  CHECK(database.graph() == ServiceGraph{});
}

TEST_CASE("A chain of 10,000 services") {
  const ServiceGraph graph = samples::chain(10'000);
  const Database database = database_of(graph);
  CHECK(database.service(9'999).level == 9'999);
  CHECK(database.dependents(0).size() == 1);
  CHECK(database.find("link-00005000") == 5'000u);
}

TEST_CASE("A short text is written once, a long one wherever it is used") {
  const std::string short_text(format::shared_string_bytes, 's');
  const std::string long_text(format::shared_string_bytes + 1, 'l');
  Service a = service("a");
  Service b = service("b");
  a.command = b.command = words({short_text, long_text});
  const ServiceGraph graph = graph_of({a, b});
  check_round_trip(graph);
  const Database database = database_of(graph);
  CHECK(occurrences(database.bytes(), short_text) == 1);
  CHECK(occurrences(database.bytes(), long_text) == 2);
}

// Half a second, and a few hundred MB: `core-tests "[.long]"`.
TEST_CASE("What is too large for the format is an error", "[.long]") {
  ServiceGraph many;
  many.services.resize(bounds::services + 1);
  CHECK(write_database(many).error().sentence == "65537 services are more than 65536: define fewer");

  Service big = service("big");
  big.command = words({std::string(bounds::database_bytes, 'x')});
  CHECK(write_database(graph_of({big})).error().sentence ==
        "the database would be larger than 67108864 bytes: define fewer services, or shorter texts");
}

namespace {

struct Change {
  const char* what;
  std::function<void(Service&)> make;
};

// The hashes of `web@one` in every_field() after a change of it.
ServiceHashes hashes_after(const std::function<void(Service&)>& change) {
  ServiceGraph graph = samples::every_field();
  change(graph.services[4]);
  const Database database = database_of(graph);
  const format::ServiceRecord& record = database.service(4);
  return {.runs = record.hash_runs, .looked_after = record.hash_looked_after};
}

}  // namespace

TEST_CASE("How a service runs and how it is looked after are hashed apart") {
  const ServiceHashes before = hashes_after([](Service&) {});
  const Change of_running[] = {
      {"command", [](Service& s) { s.command.push_back(text("x")); }},
      {"command, split otherwise",
       [](Service& s) { s.command = words({"/bin/web@one", "--data=${DATA:-/data}/x", "", "${EMPTY:-}${ONLY}"}); }},
      {"command, default", [](Service& s) { s.command[1] = text("--data=${DATA:-/date}/x"); }},
      {"command, a default to none", [](Service& s) { s.command[3] = text("${EMPTY}"); }},
      {"lock", [](Service& s) { s.lock.reset(); }},
      {"user", [](Service& s) { s.user = text("root"); }},
      {"group", [](Service& s) { s.group.reset(); }},
      {"user and group swapped", [](Service& s) { std::swap(s.user, s.group); }},
      {"groups, none", [](Service& s) { s.groups.reset(); }},
      {"groups, empty", [](Service& s) { s.groups->clear(); }},
      {"directory", [](Service& s) { s.directory = Template{}; }},
      {"umask", [](Service& s) { s.umask = 0; }},
      {"nice", [](Service& s) { s.nice = std::int8_t{19}; }},
      {"oom-score-adj", [](Service& s) { s.oom_score_adj.reset(); }},
      {"env, value", [](Service& s) { s.environment[0].value = text("2"); }},
      {"env, name", [](Service& s) { s.environment[0].name = "B"; }},
      {"env-files", [](Service& s) { s.environment_files.pop_back(); }},
      {"env-clear", [](Service& s) { s.environment_clear = false; }},
      {"stdin, file", [](Service& s) { s.stdin_file.reset(); }},
      {"stdin, text", [](Service& s) { s.stdin_text = ""; }},
      {"stdin, no text", [](Service& s) { s.stdin_text.reset(); }},
      {"ready", [](Service& s) { s.ready.kind = ReadyKind::tcp; }},
      {"ready, address", [](Service& s) { s.ready.address = text("localhost:1"); }},
      {"ready, timeout", [](Service& s) { s.ready.timeout += Milliseconds(1); }},
      {"ready, interval", [](Service& s) { s.ready.interval += Milliseconds(1); }},
      {"limits", [](Service& s) { s.limits[0].soft = 1; }},
      {"no-new-privileges", [](Service& s) { s.no_new_privileges = false; }},
      {"capabilities", [](Service& s) { s.capabilities.reset(); }},
      {"memory-max", [](Service& s) { s.resources.memory_max = 1; }},
      {"cpu-max", [](Service& s) { s.resources.cpu_max_quota_us = 1; }},
      {"cpu-max, period", [](Service& s) { s.resources.cpu_max_period_us = 1; }},
      {"pids-max", [](Service& s) { s.resources.pids_max = 1; }},
      {"resources required", [](Service& s) { s.resources.required = false; }},
  };
  for (const Change& change : of_running) {
    INFO(change.what);
    const ServiceHashes after = hashes_after(change.make);
    CHECK(after.runs != before.runs);
    CHECK(after.looked_after == before.looked_after);
  }
  const Change of_looking_after[] = {
      {"description", [](Service& s) { s.description = "other"; }},
      {"autostart", [](Service& s) { s.autostart = true; }},
      {"essential", [](Service& s) { s.essential = false; }},
      {"edges, kind", [](Service& s) { s.edges[1].kinds = EdgeKind::wants; }},
      {"edges, one less", [](Service& s) { s.edges.pop_back(); }},
      {"when", [](Service& s) { s.conditions.pop_back(); }},
      {"when, value", [](Service& s) { s.conditions[2].value = text("slow"); }},
      {"health, command", [](Service& s) { s.health.command.pop_back(); }},
      {"health, interval", [](Service& s) { s.health.interval = Milliseconds(1); }},
      {"health, timeout", [](Service& s) { s.health.timeout = Milliseconds(1); }},
      {"health, failures", [](Service& s) { s.health.failures = 1; }},
      {"watchdog", [](Service& s) { s.health.watchdog.reset(); }},
      {"policy", [](Service& s) { s.restart.policy = RestartPolicy::always; }},
      {"attempts", [](Service& s) { s.restart.attempts = 0; }},
      {"delay", [](Service& s) { s.restart.delay = Milliseconds(0); }},
      {"factor", [](Service& s) { s.restart.factor_milli = 1'000; }},
      {"max-delay", [](Service& s) { s.restart.max_delay = Milliseconds(250); }},
      {"jitter", [](Service& s) { s.restart.jitter_milli = 1'000; }},
      {"reset-after", [](Service& s) { s.restart.reset_after = Milliseconds(2); }},
      {"success-codes", [](Service& s) { s.restart.success_codes.flip(255); }},
      {"permanent-codes", [](Service& s) { s.restart.permanent_codes.flip(0); }},
      {"exhausted", [](Service& s) { s.restart.exhausted = Exhausted::fail; }},
      {"hold", [](Service& s) { s.restart.hold = Milliseconds(0); }},
      {"stop, signal", [](Service& s) { s.stop.signal = 64; }},
      {"stop, timeout", [](Service& s) { s.stop.timeout = Milliseconds(0); }},
      {"stop, timeout as by default", [](Service& s) { s.stop.timeout_written = false; }},
      {"stop, command", [](Service& s) { s.stop.command.clear(); }},
      {"cleanup", [](Service& s) { s.cleanup.clear(); }},
  };
  for (const Change& change : of_looking_after) {
    INFO(change.what);
    const ServiceHashes after = hashes_after(change.make);
    CHECK(after.runs == before.runs);
    CHECK(after.looked_after != before.looked_after);
  }
}

TEST_CASE("A oneshot's timeout and a periodic's schedule are of how they are looked after") {
  const auto hashes = [](const Service& one) {
    const Database database = database_of(graph_of({one}));
    return service_hashes(database, 0);
  };
  Service job = service("job", ServiceType::periodic);
  const ServiceHashes before = hashes(job);
  for (const auto& change : std::vector<std::function<void(Service&)>>{
           [](Service& s) { s.timeout = Milliseconds(1); }, [](Service& s) { s.schedule.every = Milliseconds(1); },
           [](Service& s) { s.schedule.at_start = false; }, [](Service& s) { s.schedule.jitter = Milliseconds(1); }}) {
    Service changed = job;
    change(changed);
    CHECK(hashes(changed).runs == before.runs);
    CHECK(hashes(changed).looked_after != before.looked_after);
  }
}

TEST_CASE("An unrelated service changes no hash of another") {
  const ServiceGraph graph = samples::every_field();
  ServiceGraph larger = graph;
  Service first = service("aaa");  // comes before all others: their indices and the places of their texts change
  first.description = "of web@one";
  larger.services.insert(larger.services.begin(), first);
  for (Service& one : larger.services) {
    for (Edge& edge : one.edges) ++edge.target;
    for (std::uint32_t& inner : one.contents) ++inner;
  }
  const Database before = database_of(graph);
  const Database after = database_of(larger);
  CHECK(before.build_id() != after.build_id());
  for (std::uint32_t index = 0; index < before.size(); ++index) {
    CHECK(before.service(index).hash_runs == after.service(index + 1).hash_runs);
    CHECK(before.service(index).hash_looked_after == after.service(index + 1).hash_looked_after);
  }
}

TEST_CASE("A logger runs otherwise when its producers change, a producer when it gets its first logger") {
  const auto graph = [](std::vector<Edge> edges_of_c) {
    Service a = service("a"), b = service("b"), c = service("c"), d = service("d");
    c.edges = std::move(edges_of_c);
    d.edges = {{.target = 0, .kinds = EdgeKind::log_to}};
    return database_of(graph_of({a, b, c, d}));
  };
  const Database none = graph({});
  const Database to_a = graph({{.target = 0, .kinds = EdgeKind::log_to}});
  const Database to_b = graph({{.target = 1, .kinds = EdgeKind::log_to}});
  CHECK(none.service(0).hash_runs != to_a.service(0).hash_runs);
  CHECK(none.service(1).hash_runs == to_a.service(1).hash_runs);
  CHECK(none.service(2).hash_runs != to_a.service(2).hash_runs);  // its output was the runtime's own, now it is a pipe
  CHECK(to_a.service(2).hash_runs == to_b.service(2).hash_runs);  // the pipe stays, its other end moves
  CHECK(to_a.service(2).hash_looked_after != to_b.service(2).hash_looked_after);
  CHECK(none.service(3).hash_runs == to_a.service(3).hash_runs);
}

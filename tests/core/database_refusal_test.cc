// What Database::load and write_database refuse, and in which words.
#include <functional>

#include "core/bounds.h"
#include "core/database.h"

#include "core/database_writer.h"
#include "core/hash.h"
#include "tests/catch.h"
#include "tests/core/database_bytes.h"
#include "tests/core/graph_samples.h"

using namespace hcrc;
using format::Table;
using samples::text;
using samples::words;

namespace {

// What the writer says of every_field() after a change of the service with this index there.
constexpr std::uint32_t bundle = 0, periodic = 1, logger = 2, oneshot = 3, longrun = 4, exec_ready = 5, fd_ready = 6;

struct Mistake {
  std::uint32_t service;
  const char* refusal;
  std::function<void(Service&)> make;
};

std::string refusal(const ServiceGraph& graph) {
  const auto bytes = write_database(graph);
  return bytes ? "" : bytes.error().sentence;
}

std::string damaged(std::string_view what) { return "is damaged: " + std::string(what) + ": compile the definitions again"; }

TemplatePiece literal(std::string value) { return {.text = std::move(value), .fallback = {}}; }

}  // namespace

TEST_CASE("A file of another kind or version is told from a damaged one") {
  DatabaseBytes bytes(samples::documented());
  CHECK(DatabaseBytes(std::vector<std::byte>{}).refusal() == "is empty: compile the definitions again");
  CHECK(DatabaseBytes(std::vector<std::byte>(4'096)).refusal() ==
        "is no database: name the file that hcrc-compile has written");
  CHECK(DatabaseBytes(std::vector<std::byte>(1)).refusal() == "is no database: name the file that hcrc-compile has written");
  bytes.header().version = 0;
  CHECK(bytes.refusal() ==
        "has format version 0, and this program reads version 1: it is older: compile the definitions again with this "
        "hcrc-compile");
  bytes.header().version = 2;
  CHECK(bytes.refusal() ==
        "has format version 2, and this program reads version 1: it is newer: install the hcrc it was compiled with");
  bytes.header().version = 0x01000000;
  CHECK(bytes.refusal() == "was written in the other byte order: compile the definitions again");
}

TEST_CASE("A file of a newer version may be shorter than our header") {
  DatabaseBytes bytes(samples::documented());
  bytes.header().version = 9;
  bytes.bytes().resize(24);
  CHECK(bytes.refusal().starts_with("has format version 9"));
}

TEST_CASE("A database whose frame is wrong is refused") {
  const DatabaseBytes whole(samples::every_field());
  const auto after = [&whole](const std::function<void(DatabaseBytes&)>& damage) {
    DatabaseBytes bytes = whole;
    damage(bytes);
    return bytes.refusal_when_sealed();
  };
  const auto with_entry = [&after](Table table, const std::function<void(format::TableEntry&)>& damage) {
    return after([&](DatabaseBytes& bytes) { damage(bytes.header().table[static_cast<std::size_t>(table)]); });
  };
  CHECK(after([](DatabaseBytes&) {}).empty());
  CHECK(after([](DatabaseBytes& bytes) { bytes.header().header_bytes += 8; }) == damaged("its header has another size"));
  CHECK(after([](DatabaseBytes& bytes) { ++bytes.header().file_bytes; }) == damaged("it is cut off"));
  CHECK(after([](DatabaseBytes& bytes) { bytes.header().file_bytes = UINT64_MAX; }) == damaged("it is cut off"));
  CHECK(after([](DatabaseBytes& bytes) { --bytes.header().file_bytes; }) == damaged("something lies behind its end"));
  CHECK(after([](DatabaseBytes& bytes) { bytes.bytes().push_back({}); }) == damaged("something lies behind its end"));
  CHECK(after([](DatabaseBytes& bytes) {
          bytes.bytes().push_back({});
          ++bytes.header().file_bytes;
        }) == damaged("something lies behind the last table"));
  CHECK(after([](DatabaseBytes& bytes) { bytes.header().padding[5] = 1; }) ==
        damaged("the padding of the header is not zero"));

  const std::string not_behind = damaged("a table does not lie behind the one before it");
  CHECK(with_entry(Table::edges, [](auto& entry) { ++entry.offset; }) == not_behind);       // misaligned
  CHECK(with_entry(Table::edges, [](auto& entry) { entry.offset += 8; }) == not_behind);    // a gap
  CHECK(with_entry(Table::pieces, [](auto& entry) { entry.offset -= 8; }) == not_behind);   // an overlap
  CHECK(with_entry(Table::services, [](auto& entry) { entry.offset = 0; }) == not_behind);  // the header as a table
  CHECK(with_entry(Table::limits, [](auto& entry) { entry.offset = UINT64_MAX - 7; }) == not_behind);
  CHECK(with_entry(Table::services, [](auto& entry) { ++entry.count; }) == not_behind);
  const std::string beyond = damaged("a table goes beyond the end of the file");
  CHECK(with_entry(Table::services, [](auto& entry) { entry.count = UINT32_MAX; }) == beyond);
  CHECK(with_entry(Table::strings, [](auto& entry) { ++entry.count; }) == beyond);
  CHECK(with_entry(Table::strings, [](auto& entry) { --entry.count; }) == damaged("something lies behind the last table"));
  CHECK(with_entry(Table::edges, [](auto& entry) { entry.record_bytes = 0; }) ==
        damaged("a table has records of another size"));
  CHECK(with_entry(Table::edges, [](auto& entry) { entry.record_bytes = 16; }) ==
        damaged("a table has records of another size"));
}

TEST_CASE("Checksum, build id and hashes have to be those of the bytes") {
  DatabaseBytes bytes(samples::every_field());
  bytes.service(2).umask = 077;
  CHECK(bytes.refusal() == damaged("its checksum is wrong"));
  const std::uint64_t build_id = bytes.header().build_id;
  bytes.seal();
  bytes.header().build_id = build_id;
  Fnv1a64 hash;
  hash.bytes(std::span(bytes.bytes()).subspan(offsetof(format::Header, build_id)));
  bytes.header().checksum = hash.value();
  CHECK(bytes.refusal() == damaged("its build id is wrong"));
  bytes.seal();
  CHECK(bytes.refusal() == damaged("service log: its hashes are not those of its contents"));
  bytes.seal_services();
  CHECK(bytes.refusal().empty());
}

TEST_CASE("Damage that no graph can have is refused") {
  // The writer cannot make these: what a record refers to, strings, and the edges from their other end.
  const DatabaseBytes whole(samples::every_field());
  const auto after = [&whole](const std::function<void(DatabaseBytes&)>& damage) {
    DatabaseBytes bytes = whole;
    damage(bytes);
    return bytes.refusal_when_sealed();
  };
  const auto with_service = [&after](std::uint32_t index, const std::function<void(format::ServiceRecord&)>& damage) {
    return after([&](DatabaseBytes& bytes) { damage(bytes.service(index)); });
  };
  const auto of_web = [](const char* what) { return damaged(std::string("service web@one: ") + what); };

  // Ranges.
  CHECK(with_service(longrun, [](auto& record) { --record.command.first; }) ==
        of_web("a range does not begin where the one before it ends"));
  CHECK(with_service(longrun, [](auto& record) { record.command.first = UINT32_MAX; }) ==
        of_web("a range does not begin where the one before it ends"));
  CHECK(with_service(longrun, [](auto& record) { record.command.count = UINT32_MAX; }) ==
        of_web("a range goes beyond the end of its table"));
  CHECK(with_service(longrun, [](auto& record) { record.command.count = UINT32_MAX - record.command.first + 1; }) ==
        of_web("a range goes beyond the end of its table"));
  CHECK(with_service(longrun, [](auto& record) { record.contents.first = 1; }) == of_web("an empty range begins somewhere"));
  CHECK(with_service(longrun, [](auto& record) { record.user = 0; }) ==
        of_web("a range does not begin where the one before it ends"));
  CHECK(with_service(longrun, [](auto& record) { record.user = UINT32_MAX - 1; }) ==
        of_web("a range does not begin where the one before it ends"));
  CHECK(with_service(fd_ready, [](auto& record) { record.command = {}; }) == damaged("service xfd: it has no command"));
  CHECK(with_service(exec_ready, [](auto& record) { record.health_address = format::none; }) ==
        damaged("service web@two: its health check has no address, or one too many"));

  // Strings. The first one, from 1 on, is "HCRC_DATA".
  const auto with_text = [&](std::uint32_t offset, std::uint32_t length) {
    return with_service(longrun, [=](auto& record) { record.description = {.offset = offset, .length = length}; });
  };
  DatabaseBytes bytes = whole;
  const std::uint32_t strings = bytes.entry(Table::strings).count;
  const format::StringRef description = bytes.service(longrun).description;
  CHECK(with_text(UINT32_MAX, 2) == of_web("a text goes beyond the end of its table"));
  CHECK(with_text(2, UINT32_MAX) == of_web("a text goes beyond the end of its table"));
  CHECK(with_text(strings, 1) == of_web("a text goes beyond the end of its table"));
  CHECK(with_text(1, strings - 1) == of_web("a text goes beyond the end of its table"));
  CHECK(with_text(1, strings - 2) == of_web("a long text is shared"));
  CHECK(with_text(description.offset, description.length + 1) == of_web("a text holds a NUL byte"));
  CHECK(with_text(description.offset, description.length - 1) == of_web("no NUL byte follows a text"));
  CHECK(with_text(2, 8) == of_web("a text begins in the middle of another"));
  CHECK(with_text(3, 0) == of_web("an empty text begins somewhere"));
  CHECK(after([](DatabaseBytes& damage) { damage.bytes()[damage.entry(Table::strings).offset] = std::byte{'x'}; }) ==
        damaged("the texts do not begin with the empty one"));
  CHECK(after([](DatabaseBytes& damage) { damage.bytes().back() = std::byte{'x'}; }).find("no NUL byte follows a text") !=
        std::string::npos);

  // Edges and their other ends. In every_field() edges are job->log, job->setup, web@one->log, web@one->setup,
  // web@two->web@one, and dependents log<-job, log<-web@one, setup<-job, setup<-web@one, web@one<-web@two.
  CHECK(after([](DatabaseBytes& damage) { damage.dependent(1).service = 5; }) ==
        damaged("service log: its dependents do not match the edges that lead to it"));
  CHECK(after([](DatabaseBytes& damage) { damage.dependent(0).kinds = 1; }) ==
        damaged("service log: its dependents do not match the edges that lead to it"));
  CHECK(after([](DatabaseBytes& damage) { damage.dependent(1).service = 1; }) ==
        damaged("service log: its dependents are not sorted"));
  CHECK(after([](DatabaseBytes& damage) { damage.dependent(4).service = 7; }) ==
        damaged("service web@one: an edge comes from a service that does not exist"));
  CHECK(after([](DatabaseBytes& damage) { damage.edge(0).kinds = 0x20; }) ==
        damaged("service job: an edge is of no known kind"));
  CHECK(after([](DatabaseBytes& damage) { damage.edge(0).kinds = 0x110; }) ==
        damaged("service job: an edge is of no known kind"));
  CHECK(with_service(longrun, [](auto& record) { record.level = 2; }) ==
        of_web("its level is wrong, or its edges have a cycle"));
  CHECK(with_service(logger, [](auto& record) { record.level = 1; }).find("its level is wrong") != std::string::npos);

  // An edge without its other end.
  CHECK(after([](DatabaseBytes& damage) { damage.service(longrun).dependents = {}; }) ==
        damaged("a table holds what nothing refers to"));

  // Bytes.
  for (const auto field :
       {&format::ServiceRecord::autostart, &format::ServiceRecord::essential, &format::ServiceRecord::at_start,
        &format::ServiceRecord::stop_timeout_written, &format::ServiceRecord::environment_clear,
        &format::ServiceRecord::no_new_privileges, &format::ServiceRecord::resources_required,
        &format::ServiceRecord::groups_set, &format::ServiceRecord::stdin_text_set, &format::ServiceRecord::nice_set,
        &format::ServiceRecord::oom_score_adj_set, &format::ServiceRecord::capabilities_set}) {
    CHECK(with_service(longrun, [field](auto& record) { record.*field = 2; }).find("a flag is neither 0 nor 1") !=
          std::string::npos);
  }
  CHECK(with_service(longrun, [](auto& record) { record.padding[0] = 1; }).find("its padding is not zero") !=
        std::string::npos);
  CHECK(with_service(longrun, [](auto& record) { record.nice_set = 0; }) == of_web("its nice value is out of range"));
  CHECK(with_service(longrun, [](auto& record) { record.oom_score_adj_set = 0; }) ==
        of_web("its oom-score-adj is out of range"));
  CHECK(with_service(longrun, [](auto& record) { record.capabilities_set = 0; }) ==
        of_web("it keeps capabilities that are not written"));
  CHECK(with_service(longrun, [](auto& record) { record.groups_set = 0; }) == of_web("it has groups that are not there"));
  CHECK(with_service(longrun, [](auto& record) { record.stdin_text_set = 0; }) ==
        of_web("it has a text for stdin that is not there"));
  CHECK(after([](DatabaseBytes& damage) { damage.header().history_set = 2; }) ==
        damaged("a flag of the header is neither 0 nor 1"));
  CHECK(after([](DatabaseBytes& damage) { damage.header().history_set = 0; }) ==
        damaged("there is a history that is not there"));
  CHECK(after([](DatabaseBytes& damage) { damage.header().stop_deadline_ms = -2; }) ==
        damaged("the stop deadline is out of range"));
}

TEST_CASE("A cycle is refused, whatever levels it claims") {
  // a, b -> a, c -> b becomes a, b -> c, c -> b with dependents that match.
  const DatabaseBytes whole(samples::chain(3));
  for (const std::uint32_t of_b : {0u, 1u, 2u, 3u, UINT32_MAX - 1, UINT32_MAX}) {
    for (const std::uint32_t of_c : {0u, 1u, 2u, 3u, UINT32_MAX - 1, UINT32_MAX}) {
      DatabaseBytes bytes = whole;
      bytes.edge(0).service = 2;
      bytes.dependent(0).service = 2;
      bytes.dependent(1).service = 1;
      bytes.service(0).dependents = {};
      bytes.service(1).dependents = {.first = 0, .count = 1};
      bytes.service(1).level = of_b;
      bytes.service(2).level = of_c;
      CHECK(bytes.refusal_when_sealed().find("or its edges have a cycle") != std::string::npos);
    }
  }
}

TEST_CASE("Missing and superfluous dependents are refused") {
  // web requires setup; now nobody says so from the other end.
  ServiceGraph graph = samples::documented();
  auto with_edge = write_database(graph);
  REQUIRE(with_edge.has_value());
  DatabaseBytes bytes(*with_edge);
  const std::size_t dependents = bytes.entry(Table::dependents).offset;
  auto& file = bytes.bytes();
  file.erase(file.begin() + static_cast<std::ptrdiff_t>(dependents),
             file.begin() + static_cast<std::ptrdiff_t>(dependents + sizeof(format::EdgeRecord)));
  bytes.header().table[static_cast<std::size_t>(Table::dependents)].count = 0;
  for (std::size_t i = static_cast<std::size_t>(Table::contents); i < format::tables; ++i) {
    bytes.header().table[i].offset -= sizeof(format::EdgeRecord);
  }
  bytes.header().file_bytes -= sizeof(format::EdgeRecord);
  bytes.service(0).dependents = {};
  CHECK(bytes.refusal_when_sealed() == damaged("an edge is missing from its other end"));
}

TEST_CASE("A graph that breaks a promise is not written") {
  const Mistake mistakes[] = {
      {longrun, "service number 5: its name cannot be one", [](Service& s) { s.name = ""; }},
      {longrun, "service web: its instance is not that of its name", [](Service& s) { s.name = "web"; }},
      {longrun, "service web@on: its instance is not that of its name", [](Service& s) { s.name = "web@on"; }},
      {longrun, "service number 5: its name cannot be one", [](Service& s) { s.name = "we/b@one"; }},
      {longrun, "service number 5: its name cannot be one", [](Service& s) { s.name = "web\n@one"; }},
      {longrun, "service number 5: its name cannot be one", [](Service& s) { s.name = "web@one@one"; }},
      {longrun, "service number 5: its name cannot be one", [](Service& s) { s.name = std::string(64, 'w') + "@one"; }},
      {longrun, "service number 5: its name cannot be one",
       [](Service& s) {
         s.instance = std::string(64, 'i');
         s.name = "w@" + s.instance;
       }},
      {logger, "service log: its instance is not that of its name", [](Service& s) { s.instance = "x"; }},
      {logger, "service number 3: its name cannot be one", [](Service& s) { s.name = ".log"; }},
      {logger, "service number 3: its name cannot be one", [](Service& s) { s.name = "-log"; }},
      {logger, "service number 3: its name cannot be one", [](Service& s) { s.name = std::string(64, 'l'); }},
      {logger, "service job: it is not sorted by name", [](Service& s) { s.name = "job"; }},
      {logger, "service big: it is not sorted by name", [](Service& s) { s.name = "big"; }},
      {logger, "service log: a text holds a NUL byte", [](Service& s) { s.description = std::string("a\0b", 3); }},
      {logger, "service log: it has no command", [](Service& s) { s.command.clear(); }},
      {logger, "service log: it has contents and is no bundle", [](Service& s) { s.contents = {1}; }},
      {logger, "service log: a literal piece is empty", [](Service& s) { s.command[0].pieces = {literal("")}; }},
      {logger, "service log: two literal pieces stand side by side",
       [](Service& s) { s.command[0].pieces = {literal("a"), literal("b")}; }},
      {logger, "service log: a piece has a default that it cannot have",
       [](Service& s) { s.command[0].pieces[0].fallback = "x"; }},
      {logger, "service log: a variable's name cannot be one",
       [](Service& s) { s.command[0].pieces = {{.kind = TemplatePiece::Kind::variable, .text = "", .fallback = {}}}; }},
      {logger, "service log: a variable's name cannot be one",
       [](Service& s) {
         s.command[0].pieces = {{.kind = TemplatePiece::Kind::variable_or, .text = "A=B", .fallback = {}}};
       }},
      {logger, "service log: an environment variable's name cannot be one",
       [](Service& s) { s.environment = {{.name = "", .value = {}}}; }},
      {logger, "service log: an environment variable's name cannot be one",
       [](Service& s) { s.environment = {{.name = "A=B", .value = {}}}; }},
      {logger, "service log: its environment is not sorted",
       [](Service& s) { s.environment = {{.name = "A", .value = {}}, {.name = "A", .value = {}}}; }},
      {logger, "service log: its limits are not sorted",
       [](Service& s) {
         s.limits = {{.kind = LimitKind::core, .soft = 0, .hard = 0}, {.kind = LimitKind::nofile, .soft = 0, .hard = 0}};
       }},
      {logger, "service log: a soft limit is above its hard one",
       [](Service& s) { s.limits = {{.kind = LimitKind::core, .soft = 2, .hard = 1}}; }},
      {logger, "service log: a condition is not well-formed",
       [](Service& s) { s.conditions = {{.kind = ConditionKind::path, .name = "", .value = {}}}; }},
      {logger, "service log: a condition is not well-formed",
       [](Service& s) { s.conditions = {{.kind = ConditionKind::path_not, .name = "A", .value = text("/x")}}; }},
      {logger, "service log: a condition is not well-formed",
       [](Service& s) { s.conditions = {{.kind = ConditionKind::env_set, .name = "", .value = {}}}; }},
      {logger, "service log: a condition is not well-formed",
       [](Service& s) { s.conditions = {{.kind = ConditionKind::env_unset, .name = "A", .value = text("x")}}; }},
      {logger, "service log: a condition is not well-formed",
       [](Service& s) { s.conditions = {{.kind = ConditionKind::env_equals, .name = "A", .value = text("${B}")}}; }},
      {logger, "service log: its umask is out of range", [](Service& s) { s.umask = 01000; }},
      {logger, "service log: its nice value is out of range", [](Service& s) { s.nice = std::int8_t{20}; }},
      {logger, "service log: its nice value is out of range", [](Service& s) { s.nice = std::int8_t{-21}; }},
      {logger, "service log: its oom-score-adj is out of range", [](Service& s) { s.oom_score_adj = std::int16_t{1'001}; }},
      {logger, "service log: its stop signal is none", [](Service& s) { s.stop.signal = 0; }},
      {logger, "service log: its stop signal is none", [](Service& s) { s.stop.signal = 65; }},
      {logger, "service log: its restart attempts are out of range",
       [](Service& s) { s.restart.attempts = bounds::attempts + 1; }},
      {logger, "service log: its restart factor is out of range", [](Service& s) { s.restart.factor_milli = 999; }},
      {logger, "service log: its restart factor is out of range", [](Service& s) { s.restart.factor_milli = 100'001; }},
      {logger, "service log: its restart jitter is out of range", [](Service& s) { s.restart.jitter_milli = 1'001; }},
      {logger, "service log: its max-delay is below its delay",
       [](Service& s) { s.restart.delay = s.restart.max_delay + Milliseconds(1); }},
      {logger, "service log: a duration is out of range", [](Service& s) { s.stop.timeout = Milliseconds(-1); }},
      {logger, "service log: a duration is out of range",
       [](Service& s) { s.restart.hold = Milliseconds(bounds::duration_ms + 1); }},
      {logger, "service log: an interval is out of range", [](Service& s) { s.ready.interval = Milliseconds(0); }},
      {logger, "service log: an interval is out of range", [](Service& s) { s.health.interval = Milliseconds(0); }},
      {periodic, "service job: an interval is out of range", [](Service& s) { s.schedule.every = Milliseconds(0); }},
      {logger, "service log: its watchdog is out of range", [](Service& s) { s.health.watchdog = Milliseconds(0); }},
      {oneshot, "service setup: its timeout is out of range", [](Service& s) { s.timeout = Milliseconds(-2); }},
      {logger, "service log: its health check may never fail", [](Service& s) { s.health.failures = 0; }},
      {logger, "service log: its cpu-max has no period", [](Service& s) { s.resources.cpu_max_period_us = 0; }},
      {logger, "service log: its text for stdin is too long",
       [](Service& s) { s.stdin_text = std::string(bounds::stdin_bytes + 1, 'x'); }},
      {longrun, "service web@one: a longrun has a timeout", [](Service& s) { s.timeout = Milliseconds(1); }},
      {oneshot, "service setup: it is essential and no longrun", [](Service& s) { s.essential = true; }},
      {oneshot, "service setup: it has a lock and is no longrun", [](Service& s) { s.lock = text("/x"); }},
      {oneshot, "service setup: it has a readiness check and is no longrun",
       [](Service& s) { s.ready.kind = ReadyKind::notify; }},
      {periodic, "service job: it has a health check and is no longrun",
       [](Service& s) { s.health.watchdog = Milliseconds(1); }},
      {logger, "service log: its readiness check has no address, or one too many",
       [](Service& s) { s.ready.kind = ReadyKind::tcp; }},
      {logger, "service log: its readiness check has no address, or one too many",
       [](Service& s) { s.ready.address = text("h:1"); }},
      {logger, "service log: its readiness check has no command, or one too many",
       [](Service& s) { s.ready.kind = ReadyKind::exec; }},
      {logger, "service log: its health check has no address, or one too many",
       [](Service& s) { s.health.kind = HealthKind::http; }},
      {logger, "service log: its health check has no command, or one too many",
       [](Service& s) { s.health.command = words({"x"}); }},
      {logger, "service log: its descriptor for readiness is out of range", [](Service& s) { s.ready.fd = 3; }},
      {fd_ready, "service xfd: its descriptor for readiness is out of range", [](Service& s) { s.ready.fd = 1u << 31; }},
      {bundle, "service all: a bundle has a command", [](Service& s) { s.command = words({"x"}); }},
      {bundle, "service all: a bundle is more than a name", [](Service& s) { s.user = text("x"); }},
      {bundle, "service all: a bundle is more than a name", [](Service& s) { s.essential = true; }},
      {bundle, "service all: a bundle is more than a name",
       [](Service& s) { s.edges = {{.target = 1, .kinds = EdgeKind::after}}; }},
      {bundle, "service all: its contents are not sorted", [](Service& s) { s.contents = {3, 3}; }},
      {bundle, "service all: it contains a service that does not exist", [](Service& s) { s.contents = {7}; }},
      {bundle, "service all: it contains a bundle", [](Service& s) { s.contents = {0}; }},
      {logger, "the edges have a cycle", [](Service& s) { s.edges = {{.target = 2, .kinds = EdgeKind::after}}; }},
      {logger, "the edges have a cycle", [](Service& s) { s.edges = {{.target = 4, .kinds = EdgeKind::after}}; }},
      {logger, "an edge leads out of the graph", [](Service& s) { s.edges = {{.target = 7, .kinds = EdgeKind::after}}; }},
      {logger, "service log: an edge leads to a bundle",
       [](Service& s) { s.edges = {{.target = 0, .kinds = EdgeKind::after}}; }},
      {longrun, "service web@one: its edges are not sorted", [](Service& s) { s.edges[1].target = 2; }},
      {longrun, "service web@one: an edge is of no known kind", [](Service& s) { s.edges[0].kinds = EdgeKinds(); }},
      {longrun, "service web@one: it logs to two services",
       [](Service& s) { s.edges = {{.target = 2, .kinds = EdgeKind::log_to}, {.target = 6, .kinds = EdgeKind::log_to}}; }},
      {longrun, "service web@one: it logs to what is no longrun",
       [](Service& s) {
         s.edges[0].kinds = EdgeKind::after;
         s.edges[1].kinds = EdgeKind::log_to;
       }},
  };
  for (const Mistake& mistake : mistakes) {
    ServiceGraph graph = samples::every_field();
    mistake.make(graph.services[mistake.service]);
    CHECK(refusal(graph) == mistake.refusal);
  }
}

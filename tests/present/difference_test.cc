#include "core/present/difference.h"

#include <string>
#include <utility>

#include "core/database_writer.h"
#include "tests/catch.h"
#include "tests/present/graphs.h"

using namespace hcrc;
using namespace hcrc::present;

namespace {

Database database(const ServiceGraph& graph) {
  auto bytes = write_database(graph);
  REQUIRE(bytes.has_value());
  auto loaded = Database::load(std::move(*bytes));
  REQUIRE(loaded.has_value());
  return std::move(*loaded);
}

Service program(std::string name) {
  Service result = service(std::move(name));
  result.command = {literal("/bin/true")};
  return result;
}

std::string told(const ServiceGraph& before, const ServiceGraph& after) {
  return difference_text(difference(database(before), database(after)));
}

// log <- a <- b (requires) <- c (wants); d is bound to b.
ServiceGraph four() {
  Service a = program("a"), b = program("b"), c = program("c"), d = program("d");
  a.edges = {to(4, EdgeKind::log_to)};
  b.edges = {to(0)};
  c.edges = {to(1, EdgeKind::wants)};
  d.edges = {to(1, EdgeKind::binds_to)};
  return graph({a, b, c, d, program("log")});
}

}  // namespace

TEST_CASE("the same database changes nothing", "[difference]") {
  CHECK(told(four(), four()) == "nothing changes\n");
  CHECK(told({}, {}) == "nothing changes\n");
}

TEST_CASE("what changes how it runs restarts it and all that require it", "[difference]") {
  ServiceGraph after = four();
  after.services[0].command.push_back(literal("x"));
  after.services[0].umask = 077;
  after.services[1].description = "the second";
  CHECK(told(four(), after) ==
        "! a           restarted: command, umask\n"
        "! b           restarted along with a; in place: description\n"
        "! d           restarted along with b\n");
}

TEST_CASE("how it is looked after is taken over in place", "[difference]") {
  ServiceGraph after = four();
  after.services[0].restart.attempts = 7;
  after.services[2].edges = {to(0), to(1, EdgeKind::after)};
  after.node.stop_deadline = Milliseconds(5'000);
  CHECK(told(four(), after) ==
        "= node.toml   in place: stop-deadline\n"
        "= a           in place: [restart]\n"
        "= c           in place: requires, wants, after\n");
}

TEST_CASE("a producer more restarts the logger, not the producers there are", "[difference]") {
  ServiceGraph after = four();
  Service e = program("e");
  e.edges = {to(5, EdgeKind::log_to)};
  after.services.insert(after.services.begin() + 4, e);
  after.services[0].edges[0].target = 5;
  CHECK(told(four(), after) ==
        "+ e           added\n"
        "! log         restarted: what logs to it\n");
}

TEST_CASE("added and removed; indexes move and nothing else happens", "[difference]") {
  ServiceGraph after = four();
  after.services.erase(after.services.begin() + 3);
  after.services[0].edges[0].target = 3;
  after.services.push_back(program("new"));
  CHECK(told(four(), after) ==
        "- d           removed: stopped\n"
        "+ new         added\n");
  CHECK(told({}, graph({program("a")})) == "+ a           added\n");
}

TEST_CASE("a bundle is no process", "[difference]") {
  Service all = service("all", ServiceType::bundle);
  all.contents = {1};
  const ServiceGraph before = graph({all, program("b"), program("c")});
  ServiceGraph after = before;
  after.services[0].contents = {1, 2};
  CHECK(told(before, after) == "= all         in place: contents\n");
}

TEST_CASE("what is wanted no more is stopped, what is wanted now is started", "[difference]") {
  // a wants b; c is there for the asking.
  Service a = program("a"), b = program("b"), c = program("c");
  a.edges = {to(1, EdgeKind::wants)};
  b.autostart = c.autostart = false;
  const ServiceGraph before = graph({a, b, c});
  ServiceGraph after = before;
  after.services[0].edges.clear();
  after.services[2].autostart = true;
  CHECK(told(before, after) ==
        "= a           in place: wants\n"
        "- b           no longer wanted: stopped\n"
        "+ c           wanted now: started; changed: autostart\n");
}

TEST_CASE("a name that was a service and is a bundle is removed and added", "[difference]") {
  const ServiceGraph before = graph({program("a"), program("b")});
  Service bundle = service("a", ServiceType::bundle);
  bundle.contents = {1};
  CHECK(told(before, graph({bundle, program("b")})) ==
        "+ a           added\n"
        "- a           removed: stopped\n");
}

TEST_CASE("what is bound to a service that is added is restarted along with it", "[difference]") {
  const ServiceGraph before = graph({program("b")});
  Service b = program("b");
  b.edges = {to(0, EdgeKind::binds_to)};
  CHECK(told(before, graph({program("a"), b})) ==
        "+ a           added\n"
        "! b           restarted along with a; in place: binds-to\n");
}

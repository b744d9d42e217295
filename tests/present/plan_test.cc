#include "core/present/plan.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/json.h"
#include "tests/catch.h"
#include "tests/present/graphs.h"

using namespace hcrc;
using namespace hcrc::present;

namespace {

using Path = std::vector<std::uint32_t>;

Milliseconds seconds(std::int64_t count) { return Milliseconds(1'000 * count); }

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0, at = 0;
  for (const char byte : text) {
    at = byte == '\n' ? 0 : at + ((static_cast<unsigned char>(byte) & 0xC0) != 0x80);
    widest = std::max(widest, at);
  }
  return widest;
}

}  // namespace

TEST_CASE("nothing starts and stops at once", "[plan]") {
  const Plan plan = make_plan({});
  CHECK(plan.start_time == Milliseconds(0));
  CHECK(plan.start_path.empty());
  CHECK(plan.stop_time == Milliseconds(0));
  CHECK(plan.fits());
  CHECK(JsonValue::parse(plan_json({}, plan)));
}

TEST_CASE("the longest path of ready timeouts", "[plan]") {
  Service fast = ready_in(service("c"), seconds(1)), top = ready_in(service("d"), seconds(2));
  top.edges = {to(0), to(1, EdgeKind::wants), to(2, EdgeKind::after)};
  Service slow = ready_in(service("b"), seconds(40));
  slow.edges = {to(2)};
  const ServiceGraph g = graph({ready_in(service("a"), seconds(30)), slow, fast, top});
  const Plan plan = make_plan(g);
  CHECK(plan.start_path == Path{2, 1, 3});
  CHECK(plan.start_time == seconds(43));
  CHECK(plan.starts[3].level == 2);
  CHECK(plan.unbounded.empty());
}

TEST_CASE("what is not wanted at boot takes no part in the start, and what it orders neither", "[plan]") {
  Service off = ready_in(service("a"), seconds(90));
  off.autostart = false;
  Service pulled = ready_in(service("b"), seconds(5));
  pulled.autostart = false;
  Service on = service("c");
  on.edges = {to(0, EdgeKind::after), to(1, EdgeKind::wants)};
  const Plan plan = make_plan(graph({off, pulled, on}));
  CHECK_FALSE(plan.starts[0].at_boot);
  CHECK(plan.starts[1].at_boot);
  CHECK(plan.start_time == seconds(5));
}

TEST_CASE("a bundle that is wanted at boot brings its contents", "[plan]") {
  Service all = service("a", ServiceType::bundle), b = ready_in(service("b"), seconds(3));
  all.autostart = true;
  all.contents = {1};
  b.autostart = false;
  CHECK(make_plan(graph({all, b})).start_time == seconds(3));
}

TEST_CASE("a oneshot without a timeout has no bound", "[plan]") {
  Service bounded = service("b", ServiceType::oneshot);
  bounded.timeout = seconds(7);
  bounded.edges = {to(0)};
  const Plan plan = make_plan(graph({service("a", ServiceType::oneshot), bounded}));
  CHECK(plan.unbounded == Path{0});
  CHECK(plan.start_path == Path{1});
  CHECK(plan.start_time == seconds(7));
}

TEST_CASE("a producer waits for its logger's spawn alone, at most 5 seconds", "[plan]") {
  Service setup = service("setup", ServiceType::oneshot), log = ready_in(service("log"), seconds(60));
  log.edges = {to(2)};
  Service producer = service("main");
  producer.edges = {to(0, EdgeKind::log_to)};
  setup.timeout = seconds(3);
  CHECK(make_plan(graph({log, producer, setup})).starts[1].ready == seconds(3));
  setup.timeout = seconds(30);
  CHECK(make_plan(graph({log, producer, setup})).starts[1].ready == seconds(5));
}

TEST_CASE("cleanup comes before the start and after the stop", "[plan]") {
  Service a = stops_in(ready_in(service("a"), seconds(10)), seconds(2));
  a.cleanup = {literal("/bin/clean")};
  const Plan plan = make_plan(graph({a}));
  CHECK(plan.start_time == seconds(12));
  CHECK(plan.stop_time == seconds(4));
}

TEST_CASE("written stop timeouts are kept, others are cut for what follows", "[plan]") {
  Service top = service("c"), middle = stops_in(service("b"), seconds(4)), base = service("a");
  top.edges = {to(1)};
  middle.edges = {to(0)};
  const Plan plan = make_plan(graph({base, middle, top}));
  CHECK(plan.reserve == Milliseconds(1'500));
  CHECK(plan.stops[2].own == Milliseconds(2'500));  // 7.5 s less 4 s written and 1 s that is not
  CHECK(plan.stops[1].own == seconds(4));
  CHECK(plan.stops[0].own == seconds(1));
  CHECK(plan.stop_path == Path{2, 1, 0});
  CHECK(plan.stop_time == Milliseconds(7'500));
  CHECK(plan.written_path == Path{1});
  CHECK(plan.fits());
}

TEST_CASE("where nothing would be left, an even share", "[plan]") {
  Service top = service("b"), base = stops_in(service("a"), seconds(20));
  top.edges = {to(0)};
  const Plan plan = make_plan(graph({base, top}));
  CHECK(plan.stops[1].own == Milliseconds(3'750));
  CHECK(plan.stops[0].own == Milliseconds(3'750));
  CHECK(plan.written_time == seconds(20));
  CHECK_FALSE(plan.fits());
}

TEST_CASE("the reserve is a quarter of a short deadline", "[plan]") {
  ServiceGraph g = graph({service("a")});
  g.node.stop_deadline = seconds(4);
  const Plan plan = make_plan(g);
  CHECK(plan.reserve == seconds(1));
  CHECK(plan.stop_time == seconds(3));
}

TEST_CASE("loggers and what they need stop in the reserve", "[plan]") {
  Service log = stops_in(service("a"), seconds(60)), main = stops_in(service("b"), seconds(5)), base = service("c");
  log.edges = {to(2)};
  main.edges = {to(0, EdgeKind::log_to)};
  const Plan plan = make_plan(graph({log, main, base}));
  CHECK(plan.stops[0].late);
  CHECK(plan.stops[2].late);
  CHECK(plan.stop_time == seconds(5));
  CHECK(plan.written_time == seconds(5));
}

TEST_CASE("a long chain needs no deep stack", "[plan]") {
  std::vector<Service> services;
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    services.push_back(ready_in(service("s" + std::to_string(i)), Milliseconds(1)));
    if (i > 0) services[i].edges = {to(i - 1)};
  }
  const ServiceGraph g = graph(std::move(services));
  const Plan plan = make_plan(g);
  CHECK(plan.start_time == Milliseconds(50'000));
  CHECK(plan.starts[49'999].level == 49'999);
  CHECK(plan_text(g, plan).find("... and 49968 more") != std::string::npos);
}

TEST_CASE("the plan as text", "[plan]") {
  const ServiceGraph g = everything();
  CHECK(plan_text(g, make_plan(g)) == R"(start: what is wanted at boot; each waits for those named, and for nothing else

  level    service   type      at most       waits for
  0        log       longrun   at once       nothing
           setup     oneshot   5s            nothing
           warm      oneshot   no bound      nothing
  1        db        longrun   30s           log, setup
  2        main      longrun   at once       db, log, setup, warm

  not at boot: sweep
  worst start, first attempts: 35s, and what has no bound: warm
    setup     5s            its timeout
    db        30s           its ready timeout

stop: the exact reverse; each waits for those named, and for all their processes

  step     service   type      at most       waits for
  0        main      longrun   2s            nothing
           sweep     periodic  7s500ms       nothing
  1        db        longrun   5s500ms       main
           warm      oneshot   at once       main
  2        setup     oneshot   at once       db, main
  reserve  log       longrun   the reserve   db, main

  stop-deadline 9s (default) less 1s500ms for the sweep and the loggers: 7s500ms
  worst stop: 7s500ms of these 7s500ms
    sweep     7s500ms       default: 10s, cut for what follows and for the deadline
  timeouts that are written down add up to 2s on the longest path: 5s500ms to spare
)");
}

TEST_CASE("the plan as JSON", "[plan]") {
  Service web = ready_in(service("web"), seconds(60));
  web.edges = {to(0)};
  const ServiceGraph g = graph({service("setup", ServiceType::oneshot), web});
  const std::string json = plan_json(g, make_plan(g));
  CHECK(JsonValue::parse(json));
  CHECK(
      json ==
      R"({"start":{"services":[{"name":"setup","level":0,"at_most_ms":null,"waits_for":[]},{"name":"web","level":1,"at_most_ms":60000,"waits_for":["setup"]}])"
      R"(,"path":["web"],"bounded_ms":60000,"unbounded":["setup"]})"
      R"(,"stop":{"services":[{"name":"web","step":0,"in_reserve":false,"at_most_ms":7500,"written":false,"waits_for":[]},{"name":"setup","step":1,"in_reserve":false,"at_most_ms":0,"written":false,"waits_for":["web"]}])"
      R"(,"path":["web"],"longest_ms":7500,"written_path":[],"written_ms":0,"deadline_ms":9000,"reserve_ms":1500,"fits":true}})"
      "\n");
}

TEST_CASE("a stop that does not fit says by how much", "[plan]") {
  Service top = stops_in(service("b"), seconds(5)), base = stops_in(service("a"), seconds(4));
  top.edges = {to(0)};
  const ServiceGraph g = graph({base, top});
  const std::string text = plan_text(g, make_plan(g));
  CHECK(text.substr(text.find("  stop-deadline")) ==
        R"(  stop-deadline 9s (default) less 1s500ms for the sweep and the loggers: 7s500ms
  worst stop: 7s500ms of these 7s500ms
    b         5s            written: 5s
    a         2s500ms       written: 4s, but no more time is left
  WARNING: timeouts that are written down add up to 9s on this path, 1s500ms more than there are:
    b         5s            written
    a         4s            written
)");
}

TEST_CASE("long names and many of them stay within 100 columns", "[plan]") {
  std::vector<Service> services;
  Service last = service(std::string(63, 'z'));
  for (std::uint32_t i = 0; i < 20; ++i) {
    const std::string number = std::to_string(10 + i);
    services.push_back(stops_in(ready_in(service(number + std::string(61, 'x')), seconds(3'723)), seconds(7)));
    last.edges.push_back(to(i));
  }
  services.push_back(last);
  const ServiceGraph g = graph(std::move(services));
  CHECK(widest_line(plan_text(g, make_plan(g))) <= 100);
}

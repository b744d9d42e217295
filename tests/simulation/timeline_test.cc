// The timeline: stretches of states, and the same as text, JSON and picture.
#include "core/simulation/timeline.h"

#include <string>

#include "core/json.h"
#include "core/simulation/scenario.h"
#include "tests/catch.h"
#include "tests/simulation/small_graph.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

// web comes up at 5 ms, crashes at 10 s, is there again a second later, and hangs from 30 s on.
std::vector<Timeline::Stretch> simple() {
  Graph graph;
  graph.notifying("web");
  const Database database = graph.database();
  Timeline timeline(database);
  World world(database, {});
  world.watch(timeline);
  world.crash(10s, 0, {.kind = ExitStatus::Kind::signal, .value = 9, .out_of_memory = false, .memory_limit = 0});
  world.hang(30s, 0);
  world.boot();
  world.run_until(60s);
  timeline.finish(world.now());
  return timeline.stretches(0);
}

TEST_CASE("stretches follow each other without gaps, and what took no time is left out") {
  const std::vector<Timeline::Stretch> found = simple();
  const struct {
    State state;
    Duration from, to;
    bool hangs;
  } expected[] = {{State::starting, 0ms, 5ms, false}, {State::up, 5ms, 10s, false},
                  {State::backoff, 10s, 11s, false},  {State::starting, 11s, 11s + 5ms, false},
                  {State::up, 11s + 5ms, 30s, false}, {State::up, 30s, 60s, true}};
  REQUIRE(found.size() == std::size(expected));
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].state == expected[i].state);
    CHECK(found[i].from == expected[i].from);
    CHECK(found[i].to == expected[i].to);
    CHECK(found[i].hangs == expected[i].hangs);
  }
}

Database web_and_late() {
  Graph graph;
  graph.notifying("web");
  graph.longrun("zoo").autostart = false;
  return graph.database();
}

Timeline crash_of_web(const Database& database, Verdict& verdict) {
  Timeline timeline(database);
  World world(database, {});
  world.watch(timeline);
  inflict(world, parse_fault("web=signal:KILL@10s", database).value());
  world.boot();
  world.run_until(60s);
  timeline.finish(world.now());
  verdict = judge(world);
  return timeline;
}

TEST_CASE("as text it is the runtime's story with times, and a verdict") {
  const Database database = web_and_late();
  Verdict verdict;
  const Timeline timeline = crash_of_web(database, verdict);
  CHECK(as_text(timeline, verdict) ==
        "    0.000s  starting: 2 services are defined\n"
        "    0.001s  web: started, pid 2\n"
        "    0.005s  web: ready after 5ms\n"
        "    0.005s  settled after 5ms\n"
        "   10.000s  fault: ends web\n"
        "   10.000s  web: killed by SIGKILL after 10s, restart 1 of 5 in 1s\n"
        "   11.001s  web: started, pid 3\n"
        "   11.005s  web: ready after 5ms\n"
        "\n"
        "after 1m everything wanted is up\n");
}

TEST_CASE("as JSON it is one object with events and states") {
  const Database database = web_and_late();
  Verdict verdict;
  const Timeline timeline = crash_of_web(database, verdict);
  const std::string text = as_json(timeline, verdict, UINT64_MAX);
  const auto json = JsonValue::parse(text);
  REQUIRE(json.has_value());
  CHECK(json->member("recovered")->boolean() == true);
  CHECK(json->member("exit_code")->is_null());
  CHECK(json->member("seed")->string() == "18446744073709551615");
  CHECK(json->member("end_ms")->integer() == 60'000);
  CHECK(json->member("problems")->text() == "[]");
  std::string_view rest;
  const auto event = json->member("events")->first_element(rest);
  REQUIRE(event.has_value());
  CHECK(event->member("at_ms")->integer() == 0);
  CHECK(event->member("line")->string() == "starting: 2 services are defined");
  const auto service = json->member("services")->first_element(rest);
  REQUIRE(service.has_value());
  CHECK(service->member("name")->string() == "web");
  CHECK(service->member("type")->string() == "longrun");
  std::string states;
  std::string_view more;
  for (auto one = service->member("states")->first_element(more); one; one = JsonValue::next_element(more)) {
    states += one->member("state")->string().value_or("?") + ' ';
  }
  CHECK(states == "starting up backoff starting up ");
}

TEST_CASE("a node that exits has not recovered, and problems are named") {
  Graph graph;
  Service& web = graph.longrun("web");
  web.essential = true;
  web.restart.permanent_codes[42] = true;
  const Database database = graph.database();
  Timeline timeline(database);
  World world(database, {});
  world.watch(timeline);
  inflict(world, parse_fault("web=exit:42@1s", database).value());
  world.boot();
  world.run_until(60s);
  timeline.finish(world.exited_at().time_since_epoch());
  const Verdict verdict = judge(world);
  CHECK(!verdict.recovered);
  CHECK(verdict.exit_code == std::uint8_t{42});
  CHECK(verdict_text(timeline, verdict) == "after 1s the node has exited with 42\n");
  const std::string json = as_json(timeline, verdict, 0);
  CHECK(json.find("\"problems\":[\"the node has exited with 42\"]") != std::string::npos);
  CHECK(JsonValue::parse(json).has_value());
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_CASE("as a picture it has a bar for each service, and needs nothing from outside") {
  const Database database = web_and_late();
  Verdict verdict;
  const std::string svg = as_svg(crash_of_web(database, verdict));
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count(svg, "class=\"down\"") == 2);
  CHECK(count(svg, "<rect class=\"backoff\"") == 2);  // one of them the legend's
  CHECK(svg.find("<title>web backoff, from 10s to 11s</title>") != std::string::npos);
  CHECK(svg.find(">web</text>") != std::string::npos);
  CHECK(svg.find(">zoo</text>") != std::string::npos);
  CHECK(svg.find(">10s</text>") != std::string::npos);  // of the axis
  CHECK(svg.find("prefers-color-scheme:dark") != std::string::npos);
  CHECK(count(svg, "http") == 1);
}

TEST_CASE("a picture of no time at all is one, too") {
  const Database database = web_and_late();
  Timeline timeline(database);
  timeline.finish(0ms);
  CHECK(as_svg(timeline).ends_with("</svg>\n"));
}

}  // namespace
}  // namespace hcrc::simulation

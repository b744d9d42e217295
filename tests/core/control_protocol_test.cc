#include "core/control_protocol.h"

#include <array>
#include <string>
#include <vector>

#include "tests/catch.h"

using namespace hcrc;

namespace {

std::vector<std::string> names(const Request& request) {
  std::vector<std::string> all;
  for (const std::string_view name : request.names) all.emplace_back(name);
  return all;
}

std::string refusal(std::string_view line) {
  const auto request = parse_request(line);
  return request ? "accepted" : std::string(request.error().view());
}

template <typename Value, typename... More>
std::string written(const Value& value) {
  std::array<char, 16384> room;
  JsonLine line(room);
  write(line, value);
  REQUIRE(line.fits());
  return std::string(line.view());
}

std::string result(std::uint8_t code, std::string_view text) {
  std::array<char, 4096> room;
  JsonLine line(room);
  write_result(line, code, text);
  REQUIRE(line.fits());
  return std::string(line.view());
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("What an update does to a service, as a line") {
  std::array<char, 512> room;
  JsonLine line(room);
  write_change(line, "user", "restarted-along", "base");
  CHECK(line.view() == R"({"update":{"name":"user","does":"restarted-along","along_with":"base"}})");
  JsonLine alone(room);
  write_change(alone, "user", "added", "");
  CHECK(alone.view() == R"({"update":{"name":"user","does":"added","along_with":null}})");
}

TEST_CASE("Requests of every verb") {
  CHECK(parse_request("status")->verb == Verb::status);
  CHECK(names(*parse_request("status a b")) == Strings{"a", "b"});
  CHECK(parse_request("list")->verb == Verb::list);
  CHECK(names(*parse_request(" why\tholochain ")) == Strings{"holochain"});
  CHECK(parse_request("health\r")->verb == Verb::health);

  const auto update = parse_request("update /etc/hcrc/node.db --dry-run");
  REQUIRE(update);
  CHECK(update->verb == Verb::update);
  CHECK(update->dry_run);
  CHECK_FALSE(update->no_wait);
  CHECK(names(*update) == Strings{"/etc/hcrc/node.db"});
  CHECK(parse_request("update --no-wait /x")->no_wait);
  CHECK(refusal("update") == "update takes the path of one database, without blanks");
  CHECK(refusal("update /a /b") == "update takes the path of one database, without blanks");
  CHECK(refusal("update /a --now") == "update has no option '--now'");

  const auto start = parse_request("start a --no-wait b");
  REQUIRE(start);
  CHECK(start->verb == Verb::start);
  CHECK(start->no_wait);
  CHECK(names(*start) == Strings{"a", "b"});
  CHECK_FALSE(parse_request("stop a")->no_wait);
  CHECK(parse_request("restart a@1")->names.front() == "a@1");

  CHECK(parse_request("signal a HUP")->signal == 1);
  CHECK(parse_request("signal a SIGRTMIN+3")->signal == 37);
  CHECK(parse_request("signal a 9")->signal == 9);
  CHECK(names(*parse_request("signal a HUP")) == Strings{"a"});

  CHECK(parse_request("wait --down")->wait_for == WaitFor::down);
  CHECK(names(*parse_request("wait a --settled b")) == Strings{"a", "b"});
  CHECK_FALSE(parse_request("shutdown")->exit_code);
  CHECK(parse_request("shutdown --exit-code 255")->exit_code == 255);
}

TEST_CASE("A line that is no request is refused with a sentence") {
  CHECK(refusal("") ==
        "an empty request: one of status, list, why, start, stop, restart, signal, wait, health, update, shutdown");
  CHECK(refusal("stauts").starts_with("no verb 'stauts': one of status, "));
  CHECK(refusal("STATUS").starts_with("no verb 'STATUS'"));
  CHECK(refusal("start") == "start needs the name of a service");
  CHECK(refusal("start --no-wait") == "start needs the name of a service");
  CHECK(refusal("start a --now") == "start has no option '--now'");
  CHECK(refusal("why") == "why needs the name of a service");
  CHECK(refusal("why a b") == "why takes one name");
  CHECK(refusal("health a") == "health takes no name, not 'a'");
  CHECK(refusal("list --all") == "list has no option '--all'");
  CHECK(refusal("status --json") == "status has no option '--json'");
  CHECK(refusal("wait a") == "wait needs one of --up, --down and --settled");
  CHECK(refusal("wait --up --down") == "wait needs one of --up, --down and --settled");
  CHECK(refusal("wait --sideways") == "wait has no option '--sideways'");
  CHECK(refusal("signal a") == "signal needs a name and a signal");
  CHECK(refusal("signal a HUP b") == "signal needs a name and a signal");
  CHECK(refusal("signal a FOO") == "no signal 'FOO': one such as SIGHUP, or its number");
  CHECK(refusal("signal a 0") == "no signal '0': one such as SIGHUP, or its number");
  CHECK(refusal("signal a 65") == "no signal '65': one such as SIGHUP, or its number");
  CHECK(refusal("signal a -9") == "no signal '-9': one such as SIGHUP, or its number");
  CHECK(refusal("shutdown now") == "shutdown takes no name, not 'now'");
  CHECK(refusal("shutdown --exit-code") == "--exit-code needs a number from 0 to 255, not ''");
  CHECK(refusal("shutdown --exit-code 256") == "--exit-code needs a number from 0 to 255, not '256'");
  CHECK(refusal("shutdown --force") == "shutdown has no option '--force'");
  CHECK(refusal(std::string_view("status\0a", 8)) == "a request is one line of plain words");
  CHECK(refusal("status\na") == "a request is one line of plain words");
}

TEST_CASE("A refusal is bounded, however long the word") {
  CHECK(refusal(std::string(16'000, 'x')).size() <= bounds::report_text_bytes);
  CHECK(refusal("start " + std::string(16'000, '-')).size() <= bounds::report_text_bytes);
}

TEST_CASE("Thousands of names are a request like any other") {
  std::string line = "start";
  for (int i = 0; i < 5'000; ++i) line += " n";
  CHECK(parse_request(line)->names.count() == 5'000);
}

TEST_CASE("What can be sent as a name") {
  CHECK(can_be_name("holochain"));
  CHECK(can_be_name("a@b"));
  for (const auto* bad : {"", "-a", "a b", "a\nb", "a\tb"}) CHECK_FALSE(can_be_name(bad));
}

TEST_CASE("The line of a service has every key, null where there is nothing") {
  CHECK(written(ServiceStatus{.name = "setup", .type = ServiceType::oneshot}) ==
        R"({"service":{"name":"setup","type":"oneshot","state":"down","wanted":false,"pid":null,"since":null,"why":null,)"
        R"("restarts":0,"next_start":null,"exit":null,"status":null,"description":null}})");
  CHECK(
      written(ServiceStatus{.name = "a",
                            .state = State::backoff,
                            .wanted = true,
                            .pid = 7,
                            .since = 0,
                            .why = "killed by SIGSEGV",
                            .restarts = 3,
                            .next_start = 1'250,
                            .exit = {.kind = ExitText::Kind::signal, .value = 11},
                            .status = "busy",
                            .description = "the a"}) ==
      R"({"service":{"name":"a","type":"longrun","state":"backoff","wanted":true,"pid":7,"since":"1970-01-01T00:00:00.000Z",)"
      R"("why":"killed by SIGSEGV","restarts":3,"next_start":"1970-01-01T00:00:01.250Z","exit":{"signal":"SIGSEGV"},)"
      R"("status":"busy","description":"the a"}})");
  CHECK(written(ServiceStatus{.name = "a", .exit = {.kind = ExitText::Kind::code, .value = 42}})
            .find(R"("exit":{"code":42})") != std::string::npos);
  CHECK(written(ServiceStatus{.name = "a", .exit = {.kind = ExitText::Kind::signal, .value = 33}})
            .find(R"({"signal":"33"})") != std::string::npos);
}

TEST_CASE("The worst line of a service fits the answer's buffer") {
  const std::string name(bounds::name_bytes, 'n');
  const std::string long_text(100'000, '\x01');  // six bytes each in JSON
  std::array<char, bounds::control_answer_bytes - result_line_bytes> room;
  JsonLine line(room);
  write(line, ServiceStatus{.name = name, .why = long_text, .status = long_text, .description = long_text});
  CHECK(line.fits());
}

TEST_CASE("The line of the node") {
  CHECK(written(NodeStatus{
            .state = "up", .build = 0x12ab, .db = "/etc/hcrc/node.db", .since = 1, .version = "0.1.0", .pid = 1}) ==
        R"({"node":{"state":"up","build":"00000000000012ab","db":"/etc/hcrc/node.db","since":"1970-01-01T00:00:00.001Z",)"
        R"("version":"0.1.0","pid":1}})");
}

TEST_CASE("Results") {
  CHECK(result(0, "") == R"({"result":"ok"})");
  CHECK(result(0, "well") == R"({"result":"ok","text":"well"})");
  CHECK(result(1, "not so") == R"({"result":"failed","code":1,"text":"not so"})");
  CHECK(result(3, "no service named x") == R"({"result":"error","code":3,"text":"no service named x"})");
  CHECK(JsonValue::parse(result(111, std::string(10'000, 'x'))));
  CHECK(result(111, std::string(10'000, '\x01')).size() < result_line_bytes);
}

TEST_CASE("Instants as ISO 8601 and back") {
  CHECK(iso8601(0).view() == "1970-01-01T00:00:00.000Z");
  CHECK(iso8601(-1).view() == "1969-12-31T23:59:59.999Z");
  CHECK(iso8601(1'709'210'096'789).view() == "2024-02-29T12:34:56.789Z");
  CHECK(iso8601(INT64_MAX).view() == "9999-12-31T23:59:59.999Z");
  CHECK(iso8601(INT64_MIN).view() == "0000-01-01T00:00:00.000Z");
  for (const std::int64_t ms :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1'709'210'096'789}, std::int64_t{253'402'300'799'999}}) {
    CHECK(parse_iso8601(iso8601(ms).view()) == ms);
  }
  for (const auto* bad : {"", "2024-02-30T12:34:56.789Z", "2024-02-29T24:34:56.789Z", "2024-02-29 12:34:56.789Z",
                          "2024-02-29T12:34:56.789", "2024-13-29T12:34:56.789Z"}) {
    CHECK_FALSE(parse_iso8601(bad));
  }
}

#include "tools/status_view.h"

#include <string>
#include <string_view>

#include "core/control_protocol.h"
#include "tests/catch.h"

using namespace hcrc;

namespace {

constexpr std::int64_t now_ms = 1'000'000;

void take(StatusView& view, std::string_view line) {
  const auto value = JsonValue::parse(line);
  REQUIRE(value);
  view.take(*value);
}

StatusView sample() {
  StatusView view;
  take(view,
       R"({"node":{"state":"up","build":"00000000000012ab","db":"/etc/hcrc/node.db","since":"1970-01-01T00:08:20.000Z",)"
       R"("version":"0.1.0","pid":1}})");
  take(view,
       R"({"service":{"name":"holochain","type":"longrun","state":"backoff","wanted":true,"pid":null,)"
       R"("since":"1970-01-01T00:16:39.750Z","why":"killed by SIGSEGV, next try in 500ms","restarts":2,)"
       R"("next_start":"1970-01-01T00:16:40.500Z","exit":{"signal":"SIGSEGV"},"status":"3 apps","description":null}})");
  take(view,
       R"({"service":{"name":"logrotate","type":"periodic","state":"up","wanted":true,"pid":4321,)"
       R"("since":"1970-01-01T00:10:00.500Z","why":null,"restarts":0,"next_start":"1970-01-01T01:16:40.000Z","exit":null,)"
       R"("status":null,"description":null}})");
  return view;
}

}  // namespace

TEST_CASE("A status as a table") {
  CHECK(sample().table(now_ms, false) ==
        "node up, running for 8m20s, pid 1, hcrc 0.1.0, /etc/hcrc/node.db build 00000000000012ab\n"
        "\n"
        "SERVICE    STATE    SINCE   PID  RESTARTS  WHY\n"
        "holochain  backoff  250ms     -         2  killed by SIGSEGV, next try in 500ms; says: 3 apps\n"
        "logrotate  up       6m39s  4321         0  next run in 1h\n");
}

TEST_CASE("Orphans have a line of their own, which obeys no name") {
  StatusView view = sample();
  const std::string before = view.fingerprint();
  take(view, R"({"orphan":{"pid":812,"name":"sleep"}})");
  take(view, R"({"orphan":{"pid":913,"name":"a\u001b[2J"}})");
  CHECK(view.table(now_ms, false).ends_with("next run in 1h\n\norphans, which no service owns: 812 sleep, 913 a?[2J\n"));
  CHECK(view.fingerprint() != before);
}

TEST_CASE("Colours do not move the columns") {
  const std::string coloured = sample().table(now_ms, true);
  std::string bare;
  for (std::size_t i = 0; i < coloured.size(); ++i) {
    if (coloured[i] == '\x1b') {
      i = coloured.find('m', i);
    } else {
      bare += coloured[i];
    }
  }
  CHECK(coloured != bare);
  CHECK(bare == sample().table(now_ms, false));
}

TEST_CASE("A status as one JSON object, as the runtime wrote it") {
  StatusView view;
  CHECK(view.json() == R"({"node":null,"services":[],"orphans":[]})");
  take(view, R"({"node":{"state":"up","later":[1,2]}})");
  take(view, R"({"service":{"name":"a"}})");
  take(view, R"({"unknown":1})");
  take(view, R"({"orphan":{"pid":7}})");
  take(view, R"({"service":{"name":"b"}})");
  CHECK(view.json() ==
        R"({"node":{"state":"up","later":[1,2]},"services":[{"name":"a"},{"name":"b"}],"orphans":[{"pid":7}]})");
  CHECK(JsonValue::parse(view.json()));
}

TEST_CASE("A table of a status without services, or with holes, is still one") {
  StatusView view;
  take(view, R"({"node":{"state":"starting"}})");
  CHECK(view.table(now_ms, false) == "node starting\n");
  take(view, R"({"service":{"name":7}})");
  CHECK(view.table(now_ms, false).find("SERVICE") != std::string::npos);
}

TEST_CASE("An instant of another age does no harm") {
  StatusView view;
  take(view, R"({"node":{"state":"up","since":"0719-01-01T00:00:00.000Z"}})");
  take(
      view,
      R"({"service":{"name":"a","state":"up","since":"9999-12-31T23:59:59.999Z","next_start":"9999-12-31T23:59:59.999Z"}})");
  CHECK(view.table(now_ms, false).find("node up, running for ") == 0);
}

TEST_CASE("What a terminal would obey is taken out") {
  CHECK(for_terminal("a\x1b[2Jb\r\n\x7f") == "a?[2Jb???");
  CHECK(for_terminal("\xC2\x9B"
                     "31m \xC2\xA0 \xC3\xBC") == "?31m \xC2\xA0 \xC3\xBC");
  StatusView view;
  take(view, R"({"service":{"name":"a","state":"up","status":"\u001b]0;owned\u0007"}})");
  CHECK(view.table(now_ms, false).find('\x1b') == std::string::npos);
}

TEST_CASE("Time alone changes no fingerprint") {
  StatusView one = sample();
  CHECK(one.fingerprint() == sample().fingerprint());
  take(one, R"({"service":{"name":"c","state":"up"}})");
  CHECK(one.fingerprint() != sample().fingerprint());
}

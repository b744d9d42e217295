#include "core/log/format.h"

#include <string>

#include "core/json.h"
#include "tests/catch.h"

namespace hcrc::log {
namespace {

constexpr std::int64_t instant = 1'767'323'045'678;  // 2026-01-02T03:04:05.678Z

TEST_CASE("a line has its time before it, and the name of its stream") {
  Formatter formatter(Form::text, Timestamp::iso, "");
  formatter.set_time(instant);
  CHECK(formatter.line("", "hello") == "2026-01-02T03:04:05.678Z hello\n");
  CHECK(formatter.line("web", "hello") == "2026-01-02T03:04:05.678Z web: hello\n");
  CHECK(formatter.line("web", "") == "2026-01-02T03:04:05.678Z web: \n");
}

TEST_CASE("milliseconds and seconds follow the clock, backwards too") {
  Formatter formatter(Form::text, Timestamp::iso, "");
  formatter.set_time(instant + 1);
  CHECK(formatter.line("", "x") == "2026-01-02T03:04:05.679Z x\n");
  formatter.set_time(instant + 322);
  CHECK(formatter.line("", "x") == "2026-01-02T03:04:06.000Z x\n");
  formatter.set_time(instant - 1'000);
  CHECK(formatter.line("", "x") == "2026-01-02T03:04:04.678Z x\n");
  formatter.set_time(0);
  CHECK(formatter.line("", "x") == "1970-01-01T00:00:00.000Z x\n");
}

TEST_CASE("without a time, with a prefix") {
  Formatter plain(Form::text, Timestamp::none, "");
  plain.set_time(instant);
  CHECK(plain.line("", "hello") == "hello\n");
  Formatter prefixed(Form::text, Timestamp::none, "node-7 ");
  CHECK(prefixed.line("web", "hello") == "node-7 web: hello\n");
}

TEST_CASE("JSON: one object a line") {
  Formatter formatter(Form::json, Timestamp::iso, "node-7");
  formatter.set_time(instant);
  CHECK(formatter.line("web", "say \"hi\"\t\x01") ==
        R"({"time":"2026-01-02T03:04:05.678Z","prefix":"node-7","service":"web","line":"say \"hi\"\t\u0001"})"
        "\n");
  Formatter bare(Form::json, Timestamp::none, "");
  CHECK(bare.line("", "x") == "{\"line\":\"x\"}\n");
}

TEST_CASE("the longest line, label and escape fit") {
  const std::string worst(line_bytes, '\x01');
  const std::string label(label_bytes, '\x02');
  Formatter formatter(Form::json, Timestamp::iso, label);
  formatter.set_time(instant);
  std::string line(formatter.line(label, worst));
  REQUIRE(line.back() == '\n');
  line.pop_back();
  const auto value = JsonValue::parse(line);
  REQUIRE(value.has_value());
  CHECK(value->member("line")->string() == worst);
  CHECK(value->member("service")->string() == label);
}

TEST_CASE("a label that is too long is cut, the line is whole") {
  const std::string label(label_bytes + 1, 'p');
  Formatter formatter(Form::text, Timestamp::none, label);
  const std::string line(formatter.line(label, std::string(line_bytes, 'x')));
  CHECK(line.size() == 2 * label_bytes + 2 + line_bytes + 1);
  CHECK(line.ends_with("xx\n"));
}

TEST_CASE("bytes that are no text stay in the text form and make valid JSON") {
  Formatter text(Form::text, Timestamp::none, "");
  CHECK(text.line("", "a\xff\xc3") == "a\xff\xc3\n");
  Formatter json(Form::json, Timestamp::none, "");
  CHECK(json.line("", "a\xff\xc3") == "{\"line\":\"a\xEF\xBF\xBD\xEF\xBF\xBD\"}\n");
}

}  // namespace
}  // namespace hcrc::log

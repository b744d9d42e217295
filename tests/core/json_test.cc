#include "core/json.h"

#include <array>
#include <string>

#include "tests/catch.h"

using namespace hcrc;

namespace {

template <typename Write>
std::string written(Write write) {
  std::array<char, 512> room;
  JsonLine line(room);
  write(line);
  REQUIRE(line.fits());
  return std::string(line.view());
}

std::string quoted(std::string_view value, std::size_t limit = SIZE_MAX) {
  return written([&](JsonLine& line) { line.begin_object().text("t", value, limit).end_object(); });
}

bool is_json(std::string_view text) { return JsonValue::parse(text).has_value(); }

}  // namespace

TEST_CASE("A JSON line has its commas where they belong") {
  CHECK(written([](JsonLine& line) { line.begin_object().end_object(); }) == "{}");
  CHECK(written([](JsonLine& line) {
          line.begin_object().begin_object("a").number("n", -5).flag("f", true).end_object();
          line.begin_array("b").element("x").element("y").begin_object().null("z").end_object().end_array();
          line.begin_array("c").end_array().text("d", "e").end_object();
        }) == R"({"a":{"n":-5,"f":true},"b":["x","y",{"z":null}],"c":[],"d":"e"})");
}

TEST_CASE("A JSON line escapes what cannot stand for itself") {
  CHECK(quoted("a\"b\\c\n\t\r") == R"({"t":"a\"b\\c\n\t\r"})");
  CHECK(quoted(std::string_view("\0\x1b[31m\x7f", 7)) == R"({"t":"\u0000\u001b[31m\u007f"})");
  CHECK(quoted("Grüße \xF0\x9F\x98\x80") == "{\"t\":\"Grüße \xF0\x9F\x98\x80\"}");
}

TEST_CASE("Bytes that are no UTF-8 become replacement characters") {
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(quoted("a\xFFz") == "{\"t\":\"a" + bad + "z\"}");
  CHECK(quoted("\xC0\xAF") == "{\"t\":\"" + bad + bad + "\"}");                      // overlong
  CHECK(quoted("\xED\xA0\x80") == "{\"t\":\"" + bad + bad + bad + "\"}");            // a surrogate
  CHECK(quoted("\xF4\x90\x80\x80") == "{\"t\":\"" + bad + bad + bad + bad + "\"}");  // beyond U+10FFFF
  CHECK(quoted("\xE2\x82") == "{\"t\":\"" + bad + bad + "\"}");                      // cut off
}

TEST_CASE("A text longer than its limit ends with a whole character and three dots") {
  CHECK(quoted("abcdef", 6) == R"({"t":"abcdef"})");
  CHECK(quoted("abcdefg", 6) == R"({"t":"abcdef..."})");
  CHECK(quoted("aaa\xE2\x82\xAC", 5) == R"({"t":"aaa..."})");
  CHECK(cut_at_character("aaa\xE2\x82\xAC", 6) == "aaa\xE2\x82\xAC");
  CHECK(cut_at_character("\x80\x80\x80\x80\x80\x80", 5).size() >= 2);  // no UTF-8 anyway: cut somewhere
}

TEST_CASE("A line that does not fit says so, whatever the room") {
  for (std::size_t room = 0; room < 18; ++room) {
    std::array<char, 18> bytes;
    JsonLine line(std::span<char>(bytes).first(room));
    line.begin_object().text("name", "holo").end_object();  // {"name":"holo"}: 15 bytes
    CHECK(line.fits() == (room >= 15));
  }
}

TEST_CASE("The reader takes JSON and nothing else") {
  for (const auto* good :
       {"{}", "[]", " {\"a\" : [1, -2.5e+3, true, false, null, \"\\u00e9\\n\"] } ", "0", "\"\"", "-0", "1e9"}) {
    CAPTURE(good);
    CHECK(is_json(good));
  }
  for (const auto* bad :
       {"",   " ",   "{",  "}",       "{\"a\"}",     "{\"a\":}", "{a:1}", "{\"a\":1,}", "[1,]", "[1 2]", "01",  "1.",
        "+1", "tru", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\n\"",   "{} {}", "nul",        "-",    "1e",    "\"\\"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_json(bad));
  }
  CHECK(is_json(std::string(16, '[') + std::string(16, ']')));
  CHECK_FALSE(is_json(std::string(17, '[') + std::string(17, ']')));
  CHECK_FALSE(is_json(std::string(1'000'000, '[')));
}

TEST_CASE("The reader finds members, strings and numbers") {
  const auto value =
      JsonValue::parse(R"( {"a":{"b":[1,"two",{}]}, "t\u0061b":"x\ty", "n":-9223372036854775808, "f":1.5, "z":null} )");
  REQUIRE(value);
  CHECK(value->member("tab")->string() == "x\ty");
  CHECK(value->member("n")->integer() == INT64_MIN);
  CHECK_FALSE(value->member("f")->integer());
  CHECK_FALSE(value->member("f")->string());
  CHECK(value->member("z")->is_null());
  CHECK_FALSE(value->member("missing"));
  CHECK_FALSE(value->member("n")->member("x"));

  const auto list = value->member("a")->member("b");
  std::string_view rest;
  const auto first = list->first_element(rest);
  REQUIRE(first);
  CHECK(first->integer() == 1);
  CHECK(JsonValue::next_element(rest)->string() == "two");
  CHECK(JsonValue::next_element(rest)->text() == "{}");
  CHECK_FALSE(JsonValue::next_element(rest));
  CHECK_FALSE(value->first_element(rest));
}

TEST_CASE("The reader decodes what the writer wrote, and pairs of surrogates") {
  const std::string all = [] {
    std::string text;
    for (char c = 1; c < 127; ++c) text += c;
    return text + "ü\xF0\x9F\x98\x80";
  }();
  CHECK(JsonValue::parse(quoted(all))->member("t")->string() == all);
  CHECK(JsonValue::parse(R"("\ud83d\ude00\/\b\f")")->string() == "\xF0\x9F\x98\x80/\b\f");
  CHECK(JsonValue::parse(R"("\ud83dx\ude00\u20ac")")->string() == "\xEF\xBF\xBDx\xEF\xBF\xBD\xE2\x82\xAC");
}

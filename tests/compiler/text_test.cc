// Places, names that are near, what a terminal is shown.
#include <sstream>
#include <string>

#include "compiler/diagnostics.h"
#include "compiler/key_suggestions.h"
#include "compiler/nearest.h"
#include "compiler/secrets.h"
#include "compiler/toml_bounds.h"
#include "compiler/toml_reader.h"
#include "tests/catch.h"
#include "tests/compiler/compile_text.h"

namespace hcrc::compiler {

TEST_CASE("the lines of a file") {
  const SourceFile file("x",
                        "\xEF\xBB\xBF"
                        "one\r\ntwo\n\nfour");
  CHECK(file.line(0).empty());
  CHECK(file.line(1) == "one");
  CHECK(file.line(2) == "two");
  CHECK(file.line(3).empty());
  CHECK(file.line(4) == "four");
  CHECK(file.line(5).empty());
}

TEST_CASE("bytes that are no UTF-8") {
  const auto column = [](std::string_view text) { return first_bad_utf8(text, 0).column; };
  CHECK(first_bad_utf8("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7", 0).line == 0);
  CHECK(column("\xff") == 1);
  CHECK(column("\xc3\xa4\x80") == 2);
  CHECK(column("a\xc0\x80") == 2);          // overlong
  CHECK(column("a\xe0\x80\x80") == 2);      // overlong
  CHECK(column("a\xed\xa0\x80") == 2);      // surrogate
  CHECK(column("a\xf4\x90\x80\x80") == 2);  // beyond U+10FFFF
  CHECK(column("a\xe2\x82") == 2);          // cut off
  CHECK(first_bad_utf8("a\n\xc3\xa4\xff", 0).line == 2);
  CHECK(column("a\n\xc3\xa4\xff") == 2);
}

TEST_CASE("edit distance") {
  CHECK(edit_distance("", "", 3) == 0);
  CHECK(edit_distance("command", "command", 3) == 0);
  CHECK(edit_distance("comand", "command", 3) == 1);
  CHECK(edit_distance("commnad", "command", 3) == 1);
  CHECK(edit_distance("Command", "command", 3) == 0);
  CHECK(edit_distance("kitten", "sitting", 3) == 3);
  CHECK(edit_distance("kitten", "sitting", 2) == 3);
  CHECK(edit_distance("abc", "xyzzy", 1) == 2);
  CHECK(edit_distance("", "ab", 3) == 2);
}

TEST_CASE("the nearest name") {
  NearestName names({"restart", "ready", "stop", "a", "holochain", "holochain-log"});
  CHECK(names.find("restrat") == "restart");
  CHECK(names.find("Holochain") == "holochain");
  CHECK(names.find("holochian-log") == "holochain-log");
  CHECK(names.find("x") == std::nullopt);
  CHECK(names.find("") == std::nullopt);
  CHECK(names.find("something") == std::nullopt);
  CHECK(names.find(std::string(1'000'000, 'x')) == std::nullopt);
  // Equally near: the first in byte order, whatever the order they came in.
  CHECK(NearestName({"ab2", "ab1"}).find("ab3") == "ab1");
  CHECK(NearestName({"ab1", "ab2"}).find("ab3") == "ab1");
}

TEST_CASE("keys and brackets that are too deep for the parser's stack") {
  const auto deep = [](const std::string& text) { return too_deep_place(text, 0).has_value(); };
  std::string key = "a";
  for (int i = 1; i < 16; ++i) key += ".a";
  CHECK(!deep(key + " = 1"));
  CHECK(deep(key + ".a = 1"));
  CHECK(deep("[" + key + " . \"a\"]"));
  CHECK(deep("x = { " + key + ".a = 1 }"));
  CHECK(deep("\"\"." + key + " = 1"));
  CHECK(!deep(key + " = 1\n" + key + " = 1"));
  const std::string dots(100, '.');
  CHECK(!deep("a = \"" + dots + "\" # " + dots + "\nb = '" + dots + "'\nc = \"\"\"\n" + dots + "\\\"\"\"\"\"\nd = '''" +
              dots + "''''\ne = \"\\\"" + dots + "\""));
  CHECK(deep("a = \"x\"\n" + key + ".a = 1"));
  CHECK(!deep("a = " + std::string(64, '[') + std::string(64, ']')));
  CHECK(deep("a = " + std::string(65, '[')));
  CHECK(!deep("a = '" + std::string(65, '[') + "'"));
  const auto place = too_deep_place("# \xc3\xa4\n\xc3\xa4 = " + std::string(65, '['), 3);
  REQUIRE(place);
  CHECK(*place == Place{.file = 3, .line = 2, .column = 69, .length = 1});
}

TEST_CASE("a file of 150,000 dotted parts is refused, and one of a million brackets") {
  std::string parts = "a";
  for (int i = 0; i < 150'000; ++i) parts += ".a";
  for (const std::string& text : {parts + " = 1", "[" + parts + "]", "x = " + std::string(1'000'000, '['),
                                  "x = " + std::string(300'000, '{'), std::string(1'000'000, '[')}) {
    CHECK(codes({{"a", text}}) == "E002");
  }
}

TEST_CASE("texts that break an assertion of the parser's library are syntax errors") {
  for (const char* text :
       {"[=]", "[\f\fready]", "[a.=]", "[[!]]", "a.\xc3\xa9 = 1", "a = [\n\xc3\xa9]", "a\xc3\xa9 = 1", "a = 1 \xc3\xa9"}) {
    INFO(text);
    CHECK(codes({{"a", text}}) == "E001");
  }
}

TEST_CASE("a letter outside of ASCII behind a line that goes on is no blank") {
  CHECK(service_of_text("command = [\"\"\"x\\\n  \xc3\xa9\"\"\"]").command[0].pieces[0].text == "x\xc3\xa9");
}

TEST_CASE("what a terminal is shown holds no command for it") {
  CHECK(harmless("a\x1b[31mb\n\t\x7f\xc2\x9b"
                 "c") == "a\\x1b[31mb\\n\\t\\x7f\\u{9b}c");
  CHECK(harmless("\xe2\x80\xae\xff\xc3\xa4") == "\\u{202e}\\xff\xc3\xa4");
  CHECK(in_quotes(std::string(1'000, 'x')).size() == 77);

  const std::string text = told(compile_files(
      {{"a", "command = [\"x\"]\n\"\\u001b[31m\" = 1\n# \x1b[0m"}, {"b", "x = \"\x1b[31m\""}, {"c", "\xe2\x80\xae = 1\n"}}));
  for (const char byte : text) CHECK((static_cast<unsigned char>(byte) >= 0x20 || byte == '\n'));
  CHECK(text.find("\xe2\x80\xae") == std::string::npos);
}

TEST_CASE("diagnostics are sorted by file, line and column, and those beyond the first thousand are counted") {
  std::string text = "command = [\"x\"]\nsuccess = [";
  for (int i = 0; i < 3'000; ++i) text += "\n[t" + std::to_string(i) + "]";
  text.replace(text.find("success = ["), 11, "");
  const Compiled compiled = compile_files({{"b", text}, {"a", "nice = 1\n"}});
  CHECK(compiled.diagnostics.errors() == 3'001);
  const auto sorted = compiled.diagnostics.sorted();
  REQUIRE(sorted.size() == Diagnostics::kept);
  CHECK(sorted[0].code == Code::missing_command);
  CHECK(std::ranges::is_sorted(sorted, {}, &Diagnostic::place));
  CHECK(sorted.back().place.line == 1'001);
  CHECK(told(compiled).ends_with("2001 more errors are not shown\n"));
}

TEST_CASE("colours are there only where they are asked for") {
  const Compiled compiled = compile_files({{"a", ""}});
  CHECK(told(compiled).find('\x1b') == std::string::npos);
  CHECK(diagnostics_text(compiled.diagnostics, compiled.sources, true).find("\x1b[1;31merror") != std::string::npos);
}

TEST_CASE("what looks like a secret") {
  CHECK(looks_secret("DB_PASSWORD", "hunter2"));
  CHECK(looks_secret("GITHUB_TOKEN", "ghp_0123456789"));
  CHECK(!looks_secret("DB_PASSWORD_FILE", "secrets/db"));
  CHECK(!looks_secret("DB_PASSWORD", "/run/secrets/db"));
  CHECK(!looks_secret("DB_PASSWORD", ""));
  CHECK(!looks_secret("USE_TOKENS", "True"));
  CHECK(!looks_secret("MAX_TOKENS", "40960"));
  CHECK(!looks_secret("HOME", "correct-horse-battery"));
  CHECK(looks_secret("KEY", "-----BEGIN RSA PRIVATE KEY-----\nx"));
  CHECK(looks_secret("correct-horse-battery\n"));
  CHECK(!looks_secret("y\n"));
  CHECK(!looks_secret("yes\n"));
  CHECK(!looks_secret("two words and 3 numbers\n"));
  CHECK(!looks_secret("first=1\nsecond=2\n"));
}

TEST_CASE("places of values count code points, behind a byte order mark and carriage returns") {
  const SourceFile file("x",
                        "\xEF\xBB\xBF"
                        "\"\xc3\xa4\" = 1\r\nb = [ \"\xf0\x9f\x90\xa7\", 22 ]\r\n");
  const auto tree = read_toml(file, 5);
  REQUIRE(tree);
  const auto children_of_root = tree->children(tree->root());
  REQUIRE(children_of_root.size() == 2);
  const SyntaxNode& b = children_of_root[0].key == "b" ? children_of_root[0] : children_of_root[1];
  const SyntaxNode& other = children_of_root[0].key == "b" ? children_of_root[1] : children_of_root[0];
  CHECK(other.key_place == Place{.file = 5, .line = 1, .column = 1, .length = 3});
  CHECK(b.key_place == Place{.file = 5, .line = 2, .column = 1, .length = 1});
  CHECK(tree->children(b)[1].place == Place{.file = 5, .line = 2, .column = 12, .length = 2});
}

TEST_CASE("what other tools call a key") {
  KeySuggestions suggestions;
  std::istringstream names(
      "ExecStart cmd run program entrypoint args depends depends_on dependencies needs PartOf enabled "
      "workdir working_dir cwd chdir environment env_file logger log stdout replicas scale ulimits "
      "conditions if healthcheck WatchdogSec readiness stop_signal kill-signal stop-timeout "
      "stop_grace_period TimeoutStopSec ExecStop ExecStopPost ExecStartPre restart_policy RestartSec "
      "max_retries backoff cron OnCalendar cap_add NoNewPrivileges LimitNOFILE dir");
  for (std::string name; names >> name;) {
    INFO(name);
    CHECK(suggestions.key(false, "", name).find("here") != std::string::npos);
  }
}

}  // namespace hcrc::compiler

#include "compiler/template_text.h"

#include <string>

#include "compiler/program_name.h"
#include "tests/catch.h"

namespace hcrc::compiler {

namespace {

// "(A)" a variable, "(A|b)" one with a default, everything else as it is; "!" before a message.
std::string shown(std::string_view text) {
  const auto parsed = parse_template(text);
  if (!parsed) return "!" + parsed.error().message;
  std::string all;
  for (const TemplatePiece& piece : parsed->pieces) {
    switch (piece.kind) {
      case TemplatePiece::Kind::literal: all += "'" + piece.text + "'"; break;
      case TemplatePiece::Kind::variable: all += "(" + piece.text + ")"; break;
      case TemplatePiece::Kind::variable_or: all += "(" + piece.text + "|" + piece.fallback + ")"; break;
    }
  }
  return all;
}

}  // namespace

TEST_CASE("texts with variables") {
  CHECK(shown("") == "");
  CHECK(shown("plain") == "'plain'");
  CHECK(shown("${A}") == "(A)");
  CHECK(shown("${_a1}${B}") == "(_a1)(B)");
  CHECK(shown("/x/${A:-b}/y") == "'/x/'(A|b)'/y'");
  CHECK(shown("${A:-}") == "(A|)");
  CHECK(shown("${A:-a:-b c/-}") == "(A|a:-b c/-)");
  CHECK(shown("$$") == "'$'");
  CHECK(shown("$${A}") == "'${A}'");
  CHECK(shown("$$${A}") == "'$'(A)");
  CHECK(shown("$$$") == "'$$'");
  CHECK(shown("$A $(x) $") == "'$A $(x) $'");
  CHECK(shown("a$$b") == "'a$b'");
  CHECK(shown("${A:-$$}") == "(A|$)");
  CHECK(shown("${A:-$$$x$}") == "(A|$$x$)");
  CHECK(shown("${A:-$${x}") == "(A|${x)");
  CHECK(shown("{A}") == "'{A}'");
}

TEST_CASE("what is no variable") {
  for (const char* text : {"${", "a${A", "${}", "${1}", "${A-b}", "${A:b}", "${A:=b}", "${A:+b}", "${ A}", "${A }", "${A.b}",
                           "${A:-${B}}", "${A:-x${B}", "${-b}", "${:-b}", "${A:-b", "${A\n}", "${\xc3\x84}"}) {
    INFO(text);
    CHECK(shown(text).starts_with("!"));
  }
}

TEST_CASE("a template that is a plain text") {
  CHECK(*literal_text(*parse_template("a$$b")) == "a$b");
  CHECK(literal_text(*parse_template(""))->empty());
  CHECK(literal_text(*parse_template("${A}")) == nullptr);
  CHECK(*literal_text(literal_template("${A}")) == "${A}");
}

TEST_CASE("which program a word can be") {
  const auto can_be = [](std::string_view word) { return may_be_program(*parse_template(word), "hcrc-log"); };
  CHECK(can_be("hcrc-log"));
  CHECK(can_be("/usr/bin/hcrc-log"));
  CHECK(can_be("${BIN:-/usr/bin}/hcrc-log"));
  CHECK(can_be("${BIN}/hcrc-log"));
  CHECK(can_be("${LOGGER}"));
  CHECK(can_be("${LOGGER:-hcrc-log}"));
  CHECK(!can_be("cat"));
  CHECK(!can_be("/hcrc-log/cat"));
  CHECK(!can_be("${BIN}/cat"));
  CHECK(!can_be("${LOGGER:-cat}"));
}

}  // namespace hcrc::compiler

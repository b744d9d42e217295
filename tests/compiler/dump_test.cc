// A database back as definitions, and those as the same database.
#include "compiler/dump.h"

#include <string>

#include "compiler/dump_folder.h"
#include "compiler/template_text.h"
#include "compiler/toml_text.h"
#include "core/database_writer.h"
#include "tests/catch.h"
#include "tests/compiler/golden_folders.h"
#include "tests/compiler/random_definitions.h"

namespace hcrc::compiler {

namespace {

ServiceGraph compiled_again(const std::vector<DumpedFile>& files) {
  std::vector<TextFile> texts;
  for (const DumpedFile& file : files) texts.push_back({file.name.substr(0, file.name.find(".toml")), file.text});
  return graph_of(texts);
}

// Through the bytes, as the command goes.
void check_round_trip(const ServiceGraph& graph) {
  const auto bytes = write_database(graph);
  REQUIRE(bytes);
  const auto files = dump(Database::load(*bytes)->graph());
  INFO(dump_text(files));
  const auto again = write_database(compiled_again(files));
  REQUIRE(again);
  REQUIRE(*again == *bytes);
  REQUIRE(same_again(files, graph));
  REQUIRE(dump_text(dump(compiled_again(files))) == dump_text(files));
}

std::string dumped(const std::vector<TextFile>& files) { return dump_text(dump(graph_of(files))); }

}  // namespace

TEST_CASE("a dump is what a person would write, in the order of the key table") {
  CHECK(dumped({{"web",
                 "wants = [\"db\"]\nrequires = [\"db\", \"log\"]\ncommand = [\"/usr/bin/web\", \"${PORT:-80}\"]\nautostart "
                 "= true\n"
                 "log-to = \"log\"\n[limits]\ncore = 0\nas = \"2G\"\nnofile = { soft = 5, hard = \"unlimited\" }\n[stop]\n"
                 "timeout = \"10s\"\n[restart]\nattempts = 5\nfactor = 1.50\n[env]\nB = \"1\"\n\"a.b\" = \"\"\n"},
                {"db", "type = \"oneshot\"\ncommand = [\"db\"]\nbefore = [\"log\"]\n"},
                {"log", "command = [\"hcrc-log\"]\n[restart]\nattempts = 5\n"},
                {"all", "type = \"bundle\"\ncontents = [\"web\"]\n"},
                {"node", "stop-deadline = \"90s\"\n"}}) == R"(# node.toml
stop-deadline = "1m30s"

# all.toml
type = "bundle"
contents = ["web"]

# db.toml
type = "oneshot"
command = ["db"]

# log.toml
type = "longrun"
command = ["hcrc-log"]
after = ["db"]

[restart]
attempts = 5

# web.toml
type = "longrun"
command = ["/usr/bin/web", "${PORT:-80}"]
requires = ["db", "log"]
wants = ["db"]
log-to = "log"

[env]
B = "1"
"a.b" = ""

[restart]
factor = 1.5

[stop]
timeout = "10s"

[limits]
nofile = { soft = 5, hard = "unlimited" }
core = 0
as = "2G"
)");
}

TEST_CASE("instances are folded into one definition") {
  const std::string two = "command = [\"x\"]\ninstances = [\"a\", \"b\"]\n";
  CHECK(
      dumped({{"w", two + "requires = [\"v@\"]\nwants = [\"v@b\", \"u\"]\n"}, {"v", two}, {"u", two}}) ==
      "# u.toml\ntype = \"longrun\"\ncommand = [\"x\"]\ninstances = [\"a\", \"b\"]\n\n"
      "# v.toml\ntype = \"longrun\"\ncommand = [\"x\"]\ninstances = [\"a\", \"b\"]\n\n"
      "# w.toml\ntype = \"longrun\"\ncommand = [\"x\"]\nrequires = [\"v@\"]\nwants = [\"u\", \"v@b\"]\ninstances = [\"a\", "
      "\"b\"]\n");
  // What only the other side can say stays there.
  const std::string first = dumped({{"v", two + "before = [\"w@a\"]\n"}, {"w", two}});
  CHECK(first.find("before = [\"w@a\"]") != std::string::npos);
  const std::string three = "command = [\"x\"]\ninstances = [\"a\", \"b\", \"c\"]\n";
  const std::string same = dumped({{"v", two + "before = [\"w@\"]\n"}, {"w", three}});
  CHECK(same.find("before = [\"w@\"]") != std::string::npos);
  const std::string all = dumped({{"v", two + "before = [\"w\"]\n"}, {"w", two}});
  CHECK(all.find("before") == std::string::npos);
  CHECK(all.find("after = [\"v\"]") != std::string::npos);
}

TEST_CASE("of instances, only some of which others log to") {
  const std::string loggers = "command = [\"hcrc-log\"]\ninstances = [\"a\", \"b\"]\n[restart]\n";
  for (const char* line :
       {"", "attempts = 5\n", "attempts = \"unlimited\"\n", "max-delay = \"60s\"\n", "max-delay = \"1s\"\n"}) {
    for (const char* which : {"log@a", "log@b"}) {
      check_round_trip(
          graph_of({{"log", loggers + line}, {"w", "command = [\"w\"]\nlog-to = \"" + std::string(which) + "\""}}));
    }
  }
}

TEST_CASE("a dump of every golden example compiles to the same bytes") {
  std::size_t graphs = 0;
  for (const auto& folder : golden_folders()) {
    const Compiled compiled = compile_golden(folder);
    if (!compiled.graph) continue;
    INFO(folder.string());
    check_round_trip(*compiled.graph);
    ++graphs;
  }
  CHECK(graphs > 5);
}

TEST_CASE("a dump of random definitions compiles to the same bytes") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto files = random_definitions(seed, 2 + seed % 12);
    std::string texts;
    for (const TextFile& file : files) texts.append("# " + file.name + "\n" + file.text);
    INFO("seed " << seed << "\n" << texts);
    check_round_trip(graph_of(files));
  }
}

TEST_CASE("what no definitions say is not dumped as something else") {
  ServiceGraph graph = graph_of({{"a", "command = [\"x\"]"}, {"b", "command = [\"x\"]\ninstances = [\"1\", \"2\"]"}});
  CHECK(same_again(dump(graph), graph));
  ServiceGraph other = graph;
  other.node.history = literal_template("/x");
  CHECK_FALSE(same_again(dump(other), other));
  other = graph;
  other.services[3].umask = 0;  // one of two instances
  CHECK_FALSE(same_again(dump(other), other));
  other = graph;
  other.services[0].description = "\xFF";
  CHECK_FALSE(same_again(dump(other), other));
}

TEST_CASE("texts with variables go back into source text") {
  for (const char* source :
       {"", "a", "${A}", "${A:-}", "${A:-b}c", "$$", "$$$${A}", "$x$", "$${A}", "${A:-$${x$$}", "a$$${B}", "$"}) {
    const auto parsed = parse_template(source);
    REQUIRE(parsed);
    INFO(source << " became " << template_source(*parsed));
    CHECK(parse_template(template_source(*parsed)) == *parsed);
  }
  CHECK(template_source(literal_template("echo $HOME")) == "echo $HOME");
  CHECK(template_source(literal_template("$$")) == "$$$");
}

TEST_CASE("texts and keys of TOML") {
  CHECK(toml_text("a\"\\\n\t\x01\x7F") == R"("a\"\\\n\t\u0001\u007F")");
  CHECK(toml_text("ä\u202E\U0001F427\U000E0001") == "\"ä\\u202E\U0001F427\\U000E0001\"");
  CHECK(toml_text("a\xFF") == "\"a\uFFFD\"");
  CHECK(toml_key("A_b-9") == "A_b-9");
  CHECK(toml_key("") == "\"\"");
  CHECK(toml_key("a.b") == "\"a.b\"");
}

}  // namespace hcrc::compiler

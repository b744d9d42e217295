// From definitions to the bytes of a database and back.
#include "core/database.h"

#include "core/database_writer.h"
#include "tests/catch.h"
#include "tests/compiler/compile_text.h"

namespace hcrc::compiler {

TEST_CASE("what the compiler makes, the runtime reads as the same graph") {
  const ServiceGraph graph = graph_of(
      {{"w",
        "command = [\"${BIN:-/bin}/w\", \"\"]\ninstances = [\"2\", \"1\"]\nrequires = [\"all\"]\nlog-to = \"l\"\n"
        "user = 5\ngroups = []\nlock = \"/run/${INSTANCE}\"\nenv = { A = \"$$x${B}\" }\n[stdin]\nfile = \"/x\"\ntext = "
        "\"\"\n"
        "[when]\npath = \"/a\"\nenv-set = [\"B\"]\n[ready]\nexec = [\"/t\"]\n[health]\nhttp = \"a:1\"\nwatchdog = \"1s\"\n"
        "[limits]\ncore = 0\n[security]\ncapabilities = []\n"},
       {"l", "command = [\"hcrc-log\"]\n"},
       {"o", "type = \"oneshot\"\ncommand = [\"o\"]\nbefore = [\"w\"]\ntimeout = \"5s\"\n"},
       {"p", "type = \"periodic\"\ncommand = [\"p\"]\n[schedule]\nevery = \"1h\"\n"},
       {"all", "type = \"bundle\"\ncontents = [\"p\", \"o\"]\nautostart = true\n"},
       {"empty", "type = \"bundle\"\ncontents = []\n"},
       {"node", "stop-deadline = \"20s\"\nsocket-group = \"adm\"\n"}});
  auto bytes = write_database(graph);
  INFO((bytes ? "" : bytes.error().sentence));
  REQUIRE(bytes);
  const auto database = Database::load(std::move(*bytes));
  INFO((database ? "" : database.error().sentence));
  REQUIRE(database);
  CHECK(database->graph() == graph);
}

}  // namespace hcrc::compiler

#include "core/present/drawing.h"

#include <algorithm>
#include <string>

#include "core/present/table.h"
#include "tests/catch.h"
#include "tests/present/graphs.h"

using namespace hcrc;
using namespace hcrc::present;

TEST_CASE("drawn for graphviz", "[drawing]") {
  CHECK(drawing_dot(everything()) == R"(digraph hcrc {
  rankdir=LR;
  node [fontname="sans-serif"];
  edge [fontname="sans-serif", fontsize=10];
  "all" [shape=folder, label="all\nbundle"];
  "db" [shape=box, label="db\nlongrun"];
  "log" [shape=box, label="log\nlongrun"];
  "main" [shape=box, label="main\nessential longrun\nwhen env-not MODE=a\"<b>?\nwhen path /etc/on", peripheries=2, style=dashed];
  "setup" [shape=ellipse, label="setup\noneshot"];
  "sweep" [shape=hexagon, label="sweep\nperiodic"];
  "warm" [shape=ellipse, label="warm\noneshot"];
  "all" -> "main" [style=dotted, arrowhead=none];
  "all" -> "sweep" [style=dotted, arrowhead=none];
  "db" -> "log" [style=solid, color=gray50, arrowhead=odot, label="log-to"];
  "db" -> "setup" [style=solid];
  "main" -> "db" [style=bold, arrowhead=normalnormal, label="binds-to"];
  "main" -> "db" [style=dotted, arrowhead=open, label="after"];
  "main" -> "log" [style=solid, color=gray50, arrowhead=odot, label="log-to"];
  "main" -> "setup" [style=dotted, arrowhead=open, label="after"];
  "main" -> "warm" [style=dashed, label="wants"];
}
)");
}

TEST_CASE("drawn for mermaid", "[drawing]") {
  CHECK(drawing_mermaid(everything()) == R"(flowchart LR
  s0[/"all<br>bundle"/]
  s1["db<br>longrun"]
  s2["log<br>longrun"]
  s3[["main<br>essential longrun<br>when env-not MODE=a#quot;#lt;b#gt;?<br>when path /etc/on"]]
  s4("setup<br>oneshot")
  s5{{"sweep<br>periodic"}}
  s6("warm<br>oneshot")
  s0 -.- s3
  s0 -.- s5
  s1 --o|log-to| s2
  s1 --> s4
  s3 ==>|binds-to| s1
  s3 -.-x|after| s1
  s3 --o|log-to| s2
  s3 -.-x|after| s4
  s3 -.->|wants| s6
  classDef conditional stroke-dasharray: 5 5
  class s3 conditional
)");
}

TEST_CASE("drawn for a terminal", "[drawing]") {
  CHECK(drawing_text(everything()) == R"(<all>  bundle
    .... contents  main, sweep
[db]  longrun
    ---> requires  setup
    ---| log-to    log
[log]  longrun
[[main]]  essential longrun
    when env-not MODE=a"<b>?
    when path /etc/on
    ===> binds-to  db
    - -> wants     warm
    ...> after     db, setup
    ---| log-to    log
(setup)  oneshot
{sweep}  periodic
(warm)  oneshot
)");
}

TEST_CASE("a long list is broken within 100 columns, a long condition is cut", "[drawing]") {
  std::vector<Service> services;
  Service last = service("z");
  last.conditions = {{.kind = ConditionKind::path, .name = "", .value = literal(std::string(5'000, '/'))}};
  for (std::uint32_t i = 0; i < 40; ++i) {
    services.push_back(service(std::to_string(10 + i) + std::string(i % 61, 'x')));
    last.edges.push_back(to(i));
  }
  services.push_back(last);
  const std::string text = drawing_text(graph(std::move(services)));
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    CHECK(end - begin <= columns);
    begin = end + 1;
  }
}

TEST_CASE("text is wrapped at blanks, and words that are too long anywhere", "[table]") {
  std::string out = "12 ";
  put_wrapped(out, std::string(98, 'a') + " " + std::string(3, 'b'), 2);
  CHECK(out == "12 " + std::string(97, 'a') + "\n  a bbb");
  CHECK(visible("a\x1b[0m\n\x7f") == "a?[0m??");
  CHECK(listed({}, 3) == "nothing");
  CHECK(listed({"a", "b", "c"}, 2) == "a, b and 1 more");
}

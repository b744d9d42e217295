// Layers, instances, bundles, `before`, loggers: what becomes of names.
#include <algorithm>
#include <string>

#include "tests/catch.h"
#include "tests/compiler/compile_text.h"

namespace hcrc::compiler {

namespace {

const std::string c = "command = [\"x\"]\n";

std::string bundle(const std::string& contents) { return "type = \"bundle\"\ncontents = [" + contents + "]\n"; }

std::string contents_of(const ServiceGraph& graph, std::string_view name) {
  std::string all;
  for (const std::uint32_t index : find_service(graph, name).contents) {
    all.append(all.empty() ? "" : " ").append(graph.services[index].name);
  }
  return all;
}

}  // namespace

TEST_CASE("a later folder merges key by key") {
  const ServiceGraph graph = graph_of({{"s", c + "nice = 1\nrequires = [\"a\"]\nenv = { A = \"1\", B = \"2\" }\n"
                                                 "[limits]\nnofile = { soft = 1, hard = 9 }\ncore = 5\n"
                                                 "[when]\nenv = { X = \"1\" }\n[stop]\ntimeout = \"1s\"\n"},
                                       {"a", c},
                                       {"b", c},
                                       {"s",
                                        "override = \"merge\"\nrequires = [\"b\"]\nenv = { B = \"3\", C = \"4\" }\n"
                                        "[limits]\nnofile = { soft = 2 }\ncore = { soft = 1, hard = 2 }\n"
                                        "[when]\nenv = { Y = \"2\" }\n[stop]\nsignal = \"HUP\"\n",
                                        1}});
  const Service& service = find_service(graph, "s");
  CHECK(service.nice == 1);
  CHECK(edges(graph) == "s requires b");
  REQUIRE(service.environment.size() == 3);
  CHECK(service.environment[1].value.pieces[0].text == "3");
  CHECK(service.limits == std::vector<Limit>({{LimitKind::nofile, 2, 9}, {LimitKind::core, 1, 2}}));
  CHECK(service.conditions.size() == 2);
  CHECK(service.stop.timeout == Milliseconds(1'000));
  CHECK(service.stop.signal == signals::sighup);
}

TEST_CASE("a later folder replaces, adds, and is replaced itself") {
  const ServiceGraph graph = graph_of({{"s", c + "nice = 1\n"},
                                       {"s", "override = \"replace\"\ntype = \"oneshot\"\n" + c, 1},
                                       {"t", c, 1},
                                       {"s", "override = \"merge\"\nnice = 3\n", 2},
                                       {"node", "stop-deadline = \"5s\"\n"},
                                       {"node", "override = \"merge\"\nsocket-group = \"adm\"\n", 2}});
  CHECK(graph.services.size() == 2);
  CHECK(find_service(graph, "s").type == ServiceType::oneshot);
  CHECK(find_service(graph, "s").nice == 3);
  CHECK(graph.node.stop_deadline == Milliseconds(5'000));
  CHECK(graph.node.socket_group);
}

TEST_CASE("what a later folder replaces is not judged together with the rest") {
  CHECK(codes({{"s", c + "timeout = \"5s\"\n"}, {"s", "override = \"replace\"\n" + c, 1}}).empty());
  CHECK(codes({{"s", c + "timeout = \"5s\"\n"}, {"s", "override = \"merge\"\ntype = \"oneshot\"\n", 1}}).empty());
  CHECK(codes({{"s", c}, {"s", c, 1}}) == "E007");
  CHECK(codes({{"s", c + "[ready]\nnotify = true\n"}, {"s", "override = \"merge\"\n[ready]\nfd = 4\n", 1}}) == "E043");
  // Whether a file that cannot be read overrides is not known.
  CHECK(codes({{"s", c}, {"s", "x = \n", 1}}) == "E001");
}

TEST_CASE("instances are services of their own, and their name a bundle") {
  const ServiceGraph graph = graph_of({{"w", c + "instances = [\"2\", \"1\"]\nautostart = false\ndescription = \"d\"\n"
                                                 "requires = [\"db@\", \"x\"]\n"},
                                       {"db", c + "instances = [\"1\", \"2\", \"3\"]\n"},
                                       {"x", c},
                                       {"y", c + "after = [\"w\"]\nwants = [\"w@2\"]\n"}});
  CHECK(graph.services.size() == 9);
  CHECK(std::ranges::is_sorted(graph.services, {}, &Service::name));
  CHECK(edges(graph) ==
        "w@1 requires db@1, w@1 requires x, w@2 requires db@2, w@2 requires x, y after w@1, y wants w@2, y after w@2");
  CHECK(contents_of(graph, "w") == "w@1 w@2");
  CHECK(find_service(graph, "w").type == ServiceType::bundle);
  CHECK(find_service(graph, "w").description == "d");
  CHECK(!find_service(graph, "db").autostart);
  CHECK(find_service(graph, "db@1").autostart);
  CHECK(!find_service(graph, "w@1").autostart);
  CHECK(find_service(graph, "w@1").instance == "1");
}

TEST_CASE("instances may depend on each other by name") {
  CHECK(edges(graph_of({{"w", c + "instances = [\"a\"]\n"}, {"v", c + "log-to = \"w@a\"\n"}})) == "v log-to w@a");
  CHECK(edges(graph_of({{"w", c + "instances = [\"a\", \"b\"]\nlog-to = \"l@\"\n"},
                        {"l", "command = [\"hcrc-log\"]\ninstances = [\"a\", \"b\"]\n"}})) ==
        "w@a log-to l@a, w@b log-to l@b");
}

TEST_CASE("bundles are flattened, and stand for their contents in every edge") {
  const ServiceGraph graph = graph_of({{"all", bundle("\"inner\", \"a\", \"w\"")},
                                       {"inner", bundle("\"b\", \"a\"") + "autostart = true\n"},
                                       {"a", c},
                                       {"b", c},
                                       {"w", c + "instances = [\"1\"]\n"},
                                       {"first", c + "before = [\"inner\"]\n"},
                                       {"last", c + "requires = [\"all\"]\nafter = [\"a\"]\n"}});
  CHECK(contents_of(graph, "all") == "a b w@1");
  CHECK(contents_of(graph, "inner") == "a b");
  CHECK(find_service(graph, "inner").autostart);
  CHECK(edges(graph) == "a after first, b after first, last requires a, last after a, last requires b, last requires w@1");
}

TEST_CASE("a logger is tried again for ever, and soon") {
  const std::string logger = "command = [\"hcrc-log\"]\n";
  const auto restart_of = [](const std::vector<TextFile>& files) { return find_service(graph_of(files), "l").restart; };
  RestartRule rule = restart_of({{"l", logger}, {"a", c + "log-to = \"l\"\n"}});
  CHECK(rule.attempts == RestartRule::unlimited);
  CHECK(rule.max_delay == Milliseconds(1'000));
  rule = restart_of({{"l", logger + "[restart]\nattempts = 3\nmax-delay = \"9s\"\n"}, {"a", c + "log-to = \"l\"\n"}});
  CHECK(rule.attempts == 3);
  CHECK(rule.max_delay == Milliseconds(9'000));
  rule = restart_of({{"l", logger}});
  CHECK(rule.attempts == 5);
  CHECK(rule.max_delay == Milliseconds(60'000));
}

TEST_CASE("the same definitions make the same graph in any order and under any folder") {
  std::vector<TextFile> files{{"w", c + "instances = [\"2\", \"1\"]\nrequires = [\"x\", \"b\"]\n"},
                              {"b", bundle("\"x\", \"y\"")},
                              {"x", c + "env = { B = \"1\", A = \"2\" }\n"},
                              {"y", c + "before = [\"w\"]\nafter = [\"x\"]\n"}};
  const ServiceGraph graph = graph_of(files);
  std::ranges::reverse(files);
  for (TextFile& file : files) file.folder = 1;
  CHECK(graph_of(files) == graph);
}

TEST_CASE("one mistake does not bring others along") {
  // A file that cannot be read keeps its name; nobody is told what it does not say.
  CHECK(codes({{"a", "x ="}, {"b", c + "requires = [\"a\", \"a@x\"]\nlog-to = \"a\"\n"}, {"d", bundle("\"a\"")}}) == "E001");
  // A value that is wrong is not missing, too.
  CHECK(codes({{"a", "command = 5\n"}}) == "E022");
  CHECK(codes({{"a", "comand = [\"x\"]\n"}}) == "E020");
  CHECK(codes({{"a", "type = \"longrn\"\ncontents = [\"b\"]\n[schedule]\nevery = \"1h\"\n"}, {"b", c}}) == "E026");
  CHECK(codes({{"a", c + "[restart]\ndelay = \"x\"\nmax-delay = \"5ms\"\n"}}) == "E024");
  CHECK(codes({{"a", c + "[restart]\nattempts = \"none\"\nexhausted = \"hold\"\n"}}) == "E026");
  CHECK(codes({{"a", c + "[restart]\nexhausted = \"none\"\nhold = \"1s\"\n"}}) == "E026");
  // A cycle is reported once, however many services it holds up.
  CHECK(codes({{"a", c + "requires = [\"b\"]\n"}, {"b", c + "requires = [\"a\"]\n"}, {"d", c + "requires = [\"a\"]\n"}}) ==
        "E062");
}

TEST_CASE("names that lead nowhere") {
  CHECK(codes({{"a", c + "requires = [\"\xd0\xb0\", \"../a\", \"a@\", \"@\", \"@a\"]\n"}}) == "E060 E060 E065 E060 E060");
  CHECK(codes({{"a", c + "requires = [\"node\"]\n"}, {"node", ""}}) == "E060");
}

TEST_CASE("a log to instances all of whose names are wrong") {
  CHECK(codes({{"a", "command = [\"x\"]\nlog-to = \"b\""}, {"b", "command = [\"x\"]\ninstances = [\"a b\"]"}}) == "E063 E036");
}

}  // namespace hcrc::compiler

#include "core/runtime/environment.h"

#include "core/runtime/expand.h"
#include "tests/runtime/one_service.h"

using namespace hcrc;
using namespace hcrc::test;

namespace {

Environment environment_of(std::vector<std::string_view> entries) { return Environment(entries); }

std::vector<std::string> entries_of(const Environment& environment) {
  const std::vector<const char*> entries = environment.entries();
  REQUIRE(entries.back() == nullptr);
  return {entries.begin(), entries.end() - 1};
}

ComposedEnvironment compose(const Service& service, const Environment& runtime, const UserVariables* user = nullptr,
                            const std::string& file = {}) {
  const Database database = database_of(service);
  const FileReader read = [&file](const std::string& path) -> OrFailure<std::string> {
    if (path == "/there") return file;
    return failed(Stage::environment_file, ENOENT, path);
  };
  return compose_environment(database, database.service(0), runtime, user, read);
}

std::optional<std::string> expanded(Template source, const Environment& service, const Environment& runtime,
                                    std::string_view instance = {}) {
  Service one = shell_service("true");
  one.command = {std::move(source)};
  const Database database = database_of(one);
  const auto result = expand_all(database, database.service(0).command, {service, runtime, instance});
  if (!result) return std::nullopt;
  return result->front();
}

}  // namespace

TEST_CASE("the first entry of a name counts, and what is no entry is left out") {
  const Environment environment = environment_of({"A=1", "A=2", "=x", "nothing", "B=", "C=a=b"});
  CHECK(entries_of(environment) == std::vector<std::string>{"A=1", "B=", "C=a=b"});
  CHECK(environment.find("B") == std::string_view());
  CHECK_FALSE(environment.find("nothing"));
}

TEST_CASE("a service gets the container's environment without what is the runtime's own") {
  const Environment runtime = environment_of({"PATH=/bin", "HCRC_DB=/x", "HCRC_=", "NOTIFY_SOCKET=/n", "LISTEN_FDS=1",
                                              "LISTEN_ADDRESS=::", "WATCHDOG_USEC=1", "HCRCX=1"});
  const auto composed = compose(shell_service("true"), runtime);
  CHECK(entries_of(composed.environment) == std::vector<std::string>{"HCRCX=1", "LISTEN_ADDRESS=::", "PATH=/bin"});
  CHECK_FALSE(composed.failure);
}

TEST_CASE("later parts of the environment go over earlier ones") {
  Service service = shell_service("true");
  service.environment = {{"LOGNAME", literal("from env")}};
  service.environment_files = {literal("/there")};
  const Environment runtime = environment_of({"HOME=/root", "USER=root", "LOGNAME=root", "A=container"});
  const UserVariables user{.home = "/home/web", .name = "web"};
  const auto composed = compose(service, runtime, &user, "USER=from file\nA=from file\n");
  CHECK(entries_of(composed.environment) ==
        std::vector<std::string>{"A=from file", "HOME=/home/web", "LOGNAME=from env", "USER=from file"});
}

TEST_CASE("env-clear leaves only what is the service's own") {
  Service service = shell_service("true");
  service.environment_clear = true;
  service.environment = {{"B", Template{.pieces = {variable("A")}}}};
  // Variables are still looked up in the runtime's environment.
  const auto composed = compose(service, environment_of({"A=1", "C=2"}));
  CHECK(entries_of(composed.environment) == std::vector<std::string>{"B=1"});
}

TEST_CASE("values of [env] see the environment as it is before [env]") {
  Service service = shell_service("true");
  service.environment = {{"A", Template{.pieces = {variable("A"), piece("+")}}}, {"B", Template{.pieces = {variable("A")}}}};
  const auto composed = compose(service, environment_of({"A=1"}));
  CHECK(entries_of(composed.environment) == std::vector<std::string>{"A=1+", "B=1"});
}

TEST_CASE("a variable of [env] that cannot be filled in is named, and the others are there") {
  Service service = shell_service("true");
  service.environment = {{"A", Template{.pieces = {variable("MISSING")}}}, {"B", literal("2")}};
  const auto composed = compose(service, environment_of({}));
  REQUIRE(composed.failure);
  CHECK(composed.failure->stage == Stage::variable);
  CHECK(composed.failure->detail == "MISSING is not set and has no default");
  CHECK(entries_of(composed.environment) == std::vector<std::string>{"B=2"});
}

TEST_CASE("a missing environment file is a failure") {
  Service service = shell_service("true");
  service.environment_files = {literal("/missing"), literal("/there")};
  const auto composed = compose(service, environment_of({}), nullptr, "A=1");
  REQUIRE(composed.failure);
  CHECK(composed.failure->stage == Stage::environment_file);
  CHECK(composed.environment.find("A") == std::string_view("1"));
}

TEST_CASE("an environment file has the form of Docker's") {
  Environment environment;
  const Environment runtime = environment_of({"PASSED=on", "HCRC_DB=x"});
  const auto added = add_environment_file(environment,
                                          "\xef\xbb\xbf"
                                          "A=1\r\n"
                                          "  # a comment\n"
                                          "\n"
                                          "\t B= two  \n"
                                          "C=\"quoted\" ${A} # kept\n"
                                          "D=\n"
                                          "PASSED\n"
                                          "UNSET\n"
                                          "E=a=b",
                                          runtime);
  REQUIRE(added);
  CHECK(entries_of(environment) ==
        std::vector<std::string>{"A=1", "B= two  ", "C=\"quoted\" ${A} # kept", "D=", "E=a=b", "PASSED=on"});
}

TEST_CASE("wrong lines of an environment file are named") {
  Environment environment;
  const Environment runtime;
  CHECK(add_environment_file(environment, "A=1\n=x\n", runtime).error().line == 2);
  CHECK(add_environment_file(environment, "A B=1\n", runtime).error().what == "has a blank in its name");
  CHECK(add_environment_file(environment, "A \n", runtime).error().what == "has a blank in its name");
  CHECK(add_environment_file(environment, std::string_view("A=\0x", 4), runtime).error().line == 1);
}

TEST_CASE("variables are looked up in the service's environment, then in the runtime's") {
  const Environment service = environment_of({"A=service", "EMPTY="});
  const Environment runtime = environment_of({"A=runtime", "B=runtime", "EMPTY=full", "HCRC_X=own"});
  CHECK(expanded({{variable("A"), piece("/"), variable("B")}}, service, runtime) == "service/runtime");
  CHECK(expanded({{variable("HCRC_X")}}, service, runtime) == "own");
  CHECK(expanded({{piece("["), variable("EMPTY"), piece("]")}}, service, runtime) == "[]");
  CHECK(expanded({{variable_or("EMPTY", "default")}}, service, runtime) == "default");
  CHECK(expanded({{variable_or("NONE", "default")}}, service, runtime) == "default");
  CHECK(expanded({{variable_or("NONE", "")}}, service, runtime) == "");
  CHECK(expanded({{variable_or("A", "default")}}, service, runtime) == "service");
  CHECK_FALSE(expanded({{piece("x"), variable("NONE")}}, service, runtime));
}

TEST_CASE("INSTANCE is the instance's name, and a variable as any other elsewhere") {
  const Environment service = environment_of({"INSTANCE=variable"});
  const Environment runtime;
  CHECK(expanded({{variable("INSTANCE")}}, service, runtime, "a") == "a");
  CHECK(expanded({{variable("INSTANCE")}}, service, runtime) == "variable");
}

// `hcrc`, the control client: wiring only.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tools/client.h"
#include "tools/command_line.h"
#include "tools/runtime_search.h"
#include "tools/simulate.h"

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace hcrc;
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* finished = std::get_if<Finished>(&parsed)) {
    const bool well = finished->code == exit_code::done;
    std::fprintf(well ? stdout : stderr, "%s%s%s", well ? "" : "hcrc: ", finished->text.c_str(),
                 finished->text.ends_with('\n') ? "" : "\n");
    return finished->code;
  }
  if (const auto* what_if = std::get_if<SimulateCommand>(&parsed)) {
    std::vector<std::string_view> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    return simulate(*what_if, environment);
  }
  const auto& command = std::get<Command>(parsed);
  RuntimeSearch search;
  search.named = command.run_dir.empty() ? variable("HCRC_RUN_DIR") : command.run_dir;
  search.xdg_runtime_dir = variable("XDG_RUNTIME_DIR");
  search.uid = geteuid();
  return run(command, search);
}

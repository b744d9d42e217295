// hcrc-compile: folders of definitions in, a database out (contract, section 3).
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compiler/compile.h"
#include "compiler/database_file.h"
#include "compiler/diagnostic_codes.h"
#include "compiler/dump.h"
#include "compiler/dump_folder.h"
#include "compiler/folder_reader.h"
#include "compiler/present_commands.h"
#include "core/database_writer.h"

namespace hcrc::compiler {

namespace {

// Exit codes (contract, section 3).
constexpr int done = 0, definitions_wrong = 1, usage = 100, system_failure = 111;

struct Options {
  std::string output = "node.db";
  std::vector<std::string> folders;
  std::string explain;
  std::optional<std::string> graph;     // the name of a Drawing
  std::vector<std::string> difference;  // two databases, or none
  std::optional<std::string> dump;      // a database; `folders` then has the folder to dump it into, or nothing
  bool plan = false;
  bool json = false;
  bool check = false;
  bool warnings_are_errors = false;
};

// A console that cannot be written to is nobody's mistake; fmt::print would throw.
void print(std::FILE* stream, const std::string& text) { std::fwrite(text.data(), 1, text.size(), stream); }

int tell(int code, const std::string& text) {
  print(stderr, "hcrc-compile: " + text + "\n");
  return code;
}

// Where descriptors 0 to 2 were closed, nothing that is opened later may come to stand in their place.
void fill_standard_descriptors() {
  while (true) {
    const int fd = ::open("/dev/null", O_RDWR);
    if (fd >= 0 && fd <= 2) continue;
    if (fd > 2) ::close(fd);
    return;
  }
}

// What the words ask for, and what they leave out. The exit code, where that cannot be done.
std::optional<int> check_usage(const Options& options) {
  const bool empty_name = std::ranges::find(options.folders, "") != options.folders.end();
  const bool one_thing =
      options.check + options.plan + options.graph.has_value() + options.dump.has_value() + !options.difference.empty() <= 1;
  if (!one_thing) return tell(usage, "--check, --plan, --graph, --dump and --diff each do one thing: give one of them");
  if (empty_name) return tell(usage, "the name of a folder is empty: see hcrc-compile --help");
  if (!options.difference.empty()) {
    if (options.folders.empty()) return std::nullopt;
    return tell(usage, "--diff takes two databases and no folder: compile first, see hcrc-compile --help");
  }
  if (options.dump) {
    if (options.folders.size() <= 1) return std::nullopt;
    return tell(usage, "--dump takes a database and at most one folder to write into: see hcrc-compile --help");
  }
  if (options.graph && !drawing_named(*options.graph)) {
    return tell(usage, "--graph " + in_quotes(*options.graph) + ": take dot, mermaid, svg or text");
  }
  if (options.json && !options.plan) return tell(usage, "--json tells a plan: give --plan too");
  if (options.output.empty()) return tell(usage, "-o names no file: see hcrc-compile --help");
  if (options.folders.empty()) return tell(usage, "no folder of definitions: see hcrc-compile --help");
  return std::nullopt;
}

// The exit code, where the command line ends the program.
std::optional<int> parse(int argc, const char* const* argv, Options& options) {
  CLI::App app("Compiles folders of service definitions into the database that hcrc-init runs.", "hcrc-compile");
  app.set_version_flag("--version", "hcrc-compile " HCRC_VERSION);
  app.add_option("-o", options.output, "The database to write")->type_name("FILE")->capture_default_str();
  app.add_option("DIR", options.folders, "Folders of definitions; a later one may add and override")->type_name("");
  app.add_flag("--check", options.check, "Diagnose only, write nothing");
  app.add_flag("--plan", options.plan, "Tell the order of start and stop, and their worst times; write nothing");
  app.add_flag("--json", options.json, "With --plan: as JSON");
  app.add_option("--graph", options.graph, "Draw the graph: dot, mermaid, svg (through graphviz) or text; write nothing")
      ->type_name("FORMAT");
  app.add_option("--dump", options.dump,
                 "Tell the definitions that a database was made of; with a DIR, write them into that new folder")
      ->type_name("DB [DIR]");
  app.add_option("--diff", options.difference, "Tell what an update from one database to the other would do")
      ->type_name("OLD.db NEW.db")
      ->expected(2);
  app.add_flag("--werror", options.warnings_are_errors, "Warnings fail, too");
  app.add_option("--explain", options.explain, "Explain a diagnostic, such as E020")->type_name("CODE");
  app.footer("Exit codes: 0 done, 1 the definitions are wrong, 100 usage, 111 system failure.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      app.exit(error);
      return done;
    }
    std::string what = error.what();
    std::ranges::replace(what, '\n', ' ');
    return tell(usage, what + ": see hcrc-compile --help");
  }
  if (!options.explain.empty()) return std::nullopt;
  return check_usage(options);
}

int explain_code(std::string id) {
  std::ranges::transform(id, id.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  const auto code = find_code(id);
  if (!code) {
    return tell(usage, fmt::format("there is no diagnostic {}: its code stands in brackets, as [E020]", in_quotes(id)));
  }
  print(stdout, explain(*code));
  return done;
}

std::string_view advice(int code) {
  switch (code) {
    case EACCES:
    case EPERM: return ": run it as a user who may, or change the permissions";
    case ENOENT:
    case ENOTDIR: return ": check the path";
    case EROFS: return ": write to another place, with -o";
    case ENOSPC:
    case EDQUOT: return ": make room there";
    case 0: return ": name another one";
    default: return ": mend that and try again";
  }
}

int tell(const SystemError& error) { return tell(system_failure, harmless(error.text()) + std::string(advice(error.code))); }

// On a terminal that is not told otherwise (https://no-color.org).
bool has_colours(int fd) {
  const char* terminal = std::getenv("TERM");
  const char* unwanted = std::getenv("NO_COLOR");
  if (unwanted != nullptr && *unwanted != '\0') return false;
  return ::isatty(fd) == 1 && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::uint64_t build_id(std::span<const std::byte> bytes) {
  format::Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header.build_id;
}

// What --plan and --graph print.
int show(const ServiceGraph& graph, const Options& options) {
  if (options.plan) {
    print(stdout, plan_of(graph, options.json));
    return done;
  }
  const auto drawing = drawing_of(graph, *drawing_named(*options.graph));
  if (!drawing) return tell(system_failure, drawing.error());
  print(stdout, *drawing);
  return done;
}

// The end of the program: what it holds goes with it, which is quicker than piece by piece.
[[noreturn]] void leave(int code) {
  std::fflush(nullptr);
  ::_exit(code);
}

int run(const Options& options) {
  Input input{.folders = options.folders, .files = {}};
  for (std::uint32_t i = 0; i < options.folders.size(); ++i) {
    auto files = read_folder(options.folders[i], i);
    if (!files) return tell(files.error());
    input.files.insert(input.files.end(), std::make_move_iterator(files->begin()), std::make_move_iterator(files->end()));
  }
  Compiled compiled = compile(std::move(input));
  std::vector<std::byte> bytes;
  if (compiled.graph) {
    auto written = write_database(*compiled.graph);
    if (written) {
      bytes = std::move(*written);
    } else {
      compiled.diagnostics.add(Code::too_large, {}, written.error().sentence);
    }
  }

  const Diagnostics& diagnostics = compiled.diagnostics;
  const std::string text = diagnostics_text(diagnostics, compiled.sources, has_colours(STDERR_FILENO));
  print(stderr, text);
  const bool fails = diagnostics.errors() > 0 || (options.warnings_are_errors && diagnostics.warnings() > 0);
  if (fails) {
    const std::string warnings = diagnostics.warnings() == 0 ? "" : ", " + counted(diagnostics.warnings(), "warning");
    const std::string errors = counted(diagnostics.errors(), "error") + warnings;
    return tell(definitions_wrong, errors + ": nothing is written; hcrc-compile --explain CODE tells more");
  }

  if (options.plan || options.graph) return show(*compiled.graph, options);
  const std::string services = counted(compiled.graph->services.size(), "service");
  if (options.check) {
    print(stdout, fmt::format("hcrc-compile: {}, nothing wrong\n", services));
    return done;
  }
  if (const auto file = write_database_file(options.output, bytes); !file) return tell(file.error());
  print(stdout, fmt::format("hcrc-compile: {}, {}, build {:016x}\n", services, harmless(options.output), build_id(bytes)));
  leave(done);
}

int tell_or_write_dump(const Options& options) {
  const auto database = read_database_file(*options.dump);
  if (!database && database.error().code != 0) return tell(database.error());
  if (!database) return tell(definitions_wrong, harmless(database.error().text()));
  const ServiceGraph graph = database->graph();
  const std::vector<DumpedFile> files = dump(graph);
  // What comes from hcrc-compile can be written down. Anything else must not come out as what it is not.
  if (!same_again(files, graph)) {
    return tell(
        definitions_wrong,
        harmless(*options.dump) +
            ": cannot be said by definitions: it was not made by hcrc-compile, or one file would have more than 1 MiB");
  }
  if (options.folders.empty()) {
    print(stdout, dump_text(files));
    return done;
  }
  if (const auto written = write_dump(options.folders[0], files); !written) return tell(written.error());
  print(stdout, fmt::format("hcrc-compile: {}, {}\n", counted(files.size(), "file"), harmless(options.folders[0])));
  return done;
}

int tell_difference(const Options& options) {
  const auto told = difference_of(options.difference[0], options.difference[1]);
  if (told) {
    print(stdout, *told);
    return done;
  }
  if (told.error().code != 0) return tell(told.error());
  return tell(definitions_wrong, harmless(told.error().text()));
}

}  // namespace

}  // namespace hcrc::compiler

int main(int argc, char** argv) {
  using namespace hcrc::compiler;
  fill_standard_descriptors();
  Options options;
  if (const auto code = parse(argc, argv, options)) return *code;
  if (!options.difference.empty()) return tell_difference(options);
  if (options.dump) return tell_or_write_dump(options);
  return options.explain.empty() ? run(options) : explain_code(options.explain);
}

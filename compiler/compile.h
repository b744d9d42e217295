// Definitions as a service graph: everything between the text of files and the bytes of a database, as one pure function.
//
//     SourceFile -> syntax tree -> definition -> layers -> names, connections -> checks -> ServiceGraph
//
// Each stage goes on with what is right, so that one run reports all that is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/diagnostics.h"
#include "compiler/limits.h"
#include "compiler/source_file.h"
#include "core/graph.h"

namespace hcrc::compiler {

// What was found where a definition should be.
enum class Found : std::uint8_t {
  file,      // a regular file, or a link to one inside the folder
  link_out,  // a link that leads out of the folder, or to nothing
  folder,    // these are no files
  special,   // a FIFO, a socket, a device
  too_big,   // a file of more than bounds::source_file_bytes
};

struct InputFile {
  std::uint32_t folder = 0;  // index into Input::folders
  std::string name;          // in the folder, as "web.toml"
  std::string text = {};     // of a file
  Found found = Found::file;
};

// Hidden files, README* and folders that are no definitions are not in it: see folder_reader.h.
struct Input {
  std::vector<std::string> folders;  // as the user named them, in the order in which they are laid over each other
  std::vector<InputFile> files;      // in any order
};

struct Compiled {
  Sources sources;
  Diagnostics diagnostics;
  std::optional<ServiceGraph> graph;  // where there are no errors
};

// The order of the files and what the folders are called change nothing in the graph.
Compiled compile(Input input, const Limits& limits = {});

}  // namespace hcrc::compiler

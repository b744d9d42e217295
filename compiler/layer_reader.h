// The first stage of a compilation: each file by itself, read as a definition.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/compile.h"
#include "compiler/definition.h"
#include "compiler/diagnostics.h"
#include "compiler/source_file.h"

namespace hcrc::compiler {

// One file of one folder, read.
struct Layer {
  bool node = false;
  Definition definition;
};

struct Layers {
  std::vector<Layer> all;  // in the order of the files
  Diagnostics diagnostics;
};

// Reads all files, some at the same time. What comes of it depends on neither their number nor the machine.
Layers read_layers(std::span<const InputFile> files, const Sources& sources);

}  // namespace hcrc::compiler

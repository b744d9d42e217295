// What the definitions say about each other, with names resolved.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/definition.h"
#include "compiler/diagnostics.h"
#include "compiler/limits.h"
#include "compiler/names.h"

namespace hcrc::compiler {

enum class ConnectionKind : std::uint8_t { requires_, wants, after, before, binds_to, log_to, contents };

// One name in one list of one service, as it is written: `before` still points the other way, and a bundle is still a
// bundle.
struct Connection {
  std::uint32_t owner = 0;   // the service, or for contents the bundle, whose list it is
  std::uint32_t target = 0;  // what the list names
  ConnectionKind kind{};
  Place place;
};

struct Connections {
  std::vector<Connection> all;  // by owner's definition
  bool complete = true;         // none had to be left out
};

// Reports names that nobody has, services that name themselves, instances that are not there, logs that go to what is no
// longrun, and too many connections; what is wrong is left out. Names of definitions that could not be read are left out
// without a word.
Connections connect(std::span<const Definition> definitions, const NameTable& names, const Limits& limits,
                    Diagnostics& diagnostics);

}  // namespace hcrc::compiler

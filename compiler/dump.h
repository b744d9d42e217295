// A service graph as normalised definitions (hcrc-compile --dump): compiled again, they give the same bytes.
//
// Normalised means that there is one way to write a graph down: keys in the order of the key table, each where its value is
// not what it would be without it (`type` always); lists of names sorted; bundles in lists as what they stand for; `before`
// only where `after` cannot say the same.
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"

namespace hcrc::compiler {

struct DumpedFile {
  std::string name;  // "web.toml"
  std::string text;
};

// node.toml first, where it says anything, then by name. A graph that no definitions lead to (only what did not come from
// the compiler can hold one) becomes files that lead to another one: see same_again().
std::vector<DumpedFile> dump(const ServiceGraph& graph);

// Whether these files compile to this graph.
bool same_again(const std::vector<DumpedFile>& files, const ServiceGraph& graph);

}  // namespace hcrc::compiler

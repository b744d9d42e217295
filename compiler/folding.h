// A service graph as definitions again: instances folded into one definition, edges into lists of names.
//
// In a graph every instance is a service with edges of its own. Those of one definition were written once, for all of them,
// in one of four ways, and each way leaves a pattern in the edges between the instances of two definitions A and B:
//
//     in A: after = ["B@y"]     every instance of A comes after B@y           a column
//     in A: after = ["B@"]      each comes after B's instance of its name     a diagonal
//     in B: before = ["A@x"]    A@x comes after every instance of B           a row
//     in B: before = ["A@"]     each of B has A's instance of its name        the other diagonal
//
// Rows and the other diagonal are for `after` alone: nothing else can be written from the other side. All that a definition
// can say is a union of such patterns, so taking every one that is there gives back the same edges.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/graph.h"

namespace hcrc::compiler {

struct FoldedDefinition {
  std::string name;
  std::vector<std::uint32_t> services = {};  // the one that it is, or its instances
  std::vector<std::string> instances = {};   // empty where there are none
  std::vector<std::string> contents = {};    // names, as in the lists of the language
  std::vector<std::string> requires_ = {}, wants = {}, after = {}, before = {}, binds_to = {}, log_to = {};
};

// Sorted by name. What no definitions can say is left out: whoever needs to know compiles what comes of it.
std::vector<FoldedDefinition> fold(const ServiceGraph& graph);

}  // namespace hcrc::compiler

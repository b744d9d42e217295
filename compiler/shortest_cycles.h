// Cycles of a directed graph, without recursion: one short cycle for every group of nodes that reach each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hcrc::compiler {

struct Arc {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
};

// For each strongly connected component that has a cycle, one of its shortest cycles, as indices of arcs in the order in
// which they are followed. Arcs from a node to itself are not looked at.
//
// A shortest cycle is found by a breadth-first search from every node of the component. All searches together follow at most
// `steps` arcs beyond one search for each component; where that is used up, the shortest of those found so far is taken. So
// it takes time in proportion to the graph, and for every graph that a person wrote the answer is exact.
std::vector<std::vector<std::uint32_t>> shortest_cycles(std::size_t nodes, std::span<const Arc> arcs,
                                                        std::size_t steps = 20'000'000);

// The number of each node's strongly connected component.
std::vector<std::uint32_t> components(std::size_t nodes, std::span<const Arc> arcs);

}  // namespace hcrc::compiler

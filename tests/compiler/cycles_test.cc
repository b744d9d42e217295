#include "compiler/shortest_cycles.h"

#include <algorithm>
#include <random>
#include <vector>

#include "tests/catch.h"

namespace hcrc::compiler {

namespace {

// Distances between all nodes, the slow and obvious way; 0 where there is no way.
std::vector<std::vector<std::size_t>> distances(std::size_t nodes, const std::vector<Arc>& arcs) {
  std::vector distance(nodes, std::vector<std::size_t>(nodes));
  for (const Arc& arc : arcs) {
    if (arc.from != arc.to) distance[arc.from][arc.to] = 1;
  }
  for (std::size_t via = 0; via < nodes; ++via) {
    for (std::size_t a = 0; a < nodes; ++a) {
      for (std::size_t b = 0; b < nodes; ++b) {
        const std::size_t length = distance[a][via] + distance[via][b];
        const bool way = distance[a][via] != 0 && distance[via][b] != 0;
        if (way && (distance[a][b] == 0 || length < distance[a][b])) distance[a][b] = length;
      }
    }
  }
  return distance;
}

}  // namespace

TEST_CASE("random graphs: a shortest cycle for every component that has one") {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    const std::size_t nodes = 1 + random() % 12;
    std::vector<Arc> arcs(random() % (2 * nodes));
    for (Arc& arc : arcs) {
      arc = {.from = static_cast<std::uint32_t>(random() % nodes), .to = static_cast<std::uint32_t>(random() % nodes)};
    }
    const auto distance = distances(nodes, arcs);
    const auto component = components(nodes, arcs);
    for (std::size_t a = 0; a < nodes; ++a) {
      for (std::size_t b = 0; b < nodes; ++b) {
        CHECK((component[a] == component[b]) == (a == b || (distance[a][b] != 0 && distance[b][a] != 0)));
      }
    }

    std::vector<std::size_t> shortest(nodes + 1);  // by component
    for (std::size_t a = 0; a < nodes; ++a) {
      std::size_t& known = shortest[component[a]];
      if (distance[a][a] != 0 && (known == 0 || distance[a][a] < known)) known = distance[a][a];
    }
    const auto cycles = shortest_cycles(nodes, arcs);
    CHECK(static_cast<std::size_t>(std::ranges::count_if(shortest, [](std::size_t length) { return length != 0; })) ==
          cycles.size());
    for (const auto& cycle : cycles) {
      CHECK(cycle.size() == shortest[component[arcs[cycle[0]].from]]);
      for (std::size_t i = 0; i < cycle.size(); ++i) {
        CHECK(arcs[cycle[i]].to == arcs[cycle[(i + 1) % cycle.size()]].from);
      }
    }
  }
}

TEST_CASE("a ring of a hundred thousand nodes, and a budget that is used up") {
  constexpr std::uint32_t nodes = 100'000;
  std::vector<Arc> arcs;
  for (std::uint32_t i = 0; i < nodes; ++i) arcs.push_back({.from = i, .to = (i + 1) % nodes});
  const auto cycles = shortest_cycles(nodes, arcs, 0);
  REQUIRE(cycles.size() == 1);
  CHECK(cycles[0].size() == nodes);
}

}  // namespace hcrc::compiler

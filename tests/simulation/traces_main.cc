// Prints a hash of the trace of each of some random histories: two builds that print the same tell the same stories.
//
//   simulation-traces FIRST COUNT     one line a seed
//   simulation-traces SEED            the trace itself
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/hash.h"
#include "tests/simulation/script.h"

namespace {

using namespace hcrc;
using namespace hcrc::simulation;

std::string trace_of(std::uint64_t seed) {
  std::string all;
  for (const std::string& line : live(random_script(seed), Watched::without_oracle).trace) all += line + '\n';
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fputs("simulation-traces: FIRST COUNT, or one SEED\n", stderr);
    return 100;
  }
  const std::uint64_t first = std::strtoull(argv[1], nullptr, 10);
  if (argc == 2) {
    std::fputs(trace_of(first).c_str(), stdout);
    return 0;
  }
  const std::uint64_t count = std::strtoull(argv[2], nullptr, 10);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const std::string trace = trace_of(seed);
    Fnv1a64 hash;
    hash.text(trace);
    std::printf("%llu %016llx %zu\n", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(hash.value()),
                trace.size());
  }
  return 0;
}

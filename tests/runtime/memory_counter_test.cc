#include "core/runtime/memory_counter.h"

#include <fcntl.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;
using namespace std::chrono_literals;

namespace {

void write(const std::string& path, std::string_view text) { std::ofstream(path, std::ios::trunc) << text; }

TEST_CASE("each kill that the counter tells of explains one death, for a while") {
  const test::ScratchDir scratch;
  for (const bool unified : {false, true}) {
    const std::string counter = scratch.path() + (unified ? "/memory.events" : "/memory.oom_control");
    const std::string limit = scratch.path() + (unified ? "/memory.max" : "/memory.limit_in_bytes");
    const std::string before =
        unified ? "low 0\nhigh 7\nmax 12\noom 3\noom_kill " : "oom_kill_disable 0\nunder_oom 0\noom_kill ";
    write(counter, before + "5\n");
    write(limit, "67108864\n");
    MemoryCounter memory;
    const Descriptor folder(open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    memory.open(folder.get(), unified);
    REQUIRE_FALSE(memory.explains(Instant(1s)));
    write(counter, before + "7\n");
    const auto first = memory.explains(Instant(2s));
    REQUIRE(first);
    REQUIRE(first->limit == 67'108'864);
    REQUIRE(memory.explains(Instant(2s + 10ms)));
    REQUIRE_FALSE(memory.explains(Instant(2s + 20ms)));
    // One that hit a child of a service explains no later death.
    write(counter, before + "9\n");
    REQUIRE(memory.explains(Instant(3s)));
    REQUIRE_FALSE(memory.explains(Instant(9s)));
    write(counter, before + "10\n");
    write(limit, unified ? "max\n" : "9223372036854771712\n");
    const auto unlimited = memory.explains(Instant(10s));
    REQUIRE(unlimited);
    REQUIRE(unlimited->limit == 0);
  }
}

TEST_CASE("without a counter nothing is explained") {
  MemoryCounter memory;
  REQUIRE_FALSE(memory.explains(Instant(1s)));
  memory.open(-1, true);
  REQUIRE_FALSE(memory.explains(Instant(2s)));
}

}  // namespace

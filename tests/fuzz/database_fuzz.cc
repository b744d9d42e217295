// Any bytes as a database, with the checksums repaired: refused, or safe to walk all through and true to what it says.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/database.h"
#include "core/database_writer.h"
#include "core/present/difference.h"
#include "core/present/drawing.h"
#include "core/present/plan.h"
#include "tests/core/database_surgery.h"

using namespace hcrc;

namespace {

void expect(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> bytes(begin, begin + size);
  // The length is only a number more to get right.
  if (size >= sizeof(format::Header)) {
    const std::uint64_t length = size;
    std::copy_n(reinterpret_cast<const std::byte*>(&length), sizeof length,
                bytes.data() + offsetof(format::Header, file_bytes));
  }
  const auto database = load_sealed(bytes);
  if (!database) {
    expect(!database.error().sentence.empty());
    return 0;
  }
  expect(walk(*database).fault == nullptr);
  const ServiceGraph graph = database->graph();
  const auto again = write_database(graph);
  // A reader does not look for a short text that is there twice: written anew it may be shorter, and never another graph.
  expect(again.has_value() && again->size() <= size);
  expect(Database::load(*again)->graph() == graph);
  const present::Plan plan = present::make_plan(graph);
  expect(!present::plan_text(graph, plan).empty());
  expect(!present::drawing_text(graph).empty());
  expect(!present::difference_text(present::difference(*database, *database)).empty());
  return 0;
}

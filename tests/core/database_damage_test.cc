// Any damage is refused, or harmless: no bytes make the reader, or what works with what it has accepted, step out of bounds.
#include <algorithm>
#include <cstring>

#include "core/bounds.h"
#include "core/database.h"
#include "core/database_writer.h"
#include "tests/catch.h"
#include "tests/core/database_bytes.h"
#include "tests/core/database_fields.h"
#include "tests/core/graph_samples.h"

using namespace hcrc;

namespace {

struct Sweep {
  std::size_t refused = 0;
  std::size_t harmless = 0;
};

// Everything that works on an accepted database, and what has to be true of it then.
void use(const Database& database, std::size_t size) {
  REQUIRE(walk(database).fault == nullptr);
  const ServiceGraph graph = database.graph();
  const auto again = write_database(graph);
  REQUIRE(again.has_value());
  // There is one way to write a graph down; a reader only does not look for a short text that is there twice.
  REQUIRE(again->size() <= size);
  if (again->size() == size)
    REQUIRE(std::equal(again->begin(), again->end(), database.bytes().begin(), database.bytes().end()));
  const auto reloaded = Database::load(*again);
  REQUIRE(reloaded.has_value());
  REQUIRE(reloaded->graph() == graph);
}

// As a hostile supplier would: whatever was changed, the checksums fit again, and so do the services' hashes where possible.
void try_out(DatabaseBytes& bytes, Sweep& sweep) {
  const auto database = load_sealed(bytes.bytes());
  if (!database) {
    ++sweep.refused;
    return;
  }
  ++sweep.harmless;
  use(*database, bytes.bytes().size());
}

template <typename Number>
void damage_words(const DatabaseBytes& whole, const std::vector<Number>& values, Sweep& sweep) {
  DatabaseBytes bytes = whole;
  const std::size_t size = bytes.bytes().size();
  for (std::size_t at = 0; at + sizeof(Number) <= size; at += sizeof(Number)) {
    Number before;
    std::memcpy(&before, bytes.bytes().data() + at, sizeof before);
    std::vector<Number> tried = values;
    tried.push_back(static_cast<Number>(before + 1));
    tried.push_back(static_cast<Number>(before - 1));
    tried.push_back(static_cast<Number>(before ^ Number(Number(1) << (8 * sizeof(Number) - 1))));
    for (const Number value : tried) {
      if (value == before) continue;
      std::memcpy(bytes.bytes().data() + at, &value, sizeof value);
      try_out(bytes, sweep);
      bytes = whole;
    }
  }
}

void damage_all(const ServiceGraph& graph) {
  const DatabaseBytes whole(graph);
  Sweep sweep;
  damage_words<std::uint8_t>(whole, {0, 1, 2, 0x7f, 0xff}, sweep);
  damage_words<std::uint32_t>(whole, {0, 1, 2, 0x7fffffff, UINT32_MAX}, sweep);
  damage_words<std::uint64_t>(whole, {0, 1, INT64_MAX, UINT64_MAX}, sweep);
  CHECK(sweep.refused > sweep.harmless);
}

// A number of 1 to 8 bytes, lowest first.
std::uint64_t number_at(const DatabaseBytes& bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, const_cast<DatabaseBytes&>(bytes).bytes().data() + at, size);
  return value;
}

// What is at the edge of something: of the number itself, of what it counts, of the file.
std::vector<std::uint64_t> nasty_values(const DatabaseBytes& whole, std::uint64_t before, std::size_t size) {
  const std::uint64_t most = size == 8 ? UINT64_MAX : (std::uint64_t{1} << 8 * size) - 1;
  const std::uint64_t length = const_cast<DatabaseBytes&>(whole).bytes().size();
  std::vector<std::uint64_t> values{0,
                                    1,
                                    2,
                                    3,
                                    4,
                                    5,
                                    7,
                                    8,
                                    64,
                                    65,
                                    255,
                                    256,
                                    before + 1,
                                    before - 1,
                                    ~before,
                                    before ^ (most / 2 + 1),
                                    most,
                                    most - 1,
                                    most / 2,
                                    most / 2 + 1,
                                    length,
                                    length - 1,
                                    length + 1,
                                    length / 8,
                                    bounds::services,
                                    bounds::services + 1,
                                    bounds::duration_ms,
                                    bounds::duration_ms + 1};
  for (std::size_t i = 0; i < format::tables; ++i) {
    const auto& entry = const_cast<DatabaseBytes&>(whole).entry(static_cast<format::Table>(i));
    for (const std::uint64_t value : {std::uint64_t{entry.count}, entry.offset, std::uint64_t{entry.count} + 1})
      values.push_back(value);
  }
  for (std::uint64_t& value : values) value &= most;
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::erase(values, before);
  return values;
}

void damage_field(const DatabaseBytes& whole, std::size_t at, std::size_t size, Sweep& sweep) {
  for (const std::uint64_t value : nasty_values(whole, number_at(whole, at, size), size)) {
    DatabaseBytes bytes = whole;
    std::memcpy(bytes.bytes().data() + at, &value, size);
    try_out(bytes, sweep);
  }
}

void damage_fields(const ServiceGraph& graph) {
  DatabaseBytes whole(graph);
  Sweep sweep;
  for (const RecordField& field : header_fields()) damage_field(whole, field.offset, field.bytes, sweep);
  for (std::size_t i = 0; i < format::tables; ++i) {
    const auto table = static_cast<format::Table>(i);
    const format::TableEntry entry = whole.entry(table);
    // Of texts a few bytes stand for all: another sweep takes every one.
    const std::size_t step = table == format::Table::strings ? 17 : 1;
    for (std::size_t record = 0; record < entry.count; record += step) {
      for (const RecordField& field : record_fields(table)) {
        damage_field(whole, entry.offset + record * entry.record_bytes + field.offset, field.bytes, sweep);
      }
    }
  }
  CHECK(sweep.refused > sweep.harmless);
  CHECK(sweep.harmless > 500);
}

// What the damage tests take for granted of a small database in every run, in a fraction of a second.
ServiceGraph small() {
  ServiceGraph graph = samples::documented();
  graph.services[1].environment = {{.name = "A", .value = samples::text("${B:-c}")}};
  graph.services[1].limits = {{.kind = LimitKind::core, .soft = 0, .hard = 1}};
  graph.services[1].conditions = {{.kind = ConditionKind::env_equals, .name = "A", .value = samples::text("b")}};
  graph.services.insert(graph.services.begin(), samples::service("pair", ServiceType::bundle));
  graph.services[0].contents = {1, 2};
  graph.services[2].edges[0].target = 1;
  return graph;
}

}  // namespace

TEST_CASE("A database with any one byte changed is refused") {
  const DatabaseBytes whole(samples::documented());
  DatabaseBytes bytes = whole;
  for (std::size_t at = 0; at < bytes.bytes().size(); ++at) {
    for (const std::uint8_t flip : std::initializer_list<std::uint8_t>{0x01, 0x10, 0x80, 0xff}) {
      bytes.bytes()[at] ^= std::byte{flip};
      REQUIRE_FALSE(bytes.refusal().empty());
      bytes.bytes()[at] ^= std::byte{flip};
    }
  }
  CHECK(bytes.refusal().empty());
}

TEST_CASE("A database of any shorter length is refused, sealed or not") {
  const DatabaseBytes whole(small());
  DatabaseBytes bytes = whole;
  for (std::size_t length = bytes.bytes().size(); length-- > 0;) {
    bytes.bytes().resize(length);
    REQUIRE_FALSE(bytes.refusal().empty());
    DatabaseBytes sealed = bytes;
    if (length >= sizeof(format::Header)) sealed.header().file_bytes = length;
    REQUIRE_FALSE(sealed.refusal_when_sealed().empty());
  }
}

TEST_CASE("A database with any one number changed and the checksums repaired is refused or harmless") {
  const DatabaseBytes whole(small());
  Sweep sweep;
  damage_words<std::uint32_t>(whole, {0, 1, UINT32_MAX}, sweep);
  CHECK(sweep.refused > sweep.harmless);
  CHECK(sweep.harmless != 0);
}

TEST_CASE("The fields of each record leave out nothing and lie over nothing") {
  const auto check = [](const std::vector<RecordField>& fields, std::size_t bytes) {
    std::size_t at = 0;
    for (const RecordField& field : fields) {
      CHECK(field.offset == at);
      at += field.bytes;
    }
    CHECK(at == bytes);
  };
  check(header_fields(), sizeof(format::Header));
  for (std::size_t i = 0; i < format::tables; ++i) {
    check(record_fields(static_cast<format::Table>(i)), format::record_bytes[i]);
  }
}

TEST_CASE("A database with any one field of any record changed and the checksums repaired is refused or harmless") {
  damage_fields(small());
}

// A minute, under a sanitizer: `core-tests "[.long]"`.
TEST_CASE("A database in which every field says something with any one changed is refused or harmless", "[.long]") {
  damage_fields(samples::every_field());
}

TEST_CASE("Random damage with the checksums repaired is refused or harmless") {
  samples::Numbers numbers(0x2545f4914f6cdd1d);
  Sweep sweep;
  const DatabaseBytes whole(samples::every_field());
  for (int round = 0; round < 500; ++round) {
    DatabaseBytes bytes = whole;
    for (std::uint64_t left = 1 + numbers.below(3); left != 0; --left) {
      const std::size_t at = numbers.below(bytes.bytes().size());
      const std::size_t from = numbers.below(bytes.bytes().size());
      const std::size_t length =
          std::min({std::size_t{1} << numbers.below(9), bytes.bytes().size() - at, bytes.bytes().size() - from});
      std::memmove(bytes.bytes().data() + at, bytes.bytes().data() + from, length);
    }
    try_out(bytes, sweep);
  }
  CHECK(sweep.refused != 0);
}

// Minutes, under a sanitizer: `core-tests "[.long]"`.
TEST_CASE("A database with any field changed to any interesting value is refused or harmless", "[.long]") {
  damage_all(small());
  damage_all(samples::every_field());
  for (std::uint64_t seed = 1; seed < 5; ++seed) damage_all(samples::random(seed, 6));
}

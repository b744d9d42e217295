// The bytes of a database, to be damaged and made to look whole again.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "core/database.h"
#include "core/database_hashes.h"
#include "core/database_writer.h"
#include "core/hash.h"
#include "tests/catch.h"

namespace hcrc {

class DatabaseBytes {
 public:
  explicit DatabaseBytes(const ServiceGraph& graph) {
    auto written = write_database(graph);
    REQUIRE(written.has_value());
    bytes_ = std::move(*written);
  }
  explicit DatabaseBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  std::vector<std::byte>& bytes() { return bytes_; }
  format::Header& header() { return *reinterpret_cast<format::Header*>(bytes_.data()); }
  const format::TableEntry& entry(format::Table table) { return header().table[static_cast<std::size_t>(table)]; }
  template <typename Record>
  Record& record(format::Table table, std::size_t index) {
    return reinterpret_cast<Record*>(bytes_.data() + entry(table).offset)[index];
  }
  format::ServiceRecord& service(std::size_t index) { return record<format::ServiceRecord>(format::Table::services, index); }
  format::EdgeRecord& edge(std::size_t index) { return record<format::EdgeRecord>(format::Table::edges, index); }
  format::EdgeRecord& dependent(std::size_t index) { return record<format::EdgeRecord>(format::Table::dependents, index); }

  // Build id and checksum fit the bytes again, as far as there are any: what a hostile supplier would do first.
  void seal() {
    seal_field(offsetof(format::Header, build_id));
    seal_field(offsetof(format::Header, checksum));
  }
  // And the hashes of the services: only where nothing else is wrong with the records.
  void seal_services() {
    const Database records = Database::unchecked(bytes_);
    for (std::uint32_t index = 0; index < records.size(); ++index) {
      const ServiceHashes hashes = service_hashes(records, index);
      service(index).hash_runs = hashes.runs;
      service(index).hash_looked_after = hashes.looked_after;
    }
    seal();
  }

  std::expected<Database, DatabaseError> load() const { return Database::load(bytes_); }
  // Why it is refused; empty where it is not.
  std::string refusal() const {
    const auto database = load();
    return database ? "" : database.error().sentence;
  }
  std::string refusal_when_sealed() {
    seal();
    return refusal();
  }

 private:
  void seal_field(std::size_t field) {
    const std::size_t behind = field + sizeof(std::uint64_t);
    if (bytes_.size() < behind) return;
    Fnv1a64 hash;
    hash.bytes(std::span(bytes_).subspan(behind));
    const std::uint64_t value = hash.value();
    std::memcpy(bytes_.data() + field, &value, sizeof value);
  }

  std::vector<std::byte> bytes_;
};

// Looks at all that the accessors give, so that a sanitizer sees every byte of it; a number, so that nothing is left out.
std::uint64_t walk(const Database& database);

}  // namespace hcrc

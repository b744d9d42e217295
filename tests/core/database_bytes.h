// The bytes of a database, to be damaged and made to look whole again.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/database.h"
#include "core/database_writer.h"
#include "tests/catch.h"
#include "tests/core/database_surgery.h"

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

  void seal() { hcrc::seal(bytes_); }
  void seal_services() { hcrc::seal_services(bytes_); }

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
  std::vector<std::byte> bytes_;
};

}  // namespace hcrc

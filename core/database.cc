#include "core/database.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "core/bounds.h"
#include "core/database_check.h"
#include "core/hash.h"

namespace hcrc {

using format::Header;
using format::Table;

namespace {

static_assert(std::endian::native == std::endian::little, "records are used in place: the format is the machine's own");
static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= format::alignment);

std::unexpected<DatabaseError> refuse(std::string sentence) { return std::unexpected(DatabaseError{std::move(sentence)}); }

std::unexpected<DatabaseError> damaged(std::string_view what) {
  return refuse("is damaged: " + std::string(what) + ": compile the definitions again");
}

// A hash stands in the header and covers every byte behind itself.
std::uint64_t hash_behind(std::span<const std::byte> bytes, std::size_t field) {
  Fnv1a64 hash;
  hash.bytes(bytes.subspan(field + sizeof(std::uint64_t)));
  return hash.value();
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

std::optional<std::string> version_problem(std::uint32_t version) {
  if (version == format::version) return std::nullopt;
  if (std::byteswap(version) == format::version) return "was written in the other byte order: compile the definitions again";
  const std::string ours = std::to_string(format::version);
  std::string sentence = "has format version " + std::to_string(version) + ", and this program reads version " + ours;
  if (version < format::version) return sentence + ": it is older: compile the definitions again with this hcrc-compile";
  return sentence + ": it is newer: install the hcrc it was compiled with";
}

// The tables lie one behind the other, each aligned, up to the end of the file.
std::optional<std::string_view> tables_problem(const Header& header, std::span<const std::byte> bytes) {
  std::size_t end = sizeof(Header);  // of what has been checked
  for (std::size_t i = 0; i < format::tables; ++i) {
    const format::TableEntry& entry = header.table[i];
    const std::size_t start = (end + format::alignment - 1) / format::alignment * format::alignment;
    if (entry.record_bytes != format::record_bytes[i]) return "a table has records of another size";
    if (entry.offset != start) return "a table does not lie behind the one before it";
    if (start > bytes.size() || entry.count > (bytes.size() - start) / entry.record_bytes) {
      return "a table goes beyond the end of the file";
    }
    if (!all_zero(bytes.subspan(end, start - end))) return "the padding between two tables is not zero";
    end = start + std::size_t{entry.count} * entry.record_bytes;
  }
  if (end != bytes.size()) return "something lies behind the last table";
  if (!all_zero(std::as_bytes(std::span(header.padding)))) return "the padding of the header is not zero";
  return std::nullopt;
}

}  // namespace

std::expected<Database, DatabaseError> Database::load(Bytes bytes) {
  Header header{};
  if (bytes.empty()) return refuse("is empty: compile the definitions again");
  std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof header));
  if (std::memcmp(header.magic, format::magic, std::min(bytes.size(), sizeof header.magic)) != 0) {
    return refuse("is no database: name the file that hcrc-compile has written");
  }
  if (bytes.size() < offsetof(Header, file_bytes)) return damaged("it is cut off");
  // Whatever else another version has changed, its first twelve bytes are the same.
  if (auto problem = version_problem(header.version)) return refuse(std::move(*problem));
  if (header.header_bytes != sizeof header) return damaged("its header has another size");
  if (bytes.size() < sizeof header) return damaged("it is cut off");
  if (header.file_bytes > bytes.size()) return damaged("it is cut off");
  if (header.file_bytes < bytes.size()) return damaged("something lies behind its end");
  if (bytes.size() > bounds::database_bytes) return damaged("it is larger than any database may be");
  // Everything before the checksum has been compared with the one value it may have: any changed byte ends up here.
  if (header.checksum != hash_behind(bytes, offsetof(Header, checksum))) return damaged("its checksum is wrong");
  if (header.build_id != hash_behind(bytes, offsetof(Header, build_id))) return damaged("its build id is wrong");
  if (const auto problem = tables_problem(header, bytes)) return damaged(*problem);

  Database database(std::move(bytes));
  if (const auto problem = problem_of_records(database)) return damaged(*problem);
  if (const auto problem = problem_of_hashes(database)) return damaged(*problem);
  return database;
}

const Header& Database::header() const {
  static constexpr Header nothing{};
  return bytes_.empty() ? nothing : *reinterpret_cast<const Header*>(bytes_.data());
}

template <typename Record>
std::span<const Record> Database::table(Table table) const {
  const format::TableEntry& entry = header().table[static_cast<std::size_t>(table)];
  if (entry.count == 0) return {};
  return {reinterpret_cast<const Record*>(bytes_.data() + entry.offset), entry.count};
}

template <typename Record>
std::span<const Record> Database::records(Table table_of_records, format::Range range) const {
  const std::span<const Record> all = table<Record>(table_of_records);
  assert(range.first <= all.size() && range.count <= all.size() - range.first);
  return all.subspan(range.first, range.count);
}

std::span<const format::ServiceRecord> Database::services() const { return table<format::ServiceRecord>(Table::services); }

std::optional<std::uint32_t> Database::find(std::string_view wanted) const {
  const auto all = services();
  const auto at = std::ranges::lower_bound(all, wanted, {},
                                           [this](const format::ServiceRecord& service) { return string(service.name); });
  if (at == all.end() || string(at->name) != wanted) return std::nullopt;
  return static_cast<std::uint32_t>(at - all.begin());
}

std::span<const format::EdgeRecord> Database::dependencies(std::uint32_t index) const {
  return records<format::EdgeRecord>(Table::edges, service(index).edges);
}

std::span<const format::EdgeRecord> Database::dependents(std::uint32_t index) const {
  return records<format::EdgeRecord>(Table::dependents, service(index).dependents);
}

std::span<const std::uint32_t> Database::contents(std::uint32_t index) const {
  return records<std::uint32_t>(Table::contents, service(index).contents);
}

std::string_view Database::string(format::StringRef ref) const {
  const std::span<const char> all = table<char>(Table::strings);
  assert(ref.offset < all.size() && ref.length < all.size() - ref.offset);
  return {all.data() + ref.offset, ref.length};
}

std::span<const format::TemplateRecord> Database::arguments(format::Range range) const {
  return records<format::TemplateRecord>(Table::arguments, range);
}

std::span<const format::PieceRecord> Database::pieces(format::Range range) const {
  return records<format::PieceRecord>(Table::pieces, range);
}

std::optional<std::span<const format::PieceRecord>> Database::pieces_of(format::OptionalTemplate index) const {
  if (index == format::none) return std::nullopt;
  return pieces(arguments({.first = index, .count = 1})[0]);
}

std::span<const format::EnvironmentRecord> Database::environment(format::Range range) const {
  return records<format::EnvironmentRecord>(Table::environment, range);
}

std::span<const format::ConditionRecord> Database::conditions(format::Range range) const {
  return records<format::ConditionRecord>(Table::conditions, range);
}

std::span<const format::LimitRecord> Database::limits(format::Range range) const {
  return records<format::LimitRecord>(Table::limits, range);
}

}  // namespace hcrc

// The dependency database: the service graph as bytes, and the validated view of them that the runtime works from.
//
// One file, little-endian, format version 1. A header is followed by nine tables of fixed-size records and one string table,
// in the order of the `Table` enumeration, each aligned to 8 bytes and otherwise without a gap between them (padding bytes
// are zero). Whatever has no place in a fixed-size record lies in another table, and the record holds a range of it. The
// header names each table's offset and record count, the file's length, a checksum over everything behind the checksum
// field, and the build id: a hash of the tables, so the same definitions have the same id on any machine. docs/database.md
// walks through every byte.
//
// There is one way to write a graph down. Ranges follow one another in the order in which they are reached: first the
// header's, then those of each service in turn, in the order of the members of ServiceRecord, each record's strings and
// pieces before the next record's. So every record is used by exactly one range, and nothing can overlap. Strings follow one
// another in the same order, each where it is first reached; one of at most `shared_string_bytes` is not written again.
//
// `Database::load` trusts nothing: in one linear pass it checks every bound, order, enumerator, string and edge. What it has
// accepted is used in place; the accessors assert and cannot fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/graph.h"
#include "core/service.h"
#include "core/time.h"

namespace hcrc {

namespace format {

inline constexpr char magic[8] = {'H', 'C', 'R', 'C', '\r', '\n', '\x1a', '\n'};
inline constexpr std::uint32_t version = 1;
inline constexpr std::uint32_t none = UINT32_MAX;  // an index that names nothing
inline constexpr std::int64_t unwritten = -1;      // a duration that is not there

// A run of records in another table; 0,0 where there are none.
struct Range {
  std::uint32_t first;
  std::uint32_t count;
};

// A longer string is written wherever it is used: a reader may then look through each use of a shared one without taking
// longer than a constant for it, however often a hostile file points at it.
inline constexpr std::uint32_t shared_string_bytes = 255;

// Bytes in the string table. A NUL byte follows each string, so it can be used where C wants one; a string holds no NUL.
// The table begins with a NUL: the empty string is 0,0.
struct StringRef {
  std::uint32_t offset;
  std::uint32_t length;
};

// The tables in the order in which they lie in the file.
enum class Table : std::uint32_t {
  services,     // ServiceRecord, sorted by name
  edges,        // EdgeRecord: what each service depends on, sorted by target within a service
  dependents,   // EdgeRecord: the same edges from the other end, sorted by source within a service
  contents,     // u32: the services in each bundle, sorted
  arguments,    // TemplateRecord: argv words and lists of templates
  pieces,       // PieceRecord
  environment,  // EnvironmentRecord, sorted by name within a service
  conditions,   // ConditionRecord
  limits,       // LimitRecord, sorted by kind within a service
  strings,      // bytes
};
inline constexpr std::size_t tables = 10;
inline constexpr std::size_t alignment = 8;  // of each table

struct TableEntry {
  std::uint64_t offset;  // from the start of the file
  std::uint32_t count;   // records; of strings: bytes
  std::uint32_t record_bytes;
};

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t header_bytes;
  std::uint64_t file_bytes;
  std::uint64_t checksum;  // FNV-1a 64 of every byte behind this field
  std::uint64_t build_id;  // FNV-1a 64 of every byte behind this field
  TableEntry table[tables];
  // The node's settings.
  std::int64_t stop_deadline_ms;  // unwritten: none
  Range history;                  // pieces; with history_set
  Range socket_group;
  std::uint8_t history_set;
  std::uint8_t socket_group_set;
  std::uint8_t padding[6];
};

struct PieceRecord {
  std::uint32_t kind;  // TemplatePiece::Kind
  StringRef text;
  StringRef fallback;  // 0,0 unless variable_or
};

// A text with variables: a range of pieces.
struct TemplateRecord {
  Range pieces;
};

struct EnvironmentRecord {
  StringRef name;
  Range value;  // pieces
};

struct ConditionRecord {
  std::uint32_t kind;
  StringRef name;
  Range value;  // pieces
};

struct LimitRecord {
  std::uint64_t kind;
  std::uint64_t soft;
  std::uint64_t hard;
};

struct EdgeRecord {
  std::uint32_t service;  // the target in `edges`, the source in `dependents`
  std::uint32_t kinds;    // EdgeKinds bits
  EdgeKinds all_kinds() const { return EdgeKinds(static_cast<std::uint8_t>(kinds)); }
};

// A template that may be absent: an index into `arguments`, or none.
using OptionalTemplate = std::uint32_t;

struct ServiceRecord {
  StringRef name;
  StringRef description;
  StringRef instance;
  Range command;     // arguments
  Range contents;    // contents
  Range edges;       // edges
  Range dependents;  // dependents
  Range environment;
  Range environment_files;  // arguments
  Range conditions;
  Range limits;
  Range groups;  // arguments; with groups_set
  Range ready_command;
  Range health_command;
  Range stop_command;
  Range cleanup;
  OptionalTemplate lock;
  OptionalTemplate user;
  OptionalTemplate group;
  OptionalTemplate directory;
  OptionalTemplate stdin_file;
  OptionalTemplate ready_address;
  OptionalTemplate health_address;
  std::uint32_t level;      // 0, or one more than the highest level of what it depends on: the proof that there is no cycle
  StringRef stdin_text;     // with stdin_text_set
  std::int64_t timeout_ms;  // of one run; unwritten: none
  std::int64_t ready_interval_ms;
  std::int64_t ready_timeout_ms;
  std::int64_t health_interval_ms;
  std::int64_t health_timeout_ms;
  std::int64_t watchdog_ms;  // unwritten: none
  std::int64_t restart_delay_ms;
  std::int64_t restart_max_delay_ms;
  std::int64_t restart_reset_after_ms;
  std::int64_t restart_hold_ms;
  std::int64_t stop_timeout_ms;
  std::int64_t schedule_every_ms;
  std::int64_t schedule_jitter_ms;
  std::uint64_t capabilities;  // with capabilities_set
  std::uint64_t memory_max;
  std::uint64_t cpu_max_quota_us;
  std::uint64_t cpu_max_period_us;
  std::uint64_t pids_max;
  std::uint64_t success_codes[4];  // a bit for each exit code, lowest first
  std::uint64_t permanent_codes[4];
  std::uint32_t restart_attempts;  // RestartRule::unlimited
  std::uint32_t restart_factor_milli;
  std::uint32_t restart_jitter_milli;
  std::uint32_t health_failures;
  std::uint32_t ready_fd;
  std::int32_t oom_score_adj;  // with oom_score_adj_set
  std::int32_t nice;           // with nice_set
  std::uint32_t umask;
  std::uint8_t type;
  std::uint8_t ready_kind;
  std::uint8_t health_kind;
  std::uint8_t restart_policy;
  std::uint8_t exhausted;
  std::uint8_t stop_signal;
  // Booleans: 0 or 1.
  std::uint8_t autostart;
  std::uint8_t essential;
  std::uint8_t stop_timeout_written;
  std::uint8_t environment_clear;
  std::uint8_t no_new_privileges;
  std::uint8_t at_start;
  std::uint8_t resources_required;
  std::uint8_t groups_set;
  std::uint8_t stdin_text_set;
  std::uint8_t nice_set;
  std::uint8_t oom_score_adj_set;
  std::uint8_t capabilities_set;
  std::uint8_t padding[6];
  std::uint64_t hash_runs;          // of what decides how it runs: a change restarts it at an update
  std::uint64_t hash_looked_after;  // of what is taken over in place
};

// The bytes of one record of each table.
inline constexpr std::uint32_t record_bytes[tables] = {
    sizeof(ServiceRecord), sizeof(EdgeRecord),        sizeof(EdgeRecord),      sizeof(std::uint32_t), sizeof(TemplateRecord),
    sizeof(PieceRecord),   sizeof(EnvironmentRecord), sizeof(ConditionRecord), sizeof(LimitRecord),   1};

static_assert(std::is_trivially_copyable_v<Header> && sizeof(Header) % alignment == 0);
static_assert(std::is_trivially_copyable_v<ServiceRecord> && sizeof(ServiceRecord) % alignment == 0);

}  // namespace format

// Why a file is no database that can be used: one sentence, without a file name, for `PROGRAM: FILE: sentence`.
struct DatabaseError {
  std::string sentence;
};

class Database {
 public:
  using Bytes = std::pmr::vector<std::byte>;

  Database() = default;  // no services

  // Takes the bytes of a whole file. Linear time; allocates only the sentence of an error.
  [[nodiscard]] static std::expected<Database, DatabaseError> load(Bytes bytes);
  // Of a copy of them.
  [[nodiscard]] static std::expected<Database, DatabaseError> load(std::span<const std::byte> bytes) {
    return load(Bytes(bytes.begin(), bytes.end()));
  }

  // Of a copy of bytes whose header and tables are known to be right, whatever the records hold: for what checks the
  // records.
  static Database unchecked(std::span<const std::byte> bytes) { return Database(Bytes(bytes.begin(), bytes.end())); }

  std::uint64_t build_id() const { return header().build_id; }
  const format::Header& header() const;

  std::size_t size() const { return services().size(); }
  std::span<const format::ServiceRecord> services() const;
  const format::ServiceRecord& service(std::uint32_t index) const { return services()[index]; }
  std::string_view name(std::uint32_t index) const { return string(service(index).name); }
  // The service of this name, by binary search.
  std::optional<std::uint32_t> find(std::string_view name) const;

  std::span<const format::EdgeRecord> dependencies(std::uint32_t index) const;
  std::span<const format::EdgeRecord> dependents(std::uint32_t index) const;
  std::span<const std::uint32_t> contents(std::uint32_t index) const;

  // NUL-terminated behind its end.
  std::string_view string(format::StringRef ref) const;
  std::span<const format::TemplateRecord> arguments(format::Range range) const;
  std::span<const format::PieceRecord> pieces(format::Range range) const;
  std::span<const format::PieceRecord> pieces(format::TemplateRecord record) const { return pieces(record.pieces); }
  // The pieces of a template that may be absent.
  std::optional<std::span<const format::PieceRecord>> pieces_of(format::OptionalTemplate index) const;
  std::span<const format::EnvironmentRecord> environment(format::Range range) const;
  std::span<const format::ConditionRecord> conditions(format::Range range) const;
  std::span<const format::LimitRecord> limits(format::Range range) const;

  // The graph that these bytes were written from.
  ServiceGraph graph() const;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit Database(Bytes bytes) : bytes_(std::move(bytes)) {}

  template <typename Record>
  std::span<const Record> table(format::Table table) const;
  template <typename Record>
  std::span<const Record> records(format::Table table, format::Range range) const;

  Bytes bytes_;  // aligned as operator new aligns: enough for every record
};

}  // namespace hcrc

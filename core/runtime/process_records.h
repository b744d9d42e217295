// Which processes are whose, for the runtime that is started after this one was killed: a file of the run dir, mapped into
// memory, so that a record is written by a store, costs no call and survives the writer. Nobody comes after PID 1: it keeps
// none.
//
// A child enters itself before anything else, and goes on only if its runtime still lives: whoever finds the file after the
// runtime's death finds every process that will ever execute. A process is recognized by its start time (proc_pid_stat(5)),
// which lies between two readings of the clock around its fork.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "core/bounds.h"
#include "core/runtime/run_dir.h"
#include "core/time.h"

namespace hcrc {

// As it lies in the file; of this machine, this boot and this build alone.
struct ProcessRecord {
  std::atomic<std::int32_t> pid;  // 0: none. Also its session and process group
  std::uint32_t level;            // who depends on nothing has 0; stopped from the highest down
  std::int64_t forked_after;      // CLOCK_BOOTTIME in clock ticks
  std::int64_t forked_before;
  std::int64_t stop_timeout_ms;
  std::int32_t stop_signal;
  std::array<char, bounds::name_bytes + 1> name;  // NUL-terminated

  // In the child: writes it in. False: the runtime is gone, nobody will know of this process, and it must end.
  bool enter(pid_t runtime);
};

// How a service is ended by who has nothing but its record.
struct RecordedRule {
  std::string_view name;
  std::uint32_t level = 0;
  int stop_signal = 0;
  Milliseconds stop_timeout{};
};

// A service's own process, its stop or cleanup command, and its check, which may all be there at once.
enum class RecordKind : std::uint8_t { main, helper, probe };
inline constexpr std::size_t record_kinds = 3;

class ProcessRecords {
 public:
  ProcessRecords() = default;
  ~ProcessRecords();
  ProcessRecords(const ProcessRecords&) = delete;
  ProcessRecords& operator=(const ProcessRecords&) = delete;

  // Makes the file, in the place of a predecessor's. The error is a sentence; then nothing is recorded.
  [[nodiscard]] std::expected<void, std::string> open(const RunDir& run_dir, std::size_t services);

  // The folder of the group in which the services' cgroups are, and its inode.
  void set_cgroup(std::string_view folder, std::uint64_t inode);

  // Room for more services, where there is a file; false: those that are new are not recorded.
  [[nodiscard]] bool make_room(std::size_t services);

  // The place of a process that is about to be forked, without its pid; null where nothing is recorded.
  ProcessRecord* prepare(std::size_t service, RecordKind kind, const RecordedRule& rule);

  // The process is gone, and all of its session. Nothing where the place is already another's.
  void clear(std::size_t service, RecordKind kind, pid_t pid);

 private:
  ProcessRecord* at(std::size_t service, RecordKind kind);
  bool map(std::size_t services);

  Descriptor file_;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t services_ = 0;
};

// A record that was found, copied.
struct FoundRecord {
  pid_t pid = 0;
  std::int64_t forked_after = 0;
  std::int64_t forked_before = 0;
  std::uint32_t level = 0;
  int stop_signal = 0;
  Milliseconds stop_timeout{};
  std::string name;
};

struct PredecessorRecords {
  std::vector<FoundRecord> processes;  // in no order
  std::string cgroup;                  // that its services' cgroups are in, with a slash at its end; empty where it is gone
};

// What a predecessor wrote into this run dir; to be called while the run dir is ours, so that it writes no more. Nothing
// where there is no file, where it is of another boot or PID namespace (boot id, namespace, start time of its PID 1), or
// where it cannot be understood.
PredecessorRecords read_records(const RunDir& run_dir);

}  // namespace hcrc

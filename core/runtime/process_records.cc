#include "core/runtime/process_records.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "core/run_places.h"
#include "core/runtime/proc_listing.h"

namespace hcrc {

namespace {

static_assert(std::atomic<std::int32_t>::is_always_lock_free);

// What the records are of: pids mean something in this boot and this PID namespace only.
struct World {
  std::array<char, 40> boot_id{};  // proc_sys_kernel(5): a UUID of 36 characters
  std::uint64_t namespace_inode = 0;
  std::int64_t pid1_start = 0;  // inode numbers are used again
  bool operator==(const World&) const = default;
};

struct Head {
  std::array<char, 8> magic;
  std::uint32_t record_bytes;
  std::uint32_t count;
  World world;
  std::uint64_t cgroup_inode;    // of the folder, whose number is its group's and nobody else's in this boot
  std::array<char, 512> cgroup;  // NUL-terminated; empty where there is none
};
constexpr std::array<char, 8> magic = {'h', 'c', 'r', 'c', 'p', 'i', 'd', '2'};
constexpr std::size_t records_begin =
    (sizeof(Head) + alignof(ProcessRecord) - 1) / alignof(ProcessRecord) * alignof(ProcessRecord);

std::size_t bytes_for(std::size_t services) { return records_begin + services * record_kinds * sizeof(ProcessRecord); }

std::int64_t ticks_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const std::int64_t hertz = sysconf(_SC_CLK_TCK);
  return now.tv_sec * hertz + now.tv_nsec * hertz / 1'000'000'000;
}

std::optional<World> this_world() {
  World world;
  const Descriptor boot_id(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  if (!boot_id || read(boot_id.get(), world.boot_id.data(), 36) != 36) return std::nullopt;
  struct stat facts{};
  if (stat("/proc/self/ns/pid", &facts) != 0) return std::nullopt;
  world.namespace_inode = facts.st_ino;
  ProcListing processes;  // tells whether /proc is of our namespace
  const auto pid1 = processes.open() ? stat_of(1) : std::nullopt;
  if (!pid1) return std::nullopt;
  world.pid1_start = pid1->started;
  return world;
}

Head* head_of(void* memory) { return static_cast<Head*>(memory); }

// Only what a runtime can have written: the file is trusted with signals.
std::optional<FoundRecord> understood(const ProcessRecord& record) {
  const pid_t pid = record.pid.load(std::memory_order_acquire);
  const auto name_end = std::ranges::find(record.name, '\0');
  if (pid <= 1 || pid == getpid() || name_end == record.name.end()) return std::nullopt;
  if (record.stop_signal < 1 || record.stop_signal > SIGRTMAX || record.stop_timeout_ms < 0) return std::nullopt;
  if (record.forked_after < 0 || record.forked_before < record.forked_after) return std::nullopt;
  return FoundRecord{.pid = pid,
                     .forked_after = record.forked_after,
                     .forked_before = record.forked_before,
                     .level = record.level,
                     .stop_signal = record.stop_signal,
                     .stop_timeout = Milliseconds(record.stop_timeout_ms),
                     .name = std::string(record.name.begin(), name_end)};
}

}  // namespace

bool ProcessRecord::enter(pid_t runtime) {
  forked_before = ticks_now();
  pid.store(getpid(), std::memory_order_seq_cst);
  return getppid() == runtime;
}

ProcessRecords::~ProcessRecords() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
}

// Room on the disk before the mapping: a store into a page that finds none would be a SIGBUS.
bool ProcessRecords::map(std::size_t services) {
  const std::size_t bytes = bytes_for(services);
  if (const int error = posix_fallocate(file_.get(), 0, static_cast<off_t>(bytes)); error != 0) {
    errno = error;
    return false;
  }
  void* memory = memory_ == nullptr ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0)
                                    : mremap(memory_, bytes_, bytes, MREMAP_MAYMOVE);
  if (memory == MAP_FAILED) return false;
  memory_ = memory;
  bytes_ = bytes;
  services_ = services;
  head_of(memory_)->count = static_cast<std::uint32_t>(services * record_kinds);
  return true;
}

std::expected<void, std::string> ProcessRecords::open(const RunDir& run_dir, std::size_t services) {
  const auto failed = [this](std::string_view why) {
    file_.reset();
    return std::unexpected("if this runtime is killed, the next one will not know its processes: " + std::string(why));
  };
  const auto world = this_world();
  if (!world) return failed("/proc does not tell who is who");
  const std::string name(run_dir_file::processes);
  const std::string making = name + ".new";
  unlinkat(run_dir.fd(), making.c_str(), 0);
  file_.reset(openat(run_dir.fd(), making.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file_ || !map(services)) return failed(run_dir.file(making) + ": " + std::strerror(errno));
  Head& head = *head_of(memory_);
  head.magic = magic;
  head.record_bytes = sizeof(ProcessRecord);
  head.world = *world;
  if (renameat(run_dir.fd(), making.c_str(), run_dir.fd(), name.c_str()) != 0) {
    return failed(run_dir.file(name) + ": " + std::strerror(errno));
  }
  return {};
}

void ProcessRecords::set_cgroup(std::string_view folder, std::uint64_t inode) {
  if (!file_) return;
  Head& head = *head_of(memory_);
  if (folder.size() >= head.cgroup.size()) return;
  std::ranges::copy(folder, head.cgroup.begin());
  head.cgroup_inode = inode;
}

bool ProcessRecords::make_room(std::size_t services) { return !file_ || services <= services_ || map(services); }

ProcessRecord* ProcessRecords::at(std::size_t service, RecordKind kind) {
  if (!file_ || service >= services_) return nullptr;
  auto* records = reinterpret_cast<ProcessRecord*>(static_cast<std::byte*>(memory_) + records_begin);
  return records + service * record_kinds + static_cast<std::size_t>(kind);
}

ProcessRecord* ProcessRecords::prepare(std::size_t service, RecordKind kind, const RecordedRule& rule) {
  ProcessRecord* record = at(service, kind);
  if (record == nullptr) return nullptr;
  record->pid.store(0, std::memory_order_release);
  record->level = rule.level;
  record->forked_after = ticks_now();
  record->stop_timeout_ms = rule.stop_timeout.count();
  record->stop_signal = rule.stop_signal;
  record->name = {};
  std::ranges::copy(rule.name.substr(0, record->name.size() - 1), record->name.begin());
  return record;
}

void ProcessRecords::clear(std::size_t service, RecordKind kind, pid_t pid) {
  if (ProcessRecord* record = at(service, kind)) record->pid.compare_exchange_strong(pid, 0);
}

PredecessorRecords read_records(const RunDir& run_dir) {
  PredecessorRecords found;
  const Descriptor file(openat(run_dir.fd(), std::string(run_dir_file::processes).c_str(),
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat facts{};
  if (!file || fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_uid != geteuid()) return found;
  const auto bytes = static_cast<std::size_t>(facts.st_size);
  const auto world = this_world();
  if (!world || bytes < records_begin) return found;
  void* memory = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return found;
  const Head& head = *head_of(memory);
  if (head.magic == magic && head.record_bytes == sizeof(ProcessRecord) && head.world == *world) {
    const auto* records = reinterpret_cast<const ProcessRecord*>(static_cast<const std::byte*>(memory) + records_begin);
    const std::size_t count = std::min<std::size_t>(head.count, (bytes - records_begin) / sizeof(ProcessRecord));
    for (std::size_t i = 0; i < count; ++i) {
      if (auto record = understood(records[i])) found.processes.push_back(std::move(*record));
    }
    const auto end = std::ranges::find(head.cgroup, '\0');
    std::string folder(head.cgroup.begin(), end);
    struct stat group{};
    if (end != head.cgroup.end() && stat(folder.c_str(), &group) == 0 && group.st_ino == head.cgroup_inode) {
      found.cgroup = std::move(folder);
    }
  }
  munmap(memory, bytes);
  return found;
}

}  // namespace hcrc

// Starting one process of a service.
//
//   runtime: pipe, fork ---------------------------------------------> watches the pipe (spawn_answer.h)
//   child:   signals, descriptors, session                             |
//            environment -> user -> [when] paths -> argv, paths, stdin | `skipped`, `failed`, `note`
//            nice, oom-score-adj, limits -> user, capabilities         |
//            directory -> lock                                         | `lock_busy`: waits, then ends
//            descriptors in place, limits, mask -> exec                v end of the pipe
//
// The runtime does nothing that may touch a disk or wait; everything that can fail does so in the child, before its exec,
// and then nothing was started. The fork is a plain one of a program with one thread, so the child may use the heap.
//
// Where a start reads no file and becomes no other user, the child is lent our memory until its exec, as with vfork(2):
// there is then nothing to copy. We stand still meanwhile, so a child that takes too long ends itself, and gets a fork.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/database.h"
#include "core/runtime/accounts.h"
#include "core/runtime/environment.h"
#include "core/runtime/process_records.h"
#include "core/runtime/spawn_answer.h"
#include "core/runtime/step_aside.h"
#include "core/system/descriptor.h"
#include "core/time.h"

namespace hcrc {

// What a process is to its service. `command` is CMD, which belongs to none.
enum class ProcessRole : std::uint8_t { main, cleanup, stop_command, ready_probe, health_probe, command };

// What the runtime was itself started with.
struct RuntimeFacts {
  std::vector<std::string_view> environment;  // NAME=VALUE entries with a NUL behind each, in memory that is never changed
  AccountFiles accounts;

  // Of this process. To be called before anything changes the environment.
  static RuntimeFacts capture();
};

// A log pipe's read end and the service that writes to it.
struct Stream {
  int fd = -1;
  std::string_view name;
};

struct SpawnRequest {
  const Database* database = nullptr;
  std::uint32_t service = 0;  // not looked at for a `command`
  ProcessRole role = ProcessRole::main;
  bool judge_paths = false;           // [when] paths are looked at, and notes are told: the first start of an activation
  int output = -1;                    // stdout and stderr; -1: the runtime's own
  std::span<const Stream> streams;    // of a logger: from 3 up, and LISTEN_FDS; a single one is its stdin too
  const char* notify_path = nullptr;  // NOTIFY_SOCKET, for a main process that is to use it; null: there is no socket
  int ready_fd = -1;                  // the write end for [ready] fd
  std::span<char* const> command;     // of a `command`: its argv, with a null behind its end
  // The runtime's children that are not reaped yet, for a service with a `lock`: what else holds it below the runtime is an
  // orphan and gets SIGKILL. Without the list nothing is taken for an orphan.
  std::optional<std::span<const pid_t>> children;
  int cgroup = -1;                  // the folder of the cgroup that the child is made in; -1: the runtime's own
  ProcessRecord* record = nullptr;  // where the child enters itself; null: nowhere
};

struct Spawned {
  pid_t pid = 0;      // also its session and process group, from some time before its exec on
  Descriptor answer;  // read_answer(); none: it has executed or ended already, and Spawner::take_answer() tells what it said
};

struct AtFork;  // child.h

class Spawner {
 public:
  // How long a child may have our memory. It happens once that it takes longer: from then on nothing is lent any more.
  static constexpr Milliseconds longest_loan{250};

  explicit Spawner(const RuntimeFacts& facts);  // `facts` must outlive it

  // Allocates nothing, and waits for nothing but a child that has our memory; the descriptors of the request stay the
  // caller's. The error is the errno of pipe2 or fork: a lack of resources, nothing was started.
  [[nodiscard]] std::expected<Spawned, int> spawn(const SpawnRequest& request);

  // What follows is no longer started together with what was.
  void end_turn();

  // The next answer of a child that was started last and has no descriptor for them: to be asked until there is none, then
  // its exec went well unless one of them says otherwise.
  [[nodiscard]] std::optional<SpawnAnswer> take_answer() const;

  // An address of [ready] or [health], with variables filled in as far as they are known without reading a file: from the
  // container's environment and [env]. Where a service's user or env-files may make a difference its child sends the address
  // (ready_address, health_address). Empty where there is none, or a variable is not set: the start itself then fails.
  std::string address(const Database& database, std::uint32_t service, format::OptionalTemplate address) const;

 private:
  struct AnswerPipe {
    Descriptor read_end;  // does not block
    Descriptor write_end;
  };
  static std::expected<AnswerPipe, int> answer_pipe();
  bool lends_to(const SpawnRequest& request) const;
  std::optional<std::expected<Spawned, int>> lend(const SpawnRequest& request, const AtFork& at_fork);
  std::expected<Spawned, int> fork_child(const SpawnRequest& request, const AtFork& at_fork) const;

  const RuntimeFacts& facts_;
  const Environment environment_;
  bool lends_ = false;        // to children, our memory
  AnswerPipe lent_answers_;   // of these: empty before and after each
  bool steps_aside_ = false;  // where it pays: from the second loan of a turn on
  bool lent_this_turn_ = false;
  StepAside place_;
  // By bit, signal n being bit n - 1; looked at once, at the first spawn: from then on nothing changes them.
  std::optional<std::uint64_t> signals_to_reset_;
};

// Makes 0, 1 and 2 something, where they are closed: else the first socket would become our stderr. To be called first.
void secure_standard_descriptors();

}  // namespace hcrc

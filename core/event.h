// What goes into the supervisor and what comes out: (state, event, now) -> state, effects.
//
// A service has a slot; each activation of a process in it has a run number. Every event and effect about a process carries
// both, and an event whose run is over changes nothing.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "core/service.h"
#include "core/time.h"

namespace hcrc {

using Slot = std::uint32_t;
using Run = std::uint32_t;

// What a process is to its service.
enum class Role : std::uint8_t { main, cleanup, stop_command };

struct ExitStatus {
  enum class Kind : std::uint8_t { none, code, signal };
  Kind kind = Kind::none;
  std::uint8_t value = 0;          // the exit code, or the signal's number
  bool out_of_memory = false;      // a SIGKILL that the kernel's own counter explains
  std::uint64_t memory_limit = 0;  // bytes; with out_of_memory
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

namespace event {

// Answers to effect::Spawn. Exactly one of the first four comes, lock_free after lock_busy at most once.
struct Spawned {
  Slot slot;
  Run run;
  Role role;
  std::int32_t pid;
};
struct Skipped {  // a condition on a path does not hold
  Slot slot;
  Run run;
  std::string_view reason;
};
struct LockBusy {
  Slot slot;
  Run run;
  Role role;
  std::string_view holder;
};
struct StartFailed {
  Slot slot;
  Run run;
  Role role;
  bool permanent;           // no retry cures it
  std::string_view reason;  // stage and error in words
};
struct NoResource {  // fork: EAGAIN, EMFILE, ENOMEM
  Slot slot;
  Run run;
  Role role;
  std::string_view reason;
};
struct LockFree {
  Slot slot;
  Run run;
};

// A process that was spawned has ended and is reaped. `leftovers`: others of its session are still there.
struct Exited {
  Slot slot;
  Run run;
  Role role;
  ExitStatus status;
  bool leftovers;
};
// After an Exited with leftovers: the last of them is gone.
struct LeftoversGone {
  Slot slot;
  Run run;
};

struct Ready {
  Slot slot;
  Run run;
};
struct Watchdog {
  Slot slot;
  Run run;
};
struct ExtendTimeout {
  Slot slot;
  Run run;
  Duration by;
};
struct Stopping {  // it says that it is ending by itself
  Slot slot;
  Run run;
};
// The answer to effect::Probe of the same number.
struct ProbeDone {
  Slot slot;
  Run run;
  std::uint32_t probe;
  bool good;
  std::string_view reason;
};

struct CopierEnded {
  Slot slot;
};

// The operator's commands; of CMD only Signal is taken.
struct Start {
  Slot slot;
};
struct Stop {
  Slot slot;
};
struct Restart {
  Slot slot;
};
struct Signal {
  Slot slot;
  std::int32_t signal;
};
struct Shutdown {
  std::int32_t signal;  // that asked for it; 0: an operator did
  std::uint8_t code;
};

struct OrphansGone {};  // the answer to effect::Sweep, once nothing is left that it would signal
struct Tick {};         // Supervisor::deadline() has come

}  // namespace event

using Event = std::variant<event::Spawned, event::Skipped, event::LockBusy, event::StartFailed, event::NoResource,
                           event::LockFree, event::Exited, event::LeftoversGone, event::Ready, event::Watchdog,
                           event::ExtendTimeout, event::Stopping, event::ProbeDone, event::CopierEnded, event::Start,
                           event::Stop, event::Restart, event::Signal, event::Shutdown, event::OrphansGone, event::Tick>;

// Something worth a line on the console, about a service or the node. core/story.h words it.
enum class ReportKind : std::uint8_t {
  started,
  ready,
  done,
  skipped,
  restarts,  // the last run failed or ended, the next start is known
  failed,
  held,
  ended,
  no_resource,
  lock_busy,
  condemned,  // a run is ended for ready, timeout, health or watchdog
  stopping,
  killing,
  stopped,
  leftovers,  // a crash left processes behind that are killed
  cleanup_failed,
  stop_command_failed,
  cannot_start,  // a requirement failed or ended
  run_failed,    // of a periodic
  copier_started,
};

enum class NodeReportKind : std::uint8_t {
  starting,
  settled,
  waiting,  // for what is not settled, or for a lock
  stopping,
  still_stopping,
  sweeping,  // what no service owns has not ended when asked
  deadline,
  gone,
  updating,  // another graph is in force
  updated,   // what it removed or restarts is down
};

namespace effect {

struct Spawn {
  Slot slot;
  Run run;
  Role role;
  bool judge_paths;  // [when] path conditions are looked at
};
// To the service's own process.
struct SignalProcess {
  Slot slot;
  Run run;
  std::int32_t signal;
};
// To what is left of its process group and session, with SIGKILL to its cgroup too. LeftoversGone answers.
struct SignalLeftovers {
  Slot slot;
  Run run;
  std::int32_t signal;
};
// SIGKILL to the session of a cleanup or stop command.
struct KillHelper {
  Slot slot;
  Run run;
  Role role;
};
struct EndLockWait {
  Slot slot;
  Run run;
};
struct Probe {
  Slot slot;
  Run run;
  std::uint32_t probe;
  bool health;  // [health] rather than [ready]
};
struct CancelProbe {
  Slot slot;
  Run run;
};
// A copier carries the pipes of this logger to the console until it is stopped or, once they are closed, has drained them.
struct StartCopier {
  Slot slot;
};
struct StopCopier {
  Slot slot;
};
struct CloseStreams {  // the runtime's own ends of the pipes to this logger
  Slot slot;
};
struct Sweep {  // to every process that no service owns; SIGTERM goes along with SIGHUP and SIGCONT
  std::int32_t signal;
};
struct Report {
  ReportKind kind;
  Slot slot;
  Duration took;        // how long it ran, or took
  Milliseconds next;    // until the next start
  std::int32_t number;  // a pid or signal
};
struct NodeReport {
  NodeReportKind kind;
  Duration took;
  std::int32_t number;  // a signal or exit code
};
struct Outward {  // --notify-fd and NOTIFY_SOCKET: ready, else stopping
  bool ready;
};
struct Exit {
  std::uint8_t code;
};

}  // namespace effect

using Effect =
    std::variant<effect::Spawn, effect::SignalProcess, effect::SignalLeftovers, effect::KillHelper, effect::EndLockWait,
                 effect::Probe, effect::CancelProbe, effect::StartCopier, effect::StopCopier, effect::CloseStreams,
                 effect::Sweep, effect::Report, effect::NodeReport, effect::Outward, effect::Exit>;

}  // namespace hcrc

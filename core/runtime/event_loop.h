// The event loop: descriptors, signals and one deadline, each with a callback. The only file that knows libev.
//
// Watchers are members of what they serve: they are made once, and starting or stopping one allocates nothing in steady
// state: libev's arrays have room from the start for 1,024 descriptors and 128 events at once, and what they grow to they
// keep. A callback must not throw. The loop itself reads the clock; everything else is given the time of the turn.
#pragma once

#include <signal.h>

#include <array>
#include <cstddef>
#include <expected>
#include <string>

#include "core/system/descriptor.h"
#include "core/time.h"

struct ev_loop;  // libev's

namespace hcrc {

class EventLoop;

// What a descriptor is watched for, and what it became ready for.
struct Readiness {
  bool readable = false;
  bool writable = false;
};

// Watches one descriptor. Owns neither it nor the callback's context. Level-triggered: an error or a hang-up reports as
// readable (and writable where that was asked for). What the kernel cannot watch now (epoll_ctl(2): ENOMEM, ENOSPC) is tried
// again every few milliseconds until it can.
class FdWatcher {
 public:
  using Callback = void (*)(void* context, Readiness ready);

  FdWatcher();
  ~FdWatcher();
  FdWatcher(const FdWatcher&) = delete;
  FdWatcher& operator=(const FdWatcher&) = delete;

  // Starts, or changes what is watched for. `interest` names at least one side.
  void start(EventLoop& loop, int fd, Readiness interest, Callback callback, void* context);
  void stop();
  bool active() const;

 private:
  friend class EventLoop;
  static constexpr std::size_t storage_bytes = 48;
  alignas(8) std::byte storage_[storage_bytes];
  EventLoop* loop_ = nullptr;
  FdWatcher* next_refused_ = nullptr;
  bool refused_ = false;
  Callback callback_ = nullptr;
  void* context_ = nullptr;
};

// Watches one signal. It stays blocked and comes over the loop's signalfd(2), so nothing is ever interrupted by it, and the
// callback runs in the loop. One watcher a signal.
class SignalWatcher {
 public:
  using Callback = void (*)(void* context, int signal);

  SignalWatcher();
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  void start(EventLoop& loop, int signal, Callback callback, void* context);
  void stop();
  // Whether the signal had come when the loop last looked (collect_signals()) and the callback has not been called for it
  // yet; it then never is. For long work in one turn, which a signal is to cut short.
  bool take();
  int number() const { return number_; }

 private:
  friend class EventLoop;
  EventLoop* loop_ = nullptr;
  int number_ = 0;
  bool arrived_ = false;
  Callback callback_ = nullptr;
  void* context_ = nullptr;
};

// Whoever sends one of them wants the node to stop. The last is SIGRTMIN+3 as container engines send it: the number is
// fixed, whatever a libc takes for itself.
inline constexpr std::array<int, 4> stop_signals = {SIGTERM, SIGINT, SIGPWR, 37};

// All signals are held back by the kernel from hold_signals() to EventLoop::let_signals_in(): what comes while a program is
// not ready to handle it would end the program, or be lost on PID 1.
void hold_signals();

class EventLoop {
 public:
  using Callback = void (*)(void* context);

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Makes the loop: false, with errno set, where the kernel has no descriptor for it.
  [[nodiscard]] bool open();

  // All but those that are watched; these wait in the kernel until the loop takes them.
  void let_signals_in() const;
  // Looks now, not only in the next turn, which signals have come: see SignalWatcher::take(). One system call.
  void collect_signals();

  // CLOCK_MONOTONIC.
  static Instant now();

  // Called once when `deadline` has come (never early by more than the clock's grain: the callee looks at the time). A new
  // deadline replaces the old one; `end_of_time` takes it away.
  void set_deadline(Instant deadline, Callback callback, void* context);

  // Called after the callbacks of each turn: where work that several events share is done once.
  void set_turn_end(Callback callback, void* context);

  // Runs until stop().
  void run();
  void stop();

 private:
  friend class FdWatcher;
  friend class SignalWatcher;
  struct Watchers;
  void make_room();
  bool read_signals();
  sigset_t watched_signals() const;
  void set_signals();
  void refused(FdWatcher& watcher);
  void try_refused();
  void forget_refused(FdWatcher& watcher);

  ::ev_loop* loop_ = nullptr;
  Watchers* watchers_ = nullptr;
  FdWatcher* refused_ = nullptr;  // whom the kernel would not take
  Descriptor signal_fd_;
  FdWatcher signal_fd_watcher_;
  std::array<SignalWatcher*, 65> signals_{};  // by number
};

}  // namespace hcrc

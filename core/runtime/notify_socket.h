// A notify socket: RUN_DIR/notify.N, a datagram socket for one service (sd_notify(3)), so that it is known whom a message is
// for when its sender is gone already, and who floods his own keeps nobody else's words from us. Who sent a datagram is what
// the kernel says (SO_PASSCRED), never what it holds. Mode 0666: services run under other uids.
//
// A sender costs bounded work: datagrams longer than `datagram_bytes` are dropped, at most `batch` are read in a turn, and
// one who floods it makes it pause: more than `burst` within a second and it is left alone until that second is over (the
// kernel's queue is short, and its senders block). Descriptors that come along are closed at once, which is what BARRIER=1
// waits for.
//
// It owns no timer: the shell asks next_deadline() at the end of a turn and calls expire() when that has come.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "core/database.h"
#include "core/notify_message.h"
#include "core/runtime/event_loop.h"
#include "core/runtime/run_dir.h"
#include "core/system/descriptor.h"
#include "core/time.h"

namespace hcrc {

// Whether its main process is given one.
bool has_notify_socket(const format::ServiceRecord& rule);

class NotifySocket {
 public:
  static constexpr std::size_t datagram_bytes = 4'096;
  static constexpr std::uint32_t batch = 64;
  static constexpr std::uint32_t burst = 2'000;

  // `pid` is the sender's in this PID namespace, 0 where it has none. `message` is valid during the call.
  using Callback = void (*)(void* context, pid_t pid, uid_t uid, const NotifyMessage& message);

  NotifySocket() = default;
  ~NotifySocket();
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // Binds and watches; `loop` and `run_dir` must outlive it. Replaces a socket of a former runtime (the run dir is locked,
  // so it is dead) and nothing else. An error is a sentence.
  [[nodiscard]] std::expected<void, std::string> open(EventLoop& loop, const RunDir& run_dir, std::uint32_t number,
                                                      Callback callback, void* context);

  bool usable() const { return static_cast<bool>(socket_); }
  const std::string& path() const { return path_; }  // for NOTIFY_SOCKET

  // Delivers what has arrived, at most a batch: call it once a process is reaped, so that what it said before it died
  // counts.
  void drain();

  // Delivers what has arrived even while it is paused: before another run begins, so that nothing is taken for a word of it.
  void begin_anew();

  Instant next_deadline() const { return paused_until_; }
  void expire(Instant now);

 private:
  void watch();
  bool receive_one();

  EventLoop* loop_ = nullptr;
  Descriptor socket_;
  FdWatcher watcher_;
  int folder_fd_ = -1;
  std::string path_;  // RUN_DIR/name_
  std::string name_;
  Callback callback_ = nullptr;
  void* context_ = nullptr;
  Instant second_began_{};
  std::uint32_t in_this_second_ = 0;
  Instant paused_until_ = end_of_time;
};

}  // namespace hcrc

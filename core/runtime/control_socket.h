// The control socket: RUN_DIR/control, a stream socket, mode 0600. One request a connection; core/control_protocol.h is its
// text. Peers are not trusted with anything but their uid:
//
//   accept -> credentials -> reading -> answering <-> waiting -> (answer is sent) -> closed
//
// - Whose peer credentials are neither root's nor the runtime's own uid is told so and closed, unread.
// - A client has one input line and one output buffer; all of them are allocated by open() and none later.
// - A request must be complete within `reading_time`; an answer of which the peer takes nothing for `writing_time` is given
//   up. A client whose request waits for something may stay for ever, but only `bounds::control_waiting` of them, so there
//   is always a place for `health`. Where all places are taken, the one that has been silent for longest makes room; where
//   none is silent, newcomers stay in the kernel's queue.
// - In one turn of the loop a client gets at most one buffer of answer, so a large answer delays nobody.
// - Never blocks, raises no SIGPIPE, takes no descriptors (the kernel closes what a recvmsg without control buffer gets).
//
// It owns no timer: the shell asks next_deadline() at the end of a turn and calls expire() when that has come.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/bounds.h"
#include "core/control_protocol.h"
#include "core/json.h"
#include "core/runtime/event_loop.h"
#include "core/runtime/run_dir.h"
#include "core/system/descriptor.h"
#include "core/time.h"

namespace hcrc {

// What a handler answers when it was asked to go on.
enum class Progress : std::uint8_t {
  done,     // the result is written
  more,     // the buffer is full: ask again when the peer has taken some
  waiting,  // nothing to say yet: ask again after a poke()
};

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

class ControlClient;

// An answer in the making: the handler's end of one connection.
class ControlAnswer {
 public:
  // Where the handler has got to; its own to use, all 0 when a request is new.
  struct Cursor {
    std::uint32_t stage = 0;
    std::uint32_t index = 0;
  };

  explicit ControlAnswer(ControlClient& client) : client_(client) {}

  // A line in the free part of the buffer, and its end. False: it did not fit, nothing was added; return Progress::more and
  // write it again next time. (One that does not fit an empty buffer can never be sent: the server then ends the answer with
  // an error. Nothing that ServiceStatus holds is that long.)
  //   JsonLine line = answer.line();
  //   write(line, service);
  //   if (!answer.put(line)) return Progress::more;
  JsonLine line();
  [[nodiscard]] bool put(const JsonLine& line);

  // The result. Always fits, is the last line, and is returned: `return answer.fail(exit_code::no_such_service, text);`
  Progress ok(std::string_view text = {});
  Progress fail(std::uint8_t code, std::string_view text);

  Cursor& cursor();
  const Peer& peer() const;

 private:
  ControlClient& client_;
};

// What knows the answers: the shell, which has the supervisor.
class ControlHandler {
 public:
  // Called when a request has come in and then again as `Progress` says, until it is done or the peer is gone; the cursor
  // tells which. `request` stays the same throughout. May call ControlServer::poke(), which then takes effect afterwards.
  virtual Progress answer(const Request& request, ControlAnswer& answer) = 0;

 protected:
  ~ControlHandler() = default;
};

class ControlServer {
 public:
  static constexpr Duration reading_time = std::chrono::seconds(5);
  static constexpr Duration writing_time = std::chrono::seconds(10);

  struct Error {
    bool occupied = false;  // a living runtime answers there: exit 111. Else: go on without a control socket
    pid_t pid = 0;          // of the other runtime; 0 where it is not known
    std::string sentence;
  };

  ControlServer();
  ~ControlServer();  // as close()
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Binds, listens and watches. All three must outlive it. Replaces a dead socket and nothing else.
  [[nodiscard]] std::expected<void, Error> open(EventLoop& loop, const RunDir& run_dir, ControlHandler& handler);

  // Something has changed: every waiting client's handler is asked again.
  void poke();
  // When expire() is to be called; `end_of_time` while there is nothing to expire.
  Instant next_deadline() const { return next_deadline_; }
  void expire(Instant now);
  // Sends what can be sent at once, closes every connection, unlinks the socket. For the end of the runtime.
  void close();

  bool listening() const { return static_cast<bool>(listener_); }
  std::size_t clients() const { return clients_; }

 private:
  friend class ControlClient;
  void accept_some();
  void admit(Descriptor connection, Instant now);
  ControlClient* free_place();
  void place_is_free();
  void pause_accepting(Instant until);
  void resume_accepting();
  void schedule();

  EventLoop* loop_ = nullptr;
  ControlHandler* handler_ = nullptr;
  Descriptor listener_;
  FdWatcher watcher_;
  int folder_fd_ = -1;
  std::unique_ptr<ControlClient[]> places_;
  std::size_t clients_ = 0;
  std::size_t waiting_ = 0;
  Instant accept_again_ = end_of_time;  // where the kernel had no descriptor for a newcomer
  Instant next_deadline_ = end_of_time;
  uid_t own_uid_ = 0;
  bool answering_ = false;  // a handler is being asked
  bool poked_ = false;      // it, or what it did, has changed something
};

}  // namespace hcrc

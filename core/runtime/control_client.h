// One connection of the control socket. core/runtime/control_socket.h has the rules; nothing else includes this.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/bounds.h"
#include "core/control_protocol.h"
#include "core/runtime/control_socket.h"
#include "core/runtime/event_loop.h"
#include "core/system/descriptor.h"
#include "core/time.h"

namespace hcrc {

// One connection; a place for one. Its memory is allocated once and used again.
class ControlClient {
 public:
  enum class State : std::uint8_t { free, reading, answering, waiting, sending };

  State state() const { return state_; }
  Instant deadline() const { return deadline_; }
  Instant since() const { return since_; }  // it was accepted

  void begin(ControlServer& server, Descriptor connection, const Peer& peer, Instant now);
  void drop();
  void ask(Instant now);
  void poked(Instant now);
  void expire(Instant now);
  void flush_and_drop();

 private:
  friend class ControlAnswer;

  static void on_ready(void* context, Readiness ready) { static_cast<ControlClient*>(context)->on_ready(ready); }
  void on_ready(Readiness ready);
  ssize_t receive(std::span<char> room);
  void read_request(Instant now);
  void read_on();
  void end_of_file(Instant now);
  void take_line(std::string_view line, Instant now);
  bool flush(Instant now);
  void watch();
  void set_state(State state);
  bool gone() const;

  bool unsent() const { return out_begin_ < out_end_; }
  std::span<char> room(std::size_t kept) {
    const std::size_t used = std::min(out_end_ + kept, out_.size());
    return std::span<char>(out_).subspan(out_end_, out_.size() - used);
  }
  void add_newline(std::size_t line_bytes) {
    out_end_ += line_bytes;
    out_[out_end_++] = '\n';
  }
  void result(std::uint8_t code, std::string_view text);

  ControlServer* server_ = nullptr;
  Descriptor connection_;
  FdWatcher watcher_;
  State state_ = State::free;
  bool half_closed_ = false;
  Instant deadline_ = end_of_time;
  Instant since_{};
  Peer peer_;
  Request request_;  // views of in_
  ControlAnswer::Cursor cursor_;
  std::size_t in_length_ = 0;
  std::size_t ignored_ = 0;  // bytes behind the request
  std::size_t out_begin_ = 0;
  std::size_t out_end_ = 0;
  std::array<char, bounds::control_line_bytes> in_;
  std::array<char, bounds::control_answer_bytes> out_;
};

}  // namespace hcrc

// One check of a service: can it be connected to (tcp), does it answer (http)? Does not block, looks no name up (HOST is a
// numeric address, or `localhost`: 127.0.0.1, and ::1 where that takes no connection), allocates nothing and has no timer:
// whoever started it cancels it when its time is up.
//
// http offers a websocket upgrade, and any line of what comes back that begins `HTTP/` is an answer (a tcp connect succeeds
// even to a process that is stopped). A connection that the kernel made to itself (connect(2) to a free port of the
// ephemeral range can do that) is a refused one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/bounds.h"
#include "core/endpoint.h"
#include "core/runtime/event_loop.h"
#include "core/system/descriptor.h"
#include "core/text.h"

namespace hcrc {

enum class ProbeKind : std::uint8_t { tcp, http };

struct ProbeResult {
  enum class Outcome : std::uint8_t {
    good,
    bad,
    no_resource,  // no descriptor or memory to ask with: says nothing about the service
  };
  Outcome outcome = Outcome::bad;
  FixedText<bounds::report_text_bytes> text;  // "127.0.0.1:4444: connection refused"; of good, what answered
};

class Probe {
 public:
  static constexpr std::size_t address_bytes = 512;
  static constexpr std::size_t answer_bytes = 4'096;  // in which a line that begins `HTTP/` must come

  // Called once, from the loop; the probe is over and may be started again, or destroyed, in it.
  using Callback = void (*)(void* context, const ProbeResult& result);

  Probe() = default;
  ~Probe() { cancel(); }

  // Begins. A result that is known at once (a refused loopback connection is) comes back; then there is no callback.
  // A probe that is still going is cancelled first.
  [[nodiscard]] std::optional<ProbeResult> start(EventLoop& loop, ProbeKind kind, std::string_view address,
                                                 Callback callback, void* context);
  // Ends it without a callback. What it has come to so far, for the words of a timeout: "no answer", "no connection".
  void cancel();
  bool active() const { return static_cast<bool>(socket_); }
  std::string_view waits_for() const;

 private:
  enum class Stage : std::uint8_t { connecting, answer };

  std::optional<ProbeResult> connect_next();
  std::optional<ProbeResult> connect_failed(int error);
  std::optional<ProbeResult> connected();
  std::optional<ProbeResult> send_request();
  std::optional<ProbeResult> read_answer();
  void take_leave();
  void watch(Readiness interest);
  void proceed();
  ProbeResult result(ProbeResult::Outcome outcome, std::string_view text) const;

  EventLoop* loop_ = nullptr;
  Callback callback_ = nullptr;
  void* context_ = nullptr;
  Descriptor socket_;
  FdWatcher watcher_;
  FixedText<address_bytes> address_;
  Endpoint endpoint_;  // views of address_
  ProbeKind kind_ = ProbeKind::tcp;
  Stage stage_ = Stage::connecting;
  bool second_host_ = false;  // ::1 of localhost
  std::uint8_t matched_ = 0;  // bytes of "HTTP/" at the beginning of the line being read
  bool line_lost_ = false;    // that line begins otherwise
  std::uint32_t read_ = 0;    // bytes of the answer
  int first_error_ = 0;       // of 127.0.0.1
};

}  // namespace hcrc

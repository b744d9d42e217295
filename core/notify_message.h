// What a service tells over NOTIFY_SOCKET: the datagrams of sd_notify(3), lines of `KEY=VALUE`. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "core/time.h"

namespace hcrc {

struct NotifyMessage {
  bool ready = false;                      // READY=1
  bool stopping = false;                   // STOPPING=1
  bool watchdog = false;                   // WATCHDOG=1
  std::optional<Duration> extend_timeout;  // EXTEND_TIMEOUT_USEC=
  std::optional<std::string_view> status;  // STATUS=, at most bounds::status_text_bytes, ends with a whole character
  bool empty() const { return !ready && !stopping && !watchdog && !extend_timeout && !status; }
};

// Unknown keys (MAINPID, FDSTORE, BARRIER, ...) and malformed lines are ignored; of a key twice the last counts. `status`
// is a view of `datagram`.
NotifyMessage parse_notify(std::string_view datagram);

}  // namespace hcrc

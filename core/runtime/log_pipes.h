// The pipes from services to their loggers. Every producer has one of its own, and the runtime holds both ends of it as long
// as the node lives: a logger may die and come back, and what is in the pipe waits for it.
#pragma once

#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "core/database.h"
#include "core/event.h"
#include "core/runtime/spawn.h"
#include "core/system/descriptor.h"

namespace hcrc {

class LogPipes {
 public:
  explicit LogPipes(const Database& database);

  // The write end for this service's output; -1 where it logs to nobody. The error is pipe2's errno.
  [[nodiscard]] std::expected<int, int> output(Slot producer);
  // The read ends of all producers of a logger, made where they are missing, in the order of the slots. Valid until the
  // next call.
  [[nodiscard]] std::expected<std::span<const Stream>, int> streams(Slot logger);
  // The read ends that exist, for a copier. Valid until the next call.
  std::span<const int> read_ends(Slot logger);
  // Closes the write ends: the logger reads to the end of its streams.
  void close_streams(Slot logger);

 private:
  struct Pipe {
    Descriptor read;
    Descriptor write;
    bool closed = false;  // the node is stopping; no new one is made
  };
  template <typename Each>
  void each_producer(Slot logger, Each each);
  int make(Slot producer);  // 0 or errno

  const Database& database_;
  std::vector<Pipe> pipes_;      // by producer; empty ones of services that log to nobody
  std::vector<Stream> streams_;  // room for every producer: nothing is allocated later
  std::vector<int> read_ends_;
};

}  // namespace hcrc

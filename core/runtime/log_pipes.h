// The pipes from services to their loggers. Every producer has one of its own, and the runtime holds both ends of it as long
// as the node lives: a logger may die and come back, or another take its place, and what is in the pipe waits for it.
#pragma once

#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/runtime/spawn.h"
#include "core/supervisor.h"
#include "core/system/descriptor.h"

namespace hcrc {

class LogPipes {
 public:
  // Who logs to whom is the supervisor's, which must outlive it.
  explicit LogPipes(const Supervisor& supervisor);

  // The write end for this service's output; -1 where it logs to nobody. The error is pipe2's errno.
  [[nodiscard]] std::expected<int, int> output(Slot producer);
  // The read ends of all producers of a logger in the graph in force, made where they are missing, in the order of names.
  // Valid until the next call.
  [[nodiscard]] std::expected<std::span<const Stream>, int> streams(Slot logger);
  // The read ends that exist, for a copier. Valid until the next call.
  std::span<const int> read_ends(Slot logger);
  // Closes the write ends: the logger reads to the end of its streams.
  void close_streams(Slot logger);

  // Room for so many slots: an update may need more. Allocates.
  void make_room(Slot slots);
  // After an update, when what it stopped is down: closes the pipes of those who log to nobody any more. Calls
  // `each_left(fd)` with the read end of one in which something is left; the fd is closed afterwards.
  template <typename Each>
  void close_unused(Each each_left) {
    for (Slot slot = 0; slot < pipes_.size(); ++slot) {
      Pipe& pipe = pipes_[slot];
      if (!pipe.read || logs(slot)) continue;
      pipe.write.reset();
      if (holds_something(pipe.read.get())) each_left(pipe.read.get());
      pipe.read.reset();
    }
  }

 private:
  struct Pipe {
    Descriptor read;
    Descriptor write;
    bool closed = false;  // the node is stopping; no new one is made
  };
  // While an update is going on, those of the graph before, too.
  template <typename Each>
  void each_producer(Slot logger, Each each) const;
  bool logs(Slot producer) const;
  static bool holds_something(int fd);
  int make(Slot producer);  // 0 or errno

  const Supervisor& supervisor_;
  std::vector<Pipe> pipes_;      // by producer; empty ones of services that log to nobody
  std::vector<Stream> streams_;  // room for every producer: nothing is allocated later
  std::vector<int> read_ends_;
};

}  // namespace hcrc

// Reads a database for an update. A child looks at the disk: it opens the file, makes the same checks as at start (owner,
// mode, structure) and hands the bytes over a pipe, or the sentence that says why not. The runtime takes what comes as it
// comes, at most bounds::database_bytes, and never waits for it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/database.h"
#include "core/runtime/event_loop.h"
#include "core/runtime/fork_memory.h"
#include "core/system/descriptor.h"
#include "core/time.h"

namespace hcrc {

class DatabaseReader {
 public:
  // A disk that does not answer by then is given up.
  static constexpr Duration patience = std::chrono::seconds(30);

  using Read = std::expected<std::shared_ptr<const Database>, std::string>;
  using Callback = void (*)(void* context, Read result);

  // Begins; `callback` comes from the loop, once. One at a time: not while busy(). Answers the child's pid, which the caller
  // reaps; the error is a sentence.
  [[nodiscard]] std::expected<pid_t, std::string> start(EventLoop& loop, const std::string& path, Callback callback,
                                                        void* context);
  bool busy() const { return static_cast<bool>(pipe_); }
  Instant deadline() const { return busy() ? deadline_ : end_of_time; }
  // The child is reaped: its number is nobody's any more.
  void reaped(pid_t child) {
    if (child == child_) child_ = 0;
  }
  // The deadline has come: the child is ended, and the callback told.
  void expire(Instant now);

 private:
  void take();
  void finish(Read result);
  Read database();

  Descriptor pipe_;
  FdWatcher watcher_;
  std::string path_;
  Database::Bytes bytes_{&shared_memory()};
  Callback callback_ = nullptr;
  void* context_ = nullptr;
  pid_t child_ = 0;
  Instant deadline_ = end_of_time;
};

}  // namespace hcrc

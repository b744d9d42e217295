// The log file: opened through no link, regular files only; written in big pieces, rotated between lines.
//
// The folder belongs to a service, which may plant what it likes there while we may be root. So the path is walked one name
// at a time, each opened relative to the one before and never through a link, and the file itself must be regular and have
// one name only. A path that cannot be had is tried again after a while, doubling to half a minute; the console goes on.
//
// Rotation renames PATH to PATH.1, PATH.1 to PATH.2, ... and makes PATH anew. A rename that fails leaves things as they are:
// we go on writing, and try again later. Somebody else may rotate instead: before each write the path is looked at, and
// where it names another file, or none, it is opened anew.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/log/line_queue.h"
#include "core/runtime/descriptor.h"

namespace hcrc::log {

using Clock = std::chrono::steady_clock;

struct FileSettings {
  std::string path;
  std::optional<std::uint64_t> size;             // rotate before the file would grow beyond it
  std::optional<std::chrono::milliseconds> age;  // rotate when its first line is so old
  unsigned keep = 7;                             // rotated files; 0: none
};

class FileSink {
 public:
  explicit FileSink(FileSettings settings) : settings_(std::move(settings)) {}

  // Writes what can be written now.
  void write_some(LineQueue& queue, Clock::time_point now);
  void reopen();
  void rotate(Clock::time_point now);
  // When write_some has something to do again although nothing came: a retry, or the file's age. None: never.
  std::optional<Clock::time_point> next(const LineQueue& queue) const;
  // The last write_some could not write everything.
  bool blocked() const { return retry_at_.has_value(); }

 private:
  bool ready(Clock::time_point now);
  bool open_file(Clock::time_point now);
  bool still_named() const;
  bool rename_all();
  void rotate_if_due(const LineQueue& queue, Clock::time_point now);
  std::size_t piece(std::string_view front) const;
  void fail(int error, const char* doing, Clock::time_point now);

  FileSettings settings_;
  Descriptor folder_;
  Descriptor file_;
  std::uint64_t written_ = 0;  // bytes in the file
  bool mid_line_ = false;      // the last write ended within a line
  std::optional<Clock::time_point> first_line_at_;
  std::optional<Clock::time_point> retry_at_;
  std::optional<Clock::time_point> rotate_again_at_;  // after a rename that failed
  std::chrono::milliseconds retry_delay_{0};
  bool told_ = false;  // of the trouble that is still going on
};

}  // namespace hcrc::log

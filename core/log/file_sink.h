// The log file: opened through no link, regular files only; written in big pieces, rotated between lines.
//
// The folder belongs to a service, which may plant what it likes there while we may be root. So the path is walked one name
// at a time, each opened relative to the one before and never through a link, and the file itself must be regular and have
// one name only. A path that cannot be had is tried again after a while, doubling to half a minute; the console goes on.
//
// Rotation renames PATH to PATH.1, PATH.1 to PATH.2, ... and makes PATH anew. A rename that fails leaves things as they are:
// we go on writing, and try again later. Somebody else may rotate instead: before each write the path is looked at, and
// where it names another file, or none, it is opened anew. A line of which a part went into the old one is then written
// whole into the new one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/log/line_queue.h"
#include "core/log/outlet.h"
#include "core/system/descriptor.h"

namespace hcrc::log {

struct FileSettings {
  std::string path;
  std::optional<std::uint64_t> size;             // rotate before the file would grow beyond it
  std::optional<std::chrono::milliseconds> age;  // rotate when its first line is so old
  unsigned keep = 7;                             // rotated files; 0: none
};

class FileSink {
 public:
  // `complaints` is told of trouble, one line for each, and of its end; it must outlive this.
  FileSink(FileSettings settings, Outlet& complaints) : settings_(std::move(settings)), complaints_(complaints) {}

  // Writes what can be written now.
  void write_some(LineQueue& queue, Clock::time_point now);
  // Closes the file and opens what the path names now; also for the first time.
  void reopen(Clock::time_point now);
  // At once, or after the line that is written in part. An empty file stays.
  void rotate(Clock::time_point now);
  // When write_some has something to do again although nothing came: a retry. None: never. An old file is rotated with the
  // next line: an idle log wakes nobody.
  std::optional<Clock::time_point> next(const LineQueue& queue) const { return queue.empty() ? std::nullopt : retry_at_; }

 private:
  bool ready(Clock::time_point now);
  bool open_file(Clock::time_point now);
  bool still_named();
  void rename_and_open(Clock::time_point now);
  bool rename_all();
  void rotate_if_due(const LineQueue& queue, Clock::time_point now);
  std::size_t piece(std::string_view front) const;
  void fail(int error, const char* doing, Clock::time_point now);
  void complain(std::string_view what);

  FileSettings settings_;
  Outlet& complaints_;
  Descriptor folder_;
  Descriptor file_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::uint64_t written_ = 0;    // bytes in the file
  bool mid_line_ = false;        // the last write ended within a line
  bool line_was_cut_ = false;    // the beginning of the queue's first line went into a file that is gone
  bool rotation_asked_ = false;  // and not done yet
  std::optional<Clock::time_point> first_line_at_;
  std::optional<Clock::time_point> retry_at_;
  std::optional<Clock::time_point> rotate_again_at_;  // after a rename that failed
  std::chrono::milliseconds retry_delay_{0};
  bool told_ = false;  // of the trouble that is still going on
};

}  // namespace hcrc::log

// The tee: streams in, console and file out, in one loop that sleeps in poll(2) and wakes for nothing else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/lines.h"
#include "core/log/console_sink.h"
#include "core/log/file_sink.h"
#include "core/log/format.h"

namespace hcrc::log {

struct TeeSettings {
  std::optional<FileSettings> file;
  bool tee = false;  // to the console as well as to the file; without a file the console is the only sink
  Timestamp timestamp = Timestamp::iso;
  Form form = Form::text;
  std::string prefix;
};

struct InputStream {
  int fd = 0;
  std::string name;  // written before a line where there are several streams; a JSON line has it always
};

// The streams that were handed over: those of LISTEN_FDS (descriptors from 3 on; what is not open is left out) with the
// names of LISTEN_FDNAMES, else stdin.
std::vector<InputStream> handed_over_streams(const char* listen_fds, const char* listen_names);

// Runs until all streams have ended, or SIGTERM or SIGINT came, and the sinks have taken everything or take nothing more. 0,
// or an errno where the loop could not be set up.
[[nodiscard]] int run_tee(const TeeSettings& settings, const std::vector<InputStream>& streams);

}  // namespace hcrc::log

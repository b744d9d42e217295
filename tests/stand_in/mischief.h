// What the stand-in has been told to do wrong. A setting comes from the environment, STAND_IN_READY_AFTER=2s, or from the
// file `stand-in` in the data folder, one a line, `ready-after = 2s`; the file goes first, so that a test can change what
// the next start does. `usage` is the list.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace stand_in {

struct Ending {
  enum class Kind { none, code, signal };
  Kind kind = Kind::none;
  int value = 0;
};

enum class Phase { start, ready };

struct Mischief {
  static constexpr int never = -1;

  Ending crash;
  Phase crash_at = Phase::ready;
  int crash_after_ms = 0;
  int ready_after_ms = 0;     // or never
  int hang_after_ms = never;  // after ready
  bool ignore_stop = false;   // SIGINT does nothing
  int stop_after_ms = 0;      // from SIGINT to the end
  long flood_lines = 0;       // printed at ready; -1: without an end
  int leftovers = 0;          // children in the conductor's own session
  int leftovers_session = 0;  // children in sessions of their own
  long memory_mib = 0;        // taken, and written to, before it is ready
  bool stubborn = false;      // those children ignore SIGTERM and SIGHUP
};

// Reads the settings and counts this start in the data folder. An error is a sentence.
[[nodiscard]] std::expected<Mischief, std::string> read_mischief(const std::string& data_folder);

inline constexpr std::string_view mischief_usage =
    "  crash = exit:CODE | signal:NAME   end this way: exit:3, signal:SEGV, signal:9\n"
    "  crash-at = start | ready          when (ready)\n"
    "  crash-after = TIME                and how long after that (0ms)\n"
    "  ready-after = TIME | never        be slow to become ready (0ms)\n"
    "  hang-after = TIME                 this long after ready, stop answering: neither clients nor SIGINT\n"
    "  stop = ignore | TIME              do nothing on SIGINT, or take this long to end (0ms)\n"
    "  flood = LINES | endless           print this many lines as soon as it is ready\n"
    "  leftovers = N                     fork N children that outlive it, in its session\n"
    "  leftovers-session = N             ... each in a session of its own\n"
    "  stubborn = yes                    these children ignore SIGTERM and SIGHUP\n"
    "  memory = MIB                      take so much memory before it is ready, as the real one does\n"
    "  starts = N                        all of this at the first N starts on a data folder only\n";

}  // namespace stand_in

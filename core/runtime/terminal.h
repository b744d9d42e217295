// The terminal and CMD. Services never get one.
//
// Where the runtime leads the terminal's session (PID 1 of `docker run -t`) it gives the terminal up, since only then can a
// process in a session of its own take it. Where it does not (tini's child, a desk) CMD stays in that session, as its
// foreground process group. Either way a shell has job control.
#pragma once

namespace hcrc {

enum class TerminalRole {
  none,     // CMD gets a session of its own, and the terminal of its stdin where that is nobody's
  gave_up,  // the same, and the terminal is free
  stay,     // CMD stays in the session
};

// In the runtime before it forks CMD, with all signals blocked. The SIGHUP that giving up brings is thrown away.
[[nodiscard]] TerminalRole give_up_terminal();

// In CMD's process, with all signals blocked.
void take_terminal(TerminalRole role);

}  // namespace hcrc

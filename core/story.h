// The supervisor's story in words: lines of the runtime's console, and why a service is as it is. One line an event, that a
// tired person can read; the runtime and `hcrc simulate` use the same.
#pragma once

#include <optional>

#include "core/event.h"
#include "core/supervisor.h"
#include "core/text.h"

namespace hcrc {

// How loud a report is: `detail` is told with -v only, `trouble` with -q too.
enum class Loudness : std::uint8_t { detail, normal, trouble };
Loudness loudness(ReportKind kind);
Loudness loudness(NodeReportKind kind);

// The report as a line without prefix and newline: "holochain: killed by SIGSEGV after 5m3s, restart 2 of 5 in 500ms". To be
// called before the supervisor handles the next event: details of the report lie in the unit.
void tell(const Supervisor& supervisor, const effect::Report& report, TextWriter& line);
void tell(const Supervisor& supervisor, const effect::NodeReport& report, TextWriter& line);

// Why the service is in its state: "waits for setup, which failed". Empty where there is nothing to say.
void why(const Supervisor& supervisor, Slot slot, Instant now, TextWriter& line);

// The service whose state explains this one's: the next link of the chain of causes.
std::optional<Slot> cause_of(const Supervisor& supervisor, Slot slot);

// The state as it stands in a sentence: "web is in backoff", "web is ended".
std::string_view state_in_words(const Unit& unit);

// "5m3s", "1.2s", "250ms": rounded for people.
void put_duration(TextWriter& line, Duration duration);
// "exited with 42", "killed by SIGSEGV", "killed by SIGKILL: out of memory (limit 256M)".
void put_exit(TextWriter& line, const ExitStatus& exit);

}  // namespace hcrc

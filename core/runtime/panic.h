// The one end for what cannot happen: say it, stop what can be stopped, exit. Never a bare abort.
#pragma once

namespace hcrc {

// Called once by a panic, before it exits: ends the processes that are ours without allocating. Set by the runtime.
using PanicHook = void (*)();
void set_panic_hook(PanicHook hook);

// Writes `PROGRAM: what: this is a bug or ...` to stderr and exits 111. Async-signal-safe, allocates nothing.
[[noreturn]] void panic(const char* what) noexcept;

}  // namespace hcrc

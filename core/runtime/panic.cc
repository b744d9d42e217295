#include "core/runtime/panic.h"

#include <unistd.h>

#include <cstring>

namespace hcrc {

namespace {

PanicHook panic_hook = nullptr;

void say(const char* text) {
  // Nothing can be done about a stderr that takes nothing.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
}

}  // namespace

void set_panic_hook(PanicHook hook) { panic_hook = hook; }

void panic(const char* what) noexcept {
  say("hcrc-init: ");
  say(what);
  say(": stopping everything that is left; please report this\n");
  const PanicHook hook = panic_hook;
  panic_hook = nullptr;  // a panic within the hook ends here
  if (hook != nullptr) hook();
  _exit(111);
}

}  // namespace hcrc

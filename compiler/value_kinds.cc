#include "compiler/value_kinds.h"

namespace hcrc::compiler {

KindText kind_text(ValueKind kind) {
  switch (kind) {
    case ValueKind::boolean: return {"boolean", "true or false", "true", ""};
    case ValueKind::choice: return {"word", "a word", "", "one of the words that the key lists, in quotes"};
    case ValueKind::text: return {"text", "a text", R"("text")", "taken as it is, without variables"};
    case ValueKind::octal: return {"octal", "an octal number in quotes", R"("022")", "octal digits in quotes"};
    case ValueKind::integer: return {"integer", "a whole number", "5", ""};
    case ValueKind::decimal: return {"number", "a number", "1.5", "a number with at most 3 decimals"};
    case ValueKind::count: return {"count", "a whole number or \"unlimited\"", "5", "a whole number, or `\"unlimited\"`"};
    case ValueKind::duration:
      return {
          "duration", "a duration", R"("2s")",
          "a text of numbers with `ms`, `s`, `m`, `h`, `d`, the long ones first: `\"250ms\"`, `\"2s\"`, `\"1h30m\"`. A bare "
          "number is an error that says which unit to add"};
    case ValueKind::codes: return {"exit codes", "a list of exit codes", "[42]", "a list of whole numbers from 0 to 255"};
    case ValueKind::signal:
      return {"signal", "a signal's name", R"("SIGTERM")",
              "a name as in signal(7), with or without `SIG`; `\"SIGRTMIN+3\"` is one, too"};
    case ValueKind::path: return {"path", "a path", R"("/path")", "a path, with [variables](#variables-in-texts)"};
    case ValueKind::paths:
      return {"paths", "a list of paths", R"(["/path"])", "a list, each with [variables](#variables-in-texts)"};
    case ValueKind::path_or_paths:
      return {"path or paths", "a path or a list of paths", R"("/path")",
              "one, or a list, each with [variables](#variables-in-texts)"};
    case ValueKind::words:
      return {
          "argv", "a list of words", R"(["/usr/bin/program", "argument"])",
          "a list of words, each with [variables](#variables-in-texts): a program and its arguments. No shell reads it. A "
          "program without "
          "a `/` is looked up in the service's PATH"};
    case ValueKind::account:
      return {"account", "a name or number", R"("nobody")",
              "the name or the number of a user or group of the image, with [variables](#variables-in-texts)"};
    case ValueKind::accounts: return {"accounts", "a list of names or numbers", R"(["adm", "tty"])", "a list of those"};
    case ValueKind::tcp_address:
      return {"HOST:PORT", "an address", R"("127.0.0.1:80")",
              "an address; HOST is a name, an IPv4 address, or an IPv6 address in brackets; with "
              "[variables](#variables-in-texts)"};
    case ValueKind::http_address:
      return {"HOST:PORT/PATH", "an address", R"("127.0.0.1:80/path")", "the same; /PATH may be left out"};
    case ValueKind::service: return {"service", "a service's name", R"("name")", "the name of a service"};
    case ValueKind::services:
      return {"services", "a list of services' names", R"(["name"])",
              "a list of names of services; a bundle stands for what is in it"};
    case ValueKind::instances:
      return {"instances", "a list of names", R"(["a", "b"])", "a list of names of letters, digits, `_`, `.` and `-`"};
    case ValueKind::variable_names:
      return {"names", "a list of variables' names", R"(["NAME"])", "a list of names of environment variables"};
    case ValueKind::variables:
      return {"variables", "a table of variables", R"({ NAME = "value" })",
              "a table of environment variables and their values, with [variables](#variables-in-texts)"};
    case ValueKind::literals:
      return {"values", "a table of variables", R"({ NAME = "value" })",
              "a table of environment variables and values, taken as they are"};
    case ValueKind::limit:
      return {"limit", "a number, a size, \"unlimited\", or a table of soft and hard", "1024",
              "a whole number; a size, as `\"16K\"`, `\"8M\"`, `\"1G\"` (powers of two); `\"unlimited\"`; or a table of two "
              "of these, "
              "`{ soft = 1024, hard = 4096 }`"};
    case ValueKind::capabilities:
      return {"capabilities", "a list of capabilities", R"(["CAP_CHOWN"])",
              "a list of names as in capabilities(7), with or without `CAP_`"};
    case ValueKind::size:
      return {"size", "a size or \"unlimited\"", R"("512M")",
              "a text with a unit, in powers of two: `\"64M\"`, `\"2G\"`; or `\"unlimited\"`. A bare number is an error "
              "that says which unit to add"};
    case ValueKind::cpu_share:
      return {"share of processors", "a share of the processors or \"unlimited\"", R"("50%")",
              "a percentage of one processor, `\"50%\"`, `\"250%\"`; as the kernel's cpu.max has it, microseconds in each "
              "period of microseconds, `\"50000 100000\"`; or `\"unlimited\"`"};
  }
  return {};
}

}  // namespace hcrc::compiler

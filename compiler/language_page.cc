#include "compiler/language_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "compiler/key_table.h"
#include "compiler/value_kinds.h"
#include "core/units.h"

namespace hcrc::compiler {

namespace {

constexpr std::string_view opening = R"(# Definitions of services

<!-- Made from compiler/key_table.cc by `HCRC_GOLDEN_UPDATE=1 compiler-tests`: change it there, or in compiler/language_page.cc. -->

One service a file, `NAME.toml`; the file's name is the service's: letters, digits, `_`, `.` and `-`, at most 63 bytes. Hidden
files, `README*` and folders are skipped; `node.toml` holds the [node's own settings](#nodetoml). `hcrc-compile --check DIR` tells
what is wrong, with the line that would be right; [diagnostics.md](diagnostics.md) explains each message.

```toml
command = ["web-server", "--port", "${PORT:-8080}"]
requires = ["setup"]

[ready]
http = "127.0.0.1:${PORT:-8080}/"
```

An editor that knows TOML (the extension Even Better TOML, taplo) completes and checks definitions by [service.schema.json](service.schema.json)
and [node.schema.json](node.schema.json). Name the schema in a file's first line, by its path or address:

```toml
#:schema ../docs/service.schema.json
```

`for` says which types of service have a key: L longrun, O oneshot, P periodic, B bundle.
)";

constexpr std::string_view closing = R"(
## Variables in texts

`${NAME}` is filled in when the service starts, and `${NAME:-default}` is the default where NAME is unset or empty. They are
looked up in the service's environment (by the values of `[env]`: as it is before `[env]`), then in the runtime's own, its `HCRC_*`
too. One that is unset and has no default fails the start, which names it. Nothing is nested, nothing is split into words. `$$` is
a `$`; a `$` before anything else stands for itself.

## Instances

`instances = ["a", "b"]` makes `NAME@a` and `NAME@b` of one file, each with its `${INSTANCE}`. `NAME` in a list then means all of
them, `OTHER@` OTHER's instance of the same name as one's own.

## Several folders

    hcrc-compile -o node.db services.d my-services.d

A later folder adds services. Where a file's name is there already it says what it does: with `override = "merge"` single keys take
the earlier ones' place, tables key by key, lists as a whole; with `override = "replace"` nothing of the earlier file stays.
)";

// What is said about a table before its keys.
std::string_view table_opening(std::string_view table) {
  if (table == "stdin")
    return "What the service reads on its standard input, afresh at every start: at most 64 KiB. Without it, nothing.";
  if (table == "when") {
    return "All of these must hold, or the service is skipped, which satisfies what depends on it. `env*` is looked at in "
           "the "
           "runtime's environment when the start is asked for, `path*` by the start itself; neither at restarts.";
  }
  if (table == "ready") {
    return "How a longrun is known to be up: one of `notify`, `fd`, `tcp`, `http` and `exec`. Without it: once it runs.\n\n"
           "With `notify`, or a `watchdog`, it is given a NOTIFY_SOCKET and may say what sd_notify(3) says: `READY=1`, "
           "`STATUS=` (shown by `hcrc status`), `WATCHDOG=1`, `EXTEND_TIMEOUT_USEC=` (more time to get ready, or to end), "
           "`STOPPING=1` (it ends by itself, and has its stop's timeout for that); the rest is ignored, `MAINPID=` too. Its "
           "own process may, what lives in its session, and what is gone already if it was of the same user, as a helper "
           "that "
           "a script calls.";
  }
  if (table == "health") return "What is tried again and again once it is ready; failing is a failure of the service.";
  if (table == "restart") return "What follows an end.";
  if (table == "stop") return "How it is asked to end. What is left when the time is over gets SIGKILL.";
  if (table == "schedule") return "When a periodic runs. A run that is still going is never doubled.";
  if (table == "limits") return "As in setrlimit(2).";
  if (table == "resources") {
    return "What all processes of the service may have together: limits of its cgroup, version 2. Where the runtime can "
           "make no cgroup, or its own has not the controller or holds others beside it, one line says so and the service "
           "runs without; with `required = true` its start fails.";
  }
  return "";
}

std::string letters(Definitions definitions) {
  std::string text;
  if (definitions.has(ServiceType::longrun)) text.push_back('L');
  if (definitions.has(ServiceType::oneshot)) text.push_back('O');
  if (definitions.has(ServiceType::periodic)) text.push_back('P');
  if (definitions.has(ServiceType::bundle)) text.push_back('B');
  return text;
}

std::string range(const KeyRow& row) {
  if (!row.choices.empty()) return fmt::format("`{}`", fmt::join(row.choices, "` `"));
  if (row.kind == ValueKind::octal) return fmt::format("to `\"{:04o}\"`", row.most);
  if (row.kind == ValueKind::text) return row.most == 0 ? "" : fmt::format("to {} bytes", row.most);
  if (row.least == 0 && row.most == 0) return "";
  if (row.kind == ValueKind::duration) {
    return fmt::format("{} to {}", format_duration(Milliseconds(row.least)), format_duration(Milliseconds(row.most)));
  }
  if (row.kind == ValueKind::decimal) {
    return fmt::format("{} to {}", static_cast<double>(row.least) / 1'000, static_cast<double>(row.most) / 1'000);
  }
  return fmt::format("{} to {}", row.least, row.most);
}

std::string key_rows(bool node, std::string_view table) {
  std::string text = node ? "\n| key | type | default | range | is |\n|---|---|---|---|---|\n"
                          : "\n| key | for | type | default | range | is |\n|---|---|---|---|---|---|\n";
  for (const KeyRow& row : key_table()) {
    if (row.definitions.node() != node || row.table != table) continue;
    const std::string_view type = kind_text(row.kind).name;
    const std::string fallback = row.fallback.empty() ? "" : fmt::format("`{}`", row.fallback);
    text.append(fmt::format("| `{}` |{} {} | {} | {} | {} |\n", row.name,
                            node ? "" : fmt::format(" {} |", letters(row.definitions)), type, fallback, range(row),
                            row.help));
  }
  return text;
}

// The tables of the page, in the order of the key table.
std::vector<std::string_view> tables() {
  std::vector<std::string_view> names;
  for (const KeyRow& row : key_table()) {
    if (row.definitions.node() || row.table.empty()) continue;
    if (names.empty() || names.back() != row.table) names.push_back(row.table);
  }
  return names;
}

// The kinds that some key has, each once, by name.
std::string kinds() {
  std::vector<KindText> used;
  for (const KeyRow& row : key_table()) {
    const KindText kind = kind_text(row.kind);
    if (std::ranges::find(used, kind.name, &KindText::name) == used.end()) used.push_back(kind);
  }
  std::ranges::sort(used, {}, &KindText::name);
  std::string text = "\n## Types of values\n\n| type | is | as in |\n|---|---|---|\n";
  for (const KindText& kind : used) {
    const std::string_view says = kind.explanation.empty() ? kind.what : kind.explanation;
    text.append(
        fmt::format("| {} | {} | {} |\n", kind.name, says, kind.example.empty() ? "" : fmt::format("`{}`", kind.example)));
  }
  return text;
}

}  // namespace

std::string language_page() {
  std::string page(opening);
  page.append("\n## Keys of the service itself\n\nThey stand above the first `[table]`.\n").append(key_rows(false, ""));
  for (const std::string_view table : tables()) {
    page.append(fmt::format("\n## [{}]\n", table));
    if (const auto says = table_opening(table); !says.empty()) page.append("\n").append(says).append("\n");
    page.append(key_rows(false, table));
  }
  page.append("\n## node.toml\n").append(key_rows(true, ""));
  page.append(kinds()).append(closing);
  return page;
}

}  // namespace hcrc::compiler

#include "compiler/diagnostic_codes.h"

#include <array>
#include <cstddef>

namespace hcrc::compiler {

namespace {

// In an explanation a line that begins with four blanks is an example.
constexpr auto table = std::to_array<CodeRow>({
    {Code::syntax_error, "E001", "the file is no TOML",
     R"(The text breaks the rules of TOML (https://toml.io), so nothing can be read from it. The diagnosis of this file ends
here, that of the others goes on; the service that it names stays known, so that nobody who names it is told that it does
not exist. A key or a table that is written twice counts as this, too.

    command = [sleep, 60]        # wrong: a text stands in quotes
    command = ["sleep", "60"]    # right)"},
    {Code::too_deep, "E002", "keys or brackets are nested too deeply",
     R"(A key has at most 16 parts with dots between them, and brackets are nested at most 64 deep. No definition needs more than
three.)"},
    {Code::bad_utf8, "E003", "the file is not UTF-8",
     R"(Definitions are UTF-8, with or without a byte order mark. The place is that of the first byte that is none. Save the file
as UTF-8; to see the byte: `grep -naxv '.*' FILE`.)"},
    {Code::file_too_big, "E004", "the file is too big",
     R"(A definition has at most 1 MiB. What a service reads as data belongs in a file of its own: `[stdin] file`, `env-files`.)"},
    {Code::not_a_file, "E005", "this is no file of the folder",
     R"(A name that ends in `.toml` has to be a regular file, or a link to one that lies in the same folder: no folder (container
engines make one where a file that was to be mounted is missing), no FIFO, socket or device, no dangling link, and no link
that leads out of the folder.)"},
    {Code::bad_file_name, "E006", "the file's name cannot be a service's",
     R"(The service in `NAME.toml` is called NAME. A name begins with a letter or a digit, goes on with letters, digits, `_`, `.`
and `-`, and has at most 63 bytes. Letters are those of ASCII: others look alike.)"},
    {Code::defined_twice, "E007", "the service is defined twice",
     R"(An earlier folder defines a service of the same name, and this file does not say what that means. Say it:

    override = "merge"      # table by table, key by key; any other value, lists too, takes the earlier one's place
    override = "replace"    # nothing of the earlier definition stays)"},
    {Code::no_service, "E008", "there is no service",
     R"(The folders hold no definition: no `NAME.toml` besides `node.toml`. Most often the folder is not the one that was meant.)"},
    {Code::too_many_services, "E009", "there are too many services",
     R"(A database holds at most 65,536 services, with each instance and each bundle counted as one.)"},
    {Code::too_large, "E010", "the definitions are too large",
     R"(A database has at most 64 MiB. What grows is instances times what each has, and lists that name bundles: each of them
stands for all that is in it.)"},

    {Code::unknown_key, "E020", "there is no such key",
     R"(The key is none of the language, or none of this table. The note says the nearest one, or where the key belongs. Keys that
follow a `[table]` belong to that table: keys of the service itself stand above the first one.)"},
    {Code::unknown_table, "E021", "there is no such table",
     R"(The table is none of the language. The note says the nearest one.)"},
    {Code::wrong_type, "E022", "the value is of another type",
     R"(The key takes another kind of value than the one that is written.

    command = "sleep 60"          # wrong: no shell splits it into words
    command = ["sleep", "60"]     # right
    autostart = "true"            # wrong
    autostart = true              # right)"},
    {Code::missing_unit, "E023", "a unit is missing",
     R"(A duration or a size is a text with a unit. A bare number would leave open whether seconds or milliseconds were meant.

    delay = 2          # wrong
    delay = "2s"       # right, as are "250ms", "5m", "24h", "1h30m")"},
    {Code::bad_quantity, "E024", "this is no duration or size",
     R"(Durations are numbers with `ms`, `s`, `m`, `h`, `d`, the long ones first: `250ms`, `2s`, `1h30m`. Sizes are a number with
`K`, `M`, `G` or `T`, powers of two: `16M`. A share of the processors is a percentage of one of them, `50%` or `250%`, or
microseconds in each period of microseconds, `50000 100000`.)"},
    {Code::out_of_range, "E025", "the value is out of range", R"(The note says the least and the most that the key takes.)"},
    {Code::unknown_choice, "E026", "this is none of the words that the key takes",
     R"(The key takes one of a few words; the note lists them.)"},
    {Code::duplicate, "E027", "a list names something twice",
     R"(A name, path or code stands in a list more than once. It would change nothing, so something else was probably meant.)"},
    {Code::empty_value, "E028", "the value is empty",
     R"(An empty text, or an empty list, where something has to be named. Leave the key out where nothing is meant.)"},
    {Code::unusable_text, "E029", "the text holds a NUL",
     R"(No argument, path or environment variable of a process can hold the character NUL (`\u0000`).)"},
    {Code::bad_variable, "E030", "this ${ is no variable",
     R"(`${NAME}` stands for a variable of the environment, `${NAME:-default}` for the same with a default where it is unset or
empty. A name has letters, digits and `_`, and does not begin with a digit. Nothing is nested, and there is no other form.
`$$` is a `$`; a `$` before anything but `{` or `$` stands for itself.

    "${DATA:-/data}/log"     # right
    "${DATA-/data}/log"      # wrong: the `:` is missing
    "$${DATA}"               # right: the text ${DATA})"},
    {Code::bad_address, "E031", "this is no address",
     R"(A check takes `HOST:PORT`, one by `http` also `HOST:PORT/PATH`. HOST is a name, an IPv4 address, or an IPv6 address in
brackets: `127.0.0.1:4444`, `[::1]:80/health`. No `http://` in front.)"},
    {Code::bad_signal, "E032", "there is no such signal",
     R"(Signals are called as in signal(7), with or without `SIG`: `SIGTERM`, `INT`, `SIGRTMIN+3`.)"},
    {Code::unknown_capability, "E033", "there is no such capability",
     R"(Capabilities are called as in capabilities(7), with or without `CAP_`: `CAP_NET_BIND_SERVICE`, `CHOWN`.)"},
    {Code::bad_variable_name, "E034", "this cannot be the name of a variable",
     R"(The name of an environment variable is not empty and holds no `=`, no blank and no control character. A condition names
the variable alone: `env-set = ["NAME"]`, `env = { NAME = "value" }`.)"},
    {Code::bad_umask, "E035", "this is no umask", R"(A umask is an octal number in quotes, up to 0777: `umask = "022"`.)"},
    {Code::bad_instance_name, "E036", "this cannot be the name of an instance",
     R"(Instance `a` of `NAME` is called `NAME@a`: letters, digits, `_`, `.` and `-`, at most 63 bytes.)"},

    {Code::missing_command, "E040", "the service has no command",
     R"(A longrun, a oneshot and a periodic run something:

    command = ["/usr/bin/program", "argument"])"},
    {Code::missing_contents, "E041", "the bundle has no contents",
     R"(A bundle is a name for other services:

    type = "bundle"
    contents = ["web", "database"])"},
    {Code::key_of_another_type, "E042", "the key belongs to another type of service",
     R"(Not every key makes sense for every type. The note says which types have it. A definition without `type` is a longrun.)"},
    {Code::two_ready_checks, "E043", "there are two ways to be ready",
     R"(`[ready]` has one of `notify`, `fd`, `tcp`, `http` and `exec`.)"},
    {Code::two_health_checks, "E044", "there are two health checks",
     R"(`[health]` has one of `http`, `tcp` and `exec`; `watchdog` may stand beside it.)"},
    {Code::contradictory_exit_code, "E045", "an exit code is a success and a permanent failure",
     R"(`success-codes` (`[0]` where it is not written) and `permanent-codes` have a code in common.)"},
    {Code::max_delay_below_delay, "E046", "max-delay is below delay",
     R"(The delay grows from `delay` up to `max-delay`. Where `max-delay` is not written it is 60s, and 1s for a service that
others log to.)"},
    {Code::exhausted_under_unlimited, "E047", "attempts that are never used up",
     R"(`exhausted` says what follows the last attempt, and under `attempts = "unlimited"` there is none. A service that others
log to has unlimited attempts where nothing is written.)"},
    {Code::contradictory_limit, "E048", "the limit contradicts itself",
     R"(A soft limit is not above its hard one, and both are written: `nofile = { soft = 1024, hard = 4096 }`. A single value is
both.)"},
    {Code::contradictory_condition, "E049", "the conditions can never hold together",
     R"(All conditions of `[when]` must hold, and these two exclude each other, so the service would be skipped always.)"},

    {Code::unknown_service, "E060", "there is no such service",
     R"(No file defines a service of this name. The note says the nearest one. Instances are called `NAME@INSTANCE`.)"},
    {Code::depends_on_itself, "E061", "the service depends on itself",
     R"(A service cannot wait for itself. In a service with instances, its own name stands for all of them.)"},
    {Code::cycle, "E062", "the services wait for each other",
     R"(`requires`, `wants`, `after`, `before`, `binds-to` and `log-to` order services, and these have an order in which each comes
before itself: none of them could ever start. A bundle stands for what is in it. The notes are the way around, one of the
shortest; take one of its steps out. `after` in place of `requires` does not help: it orders, too.)"},
    {Code::bad_log_target, "E063", "this cannot receive a log",
     R"(`log-to` names one longrun, whose process reads the lines. A bundle, a oneshot or a periodic cannot do that; where a
service has instances, one of them is meant: `NAME@INSTANCE`, or `NAME@` for the one of the same name.)"},
    {Code::several_producers, "E064", "the logger can have one producer only",
     R"(Every producer has a pipe of its own, so that lines never mix. Only `hcrc-log` knows how to read several of them; another
program has one, as its standard input.)"},
    {Code::no_such_instances, "E065", "there are no instances to connect",
     R"(`OTHER@` stands for OTHER's instance of the same name as one's own: both services have `instances`, and OTHER has at least
those that this one has.)"},
    {Code::ready_descriptor_taken, "E066", "the descriptor for readiness is taken",
     R"(A service that others log to is handed one descriptor for each of them, from 3 on. Choose a number for `[ready] fd` above
those.)"},

    {Code::stray_file, "W001", "the file is no definition",
     R"(The folder holds a file whose name does not end in `.toml`. It is not read. Hidden files, `README*` and folders may be
there without a warning.)"},
    {Code::stop_too_long, "W002", "stopping may take longer than the deadline",
     R"(Services stop one after the other along their dependencies. The `[stop] timeout`s that are written on this path add up to
more than `stop-deadline` (`node.toml`; 9s where it is not written) less the reserve for sweep and loggers (1.5s, or a quarter
of the deadline where that is less). Whoever comes last is killed before its own time is over.)"},
    {Code::no_path, "W003", "the program has to be looked up without a PATH",
     R"(A program's name without a `/` is looked up in the PATH of the service, and `env-clear` leaves it none. Write the whole
path, or give it a PATH in `[env]`.)"},
    {Code::secret_in_definition, "W004", "this looks like a secret",
     R"(A database can be read by everybody, and so can the image that it lies in. Give the service the path of a secret
(`[stdin] file`, `env-files`) or take it from the container's environment (`${NAME}`).)"},
    {Code::no_effect, "W005", "the key has no effect",
     R"(The key is right by itself, but nothing looks at it beside what else is written.)"},
    {Code::overrides_nothing, "W006", "the definition overrides nothing",
     R"(`override` is written, and no earlier folder defines this service. Most often one of the two file names is mistyped.)"},
    {Code::shared_lock, "W007", "the instances share one lock",
     R"(The path of `lock` is the same for every instance, so that only one of them ever runs. Put `${INSTANCE}` into it.)"},
    {Code::shell_variable, "W008", "the shell never sees this variable",
     R"(In the text behind `sh -c` a `${NAME}` is filled in by hcrc, before the shell reads it: from the service's environment as
hcrc gives it, not from what the shell has set, and what is in it (blanks, quotes, `;`) becomes part of the program.

    command = ["sh", "-c", "N=5; exec web ${N}"]                    # wrong: hcrc has no N
    command = ["sh", "-c", "N=5; exec web $N"]                      # right: a $ without { is the shell's, as is $${N}
    command = ["sh", "-c", "exec web \"$1\"", "sh", "${PORT:-80}"]    # right: hcrc fills in an argument)"},
    {Code::unused_bundle, "W009", "nothing uses the bundle",
     R"(A bundle is a name for other services. No list names this one, and it does not start at boot, so it changes nothing. Where it
is there for people (`hcrc start NAME`, `hcrc-init --target NAME`), say so:

    autostart = false)"},
    {Code::unreachable_order, "W010", "the order is with a service that nothing starts",
     R"(`after` and `before` order two services where both are started; they start nothing. The one that is named does not start at
boot, and nothing that does requires, wants or contains it. `wants` starts it along and waits for it.)"},
    {Code::essential_never_ends, "W011", "an essential service that never ends",
     R"(The node stops when an essential service ends for good. This one is restarted after every end, without a limit, so that never
happens. Give it a number of attempts, or name the exit codes that no restart cures:

    [restart]
    attempts = 5
    permanent-codes = [42])"},
});

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].code) != i) return false;
    if (i > 0 && table[i].id <= table[i - 1].id) return false;
  }
  return true;
}
static_assert(in_order() && table.size() == static_cast<std::size_t>(Code::essential_never_ends) + 1);

}  // namespace

std::span<const CodeRow> diagnostic_codes() { return table; }

const CodeRow& row(Code code) { return table[static_cast<std::size_t>(code)]; }

Severity severity(Code code) { return row(code).id[0] == 'W' ? Severity::warning : Severity::error; }

std::optional<Code> find_code(std::string_view id) {
  for (const CodeRow& one : table) {
    if (one.id == id) return one.code;
  }
  return std::nullopt;
}

std::string explain(Code code) {
  std::string text;
  text.append(row(code).id).append(": ").append(row(code).title).append("\n\n").append(row(code).explanation).append("\n");
  return text;
}

std::string diagnostics_page() {
  std::string page =
      "# Diagnostics of hcrc-compile\n\n"
      "<!-- Made from compiler/diagnostic_codes.cc by `HCRC_GOLDEN_UPDATE=1 compiler-tests`: change it there. -->\n\n"
      "    FILE:LINE:COLUMN: error: what is wrong [CODE]\n\n"
      "Every mistake of every file is reported in one run, sorted by file and line. A code keeps its meaning for good; "
      "`hcrc-compile\n--explain CODE` prints its explanation. Errors (E) let nothing be written; warnings (W) do, unless "
      "`--werror` is given.\n";
  for (const CodeRow& one : table) {
    page.append("\n## ").append(one.id).append(": ").append(one.title).append("\n\n").append(one.explanation).append("\n");
  }
  return page;
}

}  // namespace hcrc::compiler

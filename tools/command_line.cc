#include "tools/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <utility>
#include <vector>

#include "core/bounds.h"
#include "core/units.h"

namespace hcrc {

namespace {

using Parsed = std::variant<Command, SimulateCommand, Finished>;

// What the options were set to; each verb reads its own.
struct Words {
  std::string run_dir;
  std::vector<std::string> names;
  std::string name;  // of a verb that takes one
  std::string signal;
  std::string timeout;
  std::string exit_code;
  bool json = false;
  bool watch = false;
  bool no_wait = false;
  bool dry_run = false;
  std::string database;  // of update
  bool up = false;
  bool down = false;
  bool settled = false;
  std::string until;
  std::string seed;
  SimulateCommand simulate;
};

constexpr const char* simulate_help =
    "T is a time such as 90s, from the start on. A fault is one of\n"
    "  NAME=exit:CODE@T    its process ends with this code at T, if it has one then\n"
    "  NAME=signal:SIG@T   the same by a signal\n"
    "  NAME=hang@T         the process that it has at T hangs: answers nothing, does not hear its stop signal\n"
    "  NAME=unready        its processes never become ready (those of a oneshot never end)\n"
    "All that is not said goes well and takes a few milliseconds. Conditions on paths are taken to hold; those on the\n"
    "environment are judged in the environment of this command, which also gives HCRC_TARGET, HCRC_STOP_DEADLINE,\n"
    "HCRC_ON_EXHAUSTED and HCRC_SEED, as hcrc-init would take them.\n"
    "--runs tries histories of random kills, hangs and lacks of readiness in their first ten minutes, followed by calm and "
    "a\n"
    "shutdown at which some processes do not hear their stop signal. The n-th has the seed SEED + n - 1; `--runs 1 --seed "
    "S`\n"
    "shows one of them.\n"
    "Exit codes: 0 the node recovers, 1 it does not: it exits, or something wanted is not up at the end; 3 no such "
    "service,\n"
    "100 usage, 111 system failure.";

constexpr const char* exit_codes =
    "Exit codes: 0 done, 1 it failed or is not so, 2 timed out, 3 no such service, 4 no runtime reachable,\n"
    "100 usage, 111 system failure.";

class CommandLine {
 public:
  CommandLine() : app_("Asks and commands the node that hcrc-init keeps running.", "hcrc") {
    app_.set_version_flag("--version", "hcrc " HCRC_VERSION);
    app_.add_option("--run-dir", words_.run_dir, "Where the runtime lives (else HCRC_RUN_DIR, else the usual places)")
        ->type_name("DIR");
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.footer(exit_codes);
    add_questions();
    add_commands();
    add_simulate();
  }

  Parsed parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return told(error);
    }
    if (simulate_->parsed()) return simulate_command();
    for (const auto& [verb, subcommand] : verbs_) {
      if (subcommand->parsed()) return command(verb);
    }
    return mistake("no verb", {});
  }

 private:
  CLI::App* add(Verb verb, const char* description) {
    CLI::App* subcommand = app_.add_subcommand(std::string(text(verb)), description);
    verbs_.emplace_back(verb, subcommand);
    return subcommand;
  }
  CLI::Option* add_names(CLI::App* verb, const char* description) {
    return verb->add_option("NAME", words_.names, description)->type_name("");
  }
  void add_name(CLI::App* verb) { verb->add_option("NAME", words_.name, "The service")->required()->type_name(""); }
  CLI::Option* add_timeout(CLI::App* verb, const char* description) {
    return verb->add_option("--timeout", words_.timeout, description)->type_name("D");
  }

  void add_questions() {
    CLI::App* status = add(Verb::status, "The node and its services: state, since when, and why");
    add_names(status, "Only these services");
    CLI::Option* json = status->add_flag("--json", words_.json, "One JSON object");
    status->add_flag("--watch", words_.watch, "Again and again, until interrupted")->excludes(json);

    add(Verb::list, "The names of all services and bundles");
    add_name(add(Verb::why, "Why a service is as it is: the chain of causes"));

    CLI::App* wait = add(Verb::wait, "Waits until services are up, down or settled; without names: all that are wanted");
    wait->add_flag("--up", words_.up, "0 when each is up or skipped, 1 as soon as one is settled otherwise");
    wait->add_flag("--down", words_.down, "Until none has a process or will get one");
    wait->add_flag("--settled", words_.settled, "Until each has come to where it stays for now");
    add_names(wait, "The services");
    add_timeout(wait, "How long at most, such as 30s; also for the runtime to appear");

    add(Verb::health, "Whether all that is essential is well: exit 0, or 1 and a line that names the worst");
  }

  void add_commands() {
    const std::pair<Verb, const char*> commands[] = {
        {Verb::start, "Starts services and what they require, with cleared history"},
        {Verb::stop, "Stops services, what depends on them first"},
        {Verb::restart, "Stops services and starts them again"},
    };
    for (const auto& [verb, description] : commands) {
      CLI::App* subcommand = add(verb, description);
      add_names(subcommand, "The services")->required();
      CLI::Option* no_wait = subcommand->add_flag("--no-wait", words_.no_wait, "Do not wait until it is done");
      add_timeout(subcommand, "How long to wait for it at most, such as 30s; it goes on all the same")->excludes(no_wait);
    }
    CLI::App* signal = add(Verb::signal, "Sends a signal to a service's own process");
    add_name(signal);
    signal->add_option("SIG", words_.signal, "Such as HUP or SIGUSR1")->required()->type_name("");

    CLI::App* update = add(Verb::update, "Puts another database in force: restarts, stops and starts only what changes");
    update->add_option("DB", words_.database, "The database, as hcrc-compile wrote it")->required()->type_name("");
    CLI::Option* dry_run = update->add_flag("--dry-run", words_.dry_run, "Only tell what would be done");
    CLI::Option* no_wait = update->add_flag("--no-wait", words_.no_wait, "Do not wait until it is done")->excludes(dry_run);
    add_timeout(update, "How long to wait for it at most, such as 30s; it goes on all the same")->excludes(no_wait);

    CLI::App* shutdown = add(Verb::shutdown, "Stops the node");
    shutdown->add_option("--exit-code", words_.exit_code, "What the runtime then exits with: 0 to 255")->type_name("N");
  }

  void add_simulate() {
    SimulateCommand& words = words_.simulate;
    simulate_ =
        app_.add_subcommand("simulate", "What would happen if: a database under the real state machine, without a node");
    simulate_->footer(simulate_help);
    simulate_->add_option("DB", words.database, "The database, as hcrc-compile wrote it")->required()->type_name("");
    CLI::Option* fail = simulate_->add_option("--fail", words.faults, "What goes wrong; may be given again and again");
    fail->type_name("FAULT")->allow_extra_args(false)->take_all();
    simulate_
        ->add_option("--until", words_.until,
                     "How long (else 10m after the last fault, or longer where holds and timeouts in the database are)")
        ->type_name("T");
    simulate_->add_option("--seed", words_.seed, "Of the jitter in delays, and of --runs (else HCRC_SEED, else 1)")
        ->type_name("N");
    CLI::Option* runs = simulate_->add_option("--runs", words.runs, "So many random histories, and the worst of them");
    runs->type_name("N")->check(CLI::Range(1, 1'000'000))->excludes(fail)->excludes("--until");
    CLI::Option* json = simulate_->add_flag("--json", words.json, "One JSON object");
    simulate_->add_option("--svg", words.svg, "Draws it into a file; with --runs 1 only")->type_name("FILE")->excludes(json);
  }

  Parsed simulate_command() {
    SimulateCommand& command = words_.simulate;
    if (command.runs.value_or(1) != 1 && !command.svg.empty())
      return mistake("--svg draws one history, not many", "simulate");
    if (!words_.seed.empty()) {
      std::uint64_t seed = 0;
      const char* const last = words_.seed.data() + words_.seed.size();
      const auto [end, error] = std::from_chars(words_.seed.data(), last, seed);
      if (error != std::errc() || end != last)
        return mistake("--seed needs a whole number, not '" + words_.seed + "'", "simulate");
      command.seed = seed;
    }
    if (words_.until.empty()) return command;
    const auto until = parse_duration(words_.until);
    if (!until) return no_duration("--until", words_.until, until.error());
    command.until = *until;
    return command;
  }

  static Finished no_duration(const char* option, const std::string& word, UnitError error) {
    return {.code = exit_code::usage,
            .text = std::string(option) + ' ' + word + " is no duration: " + std::string(advice_for_duration(error))};
  }

  // What CLI11 has to say: its help and version, or its complaint as a sentence of ours.
  Finished told(const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      std::ostringstream out;
      app_.exit(error, out, out);
      return {.code = exit_code::done, .text = out.str()};
    }
    std::string what = error.what();
    std::replace(what.begin(), what.end(), '\n', ' ');
    if (app_.get_subcommands().empty() && error.get_name() == "RequiredError") {
      const std::vector<std::string> rest = app_.remaining();
      what = rest.empty() ? "no verb" : "no verb '" + rest.front() + "'";
    }
    return mistake(what, app_.get_subcommands().empty() ? "" : app_.get_subcommands().front()->get_name());
  }

  static Finished mistake(const std::string& what, const std::string& verb) {
    return {.code = exit_code::usage, .text = what + ": see hcrc " + (verb.empty() ? "" : verb + ' ') + "--help"};
  }

  Parsed command(Verb verb) {
    Command command{.verb = verb,
                    .request = std::string(text(verb)),
                    .run_dir = words_.run_dir,
                    .json = words_.json,
                    .watch = words_.watch,
                    .timeout = {}};
    if (!words_.name.empty()) words_.names.push_back(words_.name);
    if (verb == Verb::update) {
      // The runtime reads it, and may be in another folder.
      const std::string path = std::filesystem::absolute(words_.database).string();
      if (!can_be_name(path)) {
        return mistake("the path '" + path + "' holds blanks or control characters: copy or link it elsewhere", "update");
      }
      words_.names.push_back(path);
    }
    for (const std::string& name : words_.names) {
      if (!can_be_name(name))
        return Finished{.code = exit_code::no_such_service, .text = "no service can be named '" + name + "'"};
      command.request += ' ' + name;
    }
    if (!words_.signal.empty()) command.request += ' ' + words_.signal;
    if (words_.no_wait) command.request += " --no-wait";
    if (words_.dry_run) command.request += " --dry-run";
    if (words_.up) command.request += " --up";
    if (words_.down) command.request += " --down";
    if (words_.settled) command.request += " --settled";
    if (!words_.exit_code.empty()) command.request += " --exit-code " + words_.exit_code;
    if (command.request.size() >= bounds::control_line_bytes) {
      return Finished{.code = exit_code::usage, .text = "more names than fit one request: name fewer at a time"};
    }
    // The runtime would say the same; here it costs no runtime.
    if (const auto request = parse_request(command.request); !request) {
      return mistake(std::string(request.error().view()), std::string(text(verb)));
    }
    if (words_.timeout.empty()) return command;
    const auto timeout = parse_duration(words_.timeout);
    if (!timeout) return no_duration("--timeout", words_.timeout, timeout.error());
    command.timeout = *timeout;
    return command;
  }

  CLI::App app_;
  Words words_;
  std::vector<std::pair<Verb, CLI::App*>> verbs_;
  CLI::App* simulate_ = nullptr;
};

}  // namespace

std::variant<Command, SimulateCommand, Finished> parse_command_line(int argc, const char* const* argv) {
  return CommandLine().parse(argc, argv);
}

}  // namespace hcrc

#include "core/simulation/scenario.h"

#include <algorithm>
#include <charconv>

#include "core/units.h"

namespace hcrc::simulation {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view forms = "use NAME=exit:CODE@T, NAME=signal:SIG@T, NAME=hang@T or NAME=unready";
constexpr Duration for_ever = hours(24 * 365 * 100);

ServiceType type_of(const format::ServiceRecord& rule) { return static_cast<ServiceType>(rule.type); }

std::unexpected<ScenarioError> malformed(std::string_view word, std::string_view what) {
  return std::unexpected(ScenarioError{.kind = ScenarioError::Kind::malformed,
                                       .sentence = "--fail " + std::string(word) + ": " + std::string(what)});
}

std::optional<int> number(std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

bool can_be_unready(const format::ServiceRecord& rule) {
  return type_of(rule) != ServiceType::longrun || static_cast<ReadyKind>(rule.ready_kind) != ReadyKind::spawned;
}

// What stands between `=` and `@`, as kind and status; the error says what is wrong with it.
std::expected<Fault, std::string> parse_what(std::string_view what) {
  Fault fault;
  if (what == "hang") {
    fault.kind = Fault::Kind::hangs;
    return fault;
  }
  if (what.starts_with("exit:")) {
    const auto code = number(what.substr(5), 0, 255);
    if (!code) return std::unexpected("an exit code is a number from 0 to 255");
    fault.status = {.kind = ExitStatus::Kind::code,
                    .value = static_cast<std::uint8_t>(*code),
                    .out_of_memory = false,
                    .memory_limit = 0};
    return fault;
  }
  if (what.starts_with("signal:")) {
    const std::string_view name = what.substr(7);
    const auto signal = number(name, 1, signals::highest);
    const auto named = signal ? signal : signal_number(name);
    if (!named) return std::unexpected("no signal '" + std::string(name) + "': use one such as SIGSEGV");
    fault.status = {.kind = ExitStatus::Kind::signal,
                    .value = static_cast<std::uint8_t>(*named),
                    .out_of_memory = false,
                    .memory_limit = 0};
    return fault;
  }
  return std::unexpected(std::string(forms));
}

Behaviour unready() {
  Behaviour behaviour;
  behaviour.ready_after.reset();
  behaviour.probes_good = false;
  behaviour.ends_after = for_ever;
  return behaviour;
}

}  // namespace

std::expected<std::vector<Fault>, ScenarioError> parse_fault(std::string_view word, const Database& database) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return malformed(word, forms);
  const std::string_view name = word.substr(0, equals);
  const std::string_view rest = word.substr(equals + 1);
  Fault fault;
  if (rest == "unready") {
    fault.kind = Fault::Kind::unready;
  } else {
    const std::size_t at = rest.rfind('@');
    const auto what = parse_what(rest.substr(0, at));
    if (!what) return malformed(word, what.error());
    if (at == std::string_view::npos) return malformed(word, "say when, such as @30s");
    const auto time = parse_duration(rest.substr(at + 1));
    if (!time) return malformed(word, advice_for_duration(time.error()));
    fault = *what;
    fault.at = *time;
  }
  const auto slot = database.find(name);
  if (!slot) {
    return std::unexpected(ScenarioError{.kind = ScenarioError::Kind::no_such_service,
                                         .sentence = "no service '" + std::string(name) + "' in the database"});
  }
  std::vector<Slot> slots = {*slot};
  if (type_of(database.service(*slot)) == ServiceType::bundle)
    slots.assign(database.contents(*slot).begin(), database.contents(*slot).end());
  std::vector<Fault> faults;
  for (const Slot one : slots) {
    if (fault.kind == Fault::Kind::unready && !can_be_unready(database.service(one))) {
      return malformed(word, std::string(database.name(one)) + " counts as ready when it is spawned: it has no [ready]");
    }
    fault.slot = one;
    faults.push_back(fault);
  }
  return faults;
}

void inflict(World& world, std::span<const Fault> faults) {
  for (const Fault& fault : faults) {
    switch (fault.kind) {
      case Fault::Kind::ends: world.crash(fault.at, fault.slot, fault.status); break;
      case Fault::Kind::hangs: world.hang(fault.at, fault.slot); break;
      case Fault::Kind::unready:
        if (fault.at == Duration::zero()) {
          world.behaviour(fault.slot) = unready();
        } else {
          world.change(fault.at, fault.slot, unready());
        }
        if (fault.until) world.change(*fault.until, fault.slot, Behaviour{});
        break;
    }
  }
}

bool checked(const format::ServiceRecord& rule) {
  if (type_of(rule) == ServiceType::longrun)
    return static_cast<HealthKind>(rule.health_kind) != HealthKind::none || rule.watchdog_ms >= 0;
  return rule.timeout_ms >= 0;
}

std::vector<Fault> random_faults(const Database& database, std::uint64_t seed, Duration span) {
  // Other numbers than those that the supervisor draws from the same seed.
  Random random(seed ^ 0x6663656661756c74u);
  const auto upto = [&random](Duration most) {
    const auto milliseconds = std::chrono::duration_cast<Milliseconds>(most).count();
    return Milliseconds(static_cast<std::int64_t>(random.upto(static_cast<std::uint64_t>(milliseconds))));
  };
  std::vector<Slot> slots;
  for (Slot slot = 0; slot < database.size(); ++slot) {
    if (type_of(database.service(slot)) != ServiceType::bundle) slots.push_back(slot);
  }
  std::vector<Fault> faults;
  if (slots.empty()) return faults;
  const std::uint64_t count = 1 + random.upto(std::min<std::size_t>(3 + slots.size() / 2, 30));
  for (std::uint64_t i = 0; i < count; ++i) {
    Fault fault;
    fault.slot = slots[random.upto(slots.size() - 1)];
    const format::ServiceRecord& rule = database.service(fault.slot);
    // Some at the very start, when oneshots run and nothing is ready yet.
    fault.at = random.upto(3) == 0 ? upto(Milliseconds(10)) : upto(span);
    const bool by_signal = random.upto(1) == 0;
    fault.status = {.kind = by_signal ? ExitStatus::Kind::signal : ExitStatus::Kind::code,
                    .value = by_signal ? std::uint8_t{signals::sigkill} : std::uint8_t{1},
                    .out_of_memory = false,
                    .memory_limit = 0};
    const std::uint64_t kind = random.upto(3);
    if (kind == 0 && checked(rule)) {
      fault.kind = Fault::Kind::hangs;
    } else if (kind == 1 && can_be_unready(rule) && (type_of(rule) == ServiceType::longrun || checked(rule))) {
      // It ends, and what takes its place is not ready for a while.
      faults.push_back(fault);
      fault.kind = Fault::Kind::unready;
      fault.until = std::min<Duration>(span, fault.at + upto(span / 4));
    } else if (kind == 2) {
      const std::uint64_t more = random.upto(7);
      for (std::uint64_t again = 0; again < more && fault.at < span; ++again) {
        faults.push_back(fault);
        fault.at += upto(seconds(10));
      }
    }
    faults.push_back(fault);
  }
  return faults;
}

Duration time_to_recover(const Database& database) {
  std::int64_t restart = 0, ready = 0, health = 0, stop = 0;
  for (const format::ServiceRecord& rule : database.services()) {
    const bool holds = static_cast<Exhausted>(rule.exhausted) == Exhausted::hold;
    restart = std::max({restart, 2 * rule.restart_max_delay_ms, holds ? rule.restart_hold_ms : 0});
    ready = std::max({ready, type_of(rule) == ServiceType::longrun ? rule.ready_timeout_ms : rule.timeout_ms});
    const std::int64_t probes = std::int64_t{rule.health_failures} * (rule.health_interval_ms + rule.health_timeout_ms);
    const bool probed = static_cast<HealthKind>(rule.health_kind) != HealthKind::none;
    health = std::max({health, probed ? std::min(probes, bounds::duration_ms) : 0, rule.watchdog_ms});
    stop = std::max(stop, rule.stop_timeout_ms);
  }
  const Milliseconds all(restart + ready + health + stop);
  return std::clamp<Duration>(std::min<Milliseconds>(all, hours(24)), minutes(10), hours(24));
}

}  // namespace hcrc::simulation

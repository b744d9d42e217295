#include "core/story.h"

#include <utility>

#include "core/units.h"

namespace hcrc {

namespace {

constexpr std::uint32_t names_in_a_list = 5;

ServiceType type_of(const Supervisor& supervisor, Slot slot) { return static_cast<ServiceType>(supervisor.rule(slot).type); }

std::string_view name(const Supervisor& supervisor, Slot slot) { return supervisor.name(slot); }

// How the last attempt ended, in words that follow the service's name.
void put_end(const Supervisor& supervisor, Slot slot, TextWriter& line) {
  const Unit& unit = supervisor.unit(slot);
  const format::ServiceRecord& rule = supervisor.rule(slot);
  switch (unit.cause) {
    case Cause::none: line.put("ended"); return;
    case Cause::exited: put_exit(line, unit.exit); return;
    case Cause::start_failed: line.put("could not be started: ").put(unit.detail.view()); return;
    case Cause::ready_timeout:
      line.put("not ready within ");
      put_duration(line, Milliseconds(rule.ready_timeout_ms));
      return;
    case Cause::run_timeout:
      line.put("not done within ");
      put_duration(line, Milliseconds(rule.timeout_ms));
      return;
    case Cause::health:
      line.put("health check failed ").number(rule.health_failures).put(" times (").put(unit.detail.view()).put(')');
      return;
    case Cause::watchdog:
      line.put("no watchdog message within ");
      put_duration(line, Milliseconds(rule.watchdog_ms));
      return;
    case Cause::lingers:
      line.put("said that it was stopping, and did not end within ");
      put_duration(line, Milliseconds(rule.stop_timeout_ms));
      return;
    case Cause::no_resource: line.put("no process can be made: ").put(unit.detail.view()); return;
  }
}

void put_after(TextWriter& line, const Unit& unit, Duration took) {
  if (unit.cause != Cause::exited) return;
  line.put(" after ");
  put_duration(line, took);
}

void put_attempts(const Supervisor& supervisor, Slot slot, TextWriter& line) {
  const std::uint32_t attempts = supervisor.rule(slot).restart_attempts;
  line.number(supervisor.unit(slot).row.restarts);
  if (attempts != RestartRule::unlimited) line.put(" of ").number(attempts);
}

// Why it failed for good, where the end itself does not say so.
void put_for_good(const Supervisor& supervisor, Slot slot, TextWriter& line) {
  const Unit& unit = supervisor.unit(slot);
  const format::ServiceRecord& rule = supervisor.rule(slot);
  if (static_cast<RestartPolicy>(rule.restart_policy) == RestartPolicy::never) return;
  const bool code = unit.cause == Cause::exited && unit.exit.kind == ExitStatus::Kind::code;
  if (code && (rule.permanent_codes[unit.exit.value / 64] >> (unit.exit.value % 64) & 1) != 0) {
    line.put(", which no retry can mend");
  } else if (!attempts_left(rule, unit.row) || unit.holding) {
    line.put(", all ").number(rule.restart_attempts).put(" restarts are used up");
  }
}

template <typename Accept>
void put_list(const Supervisor& supervisor, TextWriter& line, Accept accept) {
  std::uint32_t count = 0;
  for (Slot slot = 0; slot < supervisor.slots(); ++slot) {
    if (!accept(slot)) continue;
    if (count < names_in_a_list) line.put(count == 0 ? "" : ", ").put(name(supervisor, slot));
    ++count;
  }
  if (count > names_in_a_list) line.put(" and ").number(count - names_in_a_list).put(" more");
}

void tell_node_stopping(const Supervisor& supervisor, TextWriter& line) {
  const Supervisor::ShutdownCause& cause = supervisor.shutdown_cause();
  if (cause.slot && cause.requirement) {
    line.put("stopping: ").put(name(supervisor, *cause.slot)).put(" is essential and cannot run");
  } else if (cause.slot == supervisor.command_slot()) {
    line.put("stopping: the command has ended");
  } else if (cause.slot) {
    line.put("stopping: ").put(name(supervisor, *cause.slot)).put(" has ended for good");
  } else if (cause.signal != 0) {
    line.put("stopping, as ").put(signal_name(cause.signal)).put(" asks");
  } else {
    line.put("stopping, as an operator asks");
  }
  line.put(", the exit code will be ").number(supervisor.exit_code());
}

void tell_update(const Supervisor& supervisor, TextWriter& line) {
  constexpr std::pair<Fate, std::string_view> words[] = {{Fate::restarted, " changed"},
                                                         {Fate::along, " restarted along"},
                                                         {Fate::removed, " removed"},
                                                         {Fate::added, " added"},
                                                         {Fate::stopped, " no longer wanted"},
                                                         {Fate::started, " wanted now"},
                                                         {Fate::in_place, " looked after anew"},
                                                         {Fate::kept, " as before"}};
  line.put("another graph is in force: ");
  std::string_view comma;
  for (const auto& [fate, word] : words) {
    const std::uint32_t count = supervisor.last_update()[fate];
    if (count == 0) continue;
    line.put(comma).number(count).put(word);
    comma = ", ";
  }
  if (comma.empty()) line.put("no services");
}

bool has_process(const Unit& unit) { return unit.main_alive || unit.helper_alive || unit.leftovers_pending; }

}  // namespace

void put_duration(TextWriter& line, Duration duration) {
  using std::chrono::duration_cast;
  const auto milliseconds = duration_cast<Milliseconds>(duration).count();
  if (milliseconds < 1'000) {
    line.number(milliseconds).put("ms");
    return;
  }
  if (milliseconds < 60'000) {
    line.number(milliseconds / 1'000);
    if (milliseconds < 10'000 && milliseconds / 100 % 10 != 0) line.put('.').number(milliseconds / 100 % 10);
    line.put('s');
    return;
  }
  const auto seconds = milliseconds / 1'000;
  constexpr std::int64_t unit_seconds[] = {86'400, 3'600, 60, 1};
  constexpr char unit_letters[] = {'d', 'h', 'm', 's'};
  int shown = 0;
  for (std::size_t i = 0; i < 4 && shown < 2; ++i) {
    const auto value = (i == 0 ? seconds : seconds % unit_seconds[i - 1]) / unit_seconds[i];
    if (value == 0 && shown == 0) continue;
    if (value != 0) line.number(value).put(unit_letters[i]);
    ++shown;
  }
}

void put_exit(TextWriter& line, const ExitStatus& exit) {
  switch (exit.kind) {
    case ExitStatus::Kind::none: line.put("has not ended"); return;
    case ExitStatus::Kind::code: line.put("exited with ").number(unsigned{exit.value}); return;
    case ExitStatus::Kind::signal: break;
  }
  line.put("killed by ");
  const std::string_view signal = signal_name(exit.value);
  if (signal.empty()) {
    line.put("signal ").number(unsigned{exit.value});
  } else {
    line.put(signal);
  }
  if (!exit.out_of_memory) return;
  line.put(": out of memory");
  if (exit.memory_limit == 0) return;
  line.put(" (limit ");
  put_size(line, exit.memory_limit);
  line.put(')');
}

Loudness loudness(ReportKind kind) {
  switch (kind) {
    case ReportKind::stopping:
    case ReportKind::stopped:
    case ReportKind::started:
    case ReportKind::ready:
    case ReportKind::done:
    case ReportKind::skipped:
    case ReportKind::ended: return Loudness::normal;
    case ReportKind::restarts:
    case ReportKind::failed:
    case ReportKind::held:
    case ReportKind::no_resource:
    case ReportKind::lock_busy:
    case ReportKind::condemned:
    case ReportKind::killing:
    case ReportKind::leftovers:
    case ReportKind::cleanup_failed:
    case ReportKind::stop_command_failed:
    case ReportKind::cannot_start:
    case ReportKind::run_failed:
    case ReportKind::copier_started: return Loudness::trouble;
  }
  return Loudness::trouble;
}

void tell(const Supervisor& supervisor, const effect::Report& report, TextWriter& line) {
  const Slot slot = report.slot;
  const Unit& unit = supervisor.unit(slot);
  line.put(name(supervisor, slot)).put(": ");
  switch (report.kind) {
    case ReportKind::started:
      if (type_of(supervisor, slot) == ServiceType::periodic) {
        line.put("scheduled every ");
        put_duration(line, Milliseconds(supervisor.rule(slot).schedule_every_ms));
      } else {
        line.put("started, pid ").number(report.number);
      }
      return;
    case ReportKind::ready:
      line.put("ready after ");
      put_duration(line, report.took);
      return;
    case ReportKind::done:
      line.put("done in ");
      put_duration(line, report.took);
      return;
    case ReportKind::skipped: line.put("skipped: ").put(unit.detail.view()); return;
    case ReportKind::restarts:
      put_end(supervisor, slot, line);
      put_after(line, unit, report.took);
      line.put(", restart ");
      put_attempts(supervisor, slot, line);
      line.put(" in ");
      put_duration(line, report.next);
      return;
    case ReportKind::failed:
      put_end(supervisor, slot, line);
      put_after(line, unit, report.took);
      put_for_good(supervisor, slot, line);
      line.put(": failed");
      return;
    case ReportKind::held:
      put_end(supervisor, slot, line);
      put_after(line, unit, report.took);
      put_for_good(supervisor, slot, line);
      line.put(": held, next try in ");
      put_duration(line, report.next);
      return;
    case ReportKind::ended:
      put_end(supervisor, slot, line);
      put_after(line, unit, report.took);
      line.put(": ended");
      return;
    case ReportKind::no_resource:
      line.put("no process can be made: ").put(unit.detail.view()).put(": next try in ");
      put_duration(line, report.next);
      return;
    case ReportKind::lock_busy: line.put("waiting for its lock, held by ").put(unit.detail.view()); return;
    case ReportKind::condemned:
      put_end(supervisor, slot, line);
      line.put(": ending it");
      return;
    case ReportKind::stopping:
      line.put("stopping");
      if (report.number != 0) line.put(" with ").put(signal_name(report.number));
      return;
    case ReportKind::killing: line.put("has not ended in time: SIGKILL"); return;
    case ReportKind::stopped:
      line.put("stopped");
      if (unit.exit.kind != ExitStatus::Kind::none && type_of(supervisor, slot) != ServiceType::oneshot) {
        line.put(" after ");
        put_duration(line, report.took);
        line.put(", ");
        put_exit(line, unit.exit);
      }
      return;
    case ReportKind::leftovers: line.put("left processes behind: SIGKILL"); return;
    case ReportKind::cleanup_failed: line.put("its cleanup failed"); return;
    case ReportKind::stop_command_failed: line.put("its stop command failed"); return;
    case ReportKind::cannot_start:
      line.put(unit.active() ? "must stop" : "cannot start");
      if (const auto cause = cause_of(supervisor, slot)) {
        line.put(": it requires ").put(name(supervisor, *cause));
        const Unit& other = supervisor.unit(*cause);
        line.put(other.state == State::failed ? ", which failed"
                 : other.ended                ? ", which has ended"
                                              : ", which cannot run either");
      }
      return;
    case ReportKind::run_failed:
      put_end(supervisor, slot, line);
      put_after(line, unit, report.took);
      line.put(", the schedule goes on");
      return;
    case ReportKind::copier_started: line.put("is down: its producers' output goes to the console"); return;
  }
}

Loudness loudness(NodeReportKind kind) {
  switch (kind) {
    case NodeReportKind::starting:
    case NodeReportKind::settled:
    case NodeReportKind::stopping:
    case NodeReportKind::still_stopping:
    case NodeReportKind::updating:
    case NodeReportKind::updated:
    case NodeReportKind::gone: return Loudness::normal;
    case NodeReportKind::waiting:
    case NodeReportKind::sweeping:
    case NodeReportKind::deadline: return Loudness::trouble;
  }
  return Loudness::trouble;
}

void tell(const Supervisor& supervisor, const effect::NodeReport& report, TextWriter& line) {
  const auto busy = [&](Slot slot) { return has_process(supervisor.unit(slot)); };
  const auto waits = [&](Slot slot) {
    const Unit& unit = supervisor.unit(slot);
    return unit.wanted && (!supervisor.settled(slot) || unit.phase == Phase::lock) && slot != supervisor.command_slot();
  };
  switch (report.kind) {
    case NodeReportKind::starting: {
      Slot plain = 0;
      for (Slot slot = 0; slot < supervisor.slots(); ++slot)
        plain += supervisor.is_service(slot) && type_of(supervisor, slot) != ServiceType::bundle ? 1 : 0;
      line.put("starting: ").number(plain).put(plain == 1 ? " service is" : " services are").put(" defined");
      return;
    }
    case NodeReportKind::settled:
      line.put("settled after ");
      put_duration(line, report.took);
      if (supervisor.unhealthy() > 0) line.put(", but not everything is up: see `hcrc status`");
      return;
    case NodeReportKind::waiting:
      line.put("still waiting after ");
      put_duration(line, report.took);
      line.put(": ");
      put_list(supervisor, line, waits);
      return;
    case NodeReportKind::updating: return tell_update(supervisor, line);
    case NodeReportKind::updated:
      line.put("what the update stops is down after ");
      put_duration(line, report.took);
      return;
    case NodeReportKind::stopping: return tell_node_stopping(supervisor, line);
    case NodeReportKind::still_stopping:
      line.put("already stopping, waiting for: ");
      put_list(supervisor, line, busy);
      return;
    case NodeReportKind::sweeping: line.put("what no service owns has not ended when asked: SIGKILL"); return;
    case NodeReportKind::deadline:
      line.put("the stop deadline is over, leaving behind: ");
      put_list(supervisor, line, busy);
      return;
    case NodeReportKind::gone:
      line.put("stopped after ");
      put_duration(line, report.took);
      line.put(", exit code ").number(report.number);
      return;
  }
}

std::string_view state_in_words(const Unit& unit) {
  if (unit.ended) return "ended";
  return unit.state == State::backoff ? std::string_view("in backoff") : text(unit.state);
}

std::optional<Slot> cause_of(const Supervisor& supervisor, Slot slot) {
  if (!supervisor.is_service(slot)) return std::nullopt;
  const Unit& unit = supervisor.unit(slot);
  const bool down_for_another =
      unit.state == State::waiting || (unit.state == State::stopping && unit.gone_requirements > 0);
  if (!down_for_another || unit.phase == Phase::lock) return std::nullopt;
  std::optional<Slot> found;
  int best = 0;
  // What failed explains more than what is stopped, and that more than what is merely not up yet.
  for (const Links::Link& edge : supervisor.dependencies(slot)) {
    const EdgeKinds kinds = edge.kinds;
    const Unit& other = supervisor.unit(edge.service);
    int weight = 0;
    if (kinds.requirement() && (other.state == State::failed || other.ended)) {
      weight = 5;
    } else if (kinds.requirement() && other.dead_requirements > 0) {
      weight = 4;
    } else if (kinds.requirement() && !other.wanted) {
      weight = 3;
    } else if (kinds.requirement() && other.state != State::up && other.state != State::skipped) {
      weight = 2;
    } else if (unit.fresh && other.wanted && !supervisor.settled(edge.service) && !other.attempt_failed) {
      weight = 1;
    }
    if (weight <= best) continue;
    best = weight;
    found = edge.service;
  }
  return found;
}

namespace {

void why_waiting(const Supervisor& supervisor, Slot slot, TextWriter& line) {
  const Unit& unit = supervisor.unit(slot);
  if (unit.phase == Phase::lock) {
    line.put("waits for its lock, held by ").put(unit.detail.view());
    return;
  }
  if (unit.copier == Copier::ending) {
    line.put("waits for the copier of its producers' output");
    return;
  }
  if (const auto cause = cause_of(supervisor, slot)) {
    const Unit& other = supervisor.unit(*cause);
    line.put("waits for ").put(name(supervisor, *cause)).put(", which is ");
    line.put(state_in_words(other));
    if (!other.wanted && other.stopped_by_operator) line.put(" because an operator stopped it");
    return;
  }
  if (unit.bound_active > 0) {
    line.put("waits until what is bound to it is down");
  } else if (unit.logger && supervisor.departing() > 0) {
    line.put("waits until the loggers that an update changes are down");
  } else if (unit.added && supervisor.departing() > 0) {
    line.put("waits until what the update removed is down");
  }
}

std::string_view why_updated(const Unit& unit) {
  if (unit.removed) return "an update removed it";
  return unit.departing ? "an update changed how it runs" : "nothing wants it since an update";
}

void why_stopping(const Supervisor& supervisor, Slot slot, TextWriter& line) {
  const Unit& unit = supervisor.unit(slot);
  switch (unit.stop_reason) {
    case StopReason::none: line.put("what its last run left behind is being ended"); break;
    case StopReason::condemned: put_end(supervisor, slot, line); break;
    case StopReason::operator_: line.put("an operator stopped it"); break;
    case StopReason::requirement: line.put("something it requires is down"); break;
    case StopReason::binding: line.put("something it is bound to is not up"); break;
    case StopReason::restart: line.put("an operator restarts it"); break;
    case StopReason::update: line.put(why_updated(unit)); break;
    case StopReason::shutdown: line.put("the node is stopping"); break;
  }
  if (unit.phase == Phase::stop_waits) line.put(", waits until what depends on it is down");
}

}  // namespace

void why(const Supervisor& supervisor, Slot slot, Instant now, TextWriter& line) {
  const Unit& unit = supervisor.unit(slot);
  const auto next_try = [&] {
    line.put(", next try in ");
    put_duration(line, unit.next_start > now ? unit.next_start - now : Duration::zero());
  };
  switch (unit.state) {
    case State::down:
      if (unit.ended) {
        put_end(supervisor, slot, line);
        line.put(", and its policy does not restart it");
      } else if (unit.stopped_by_operator) {
        line.put("an operator stopped it");
      } else if (supervisor.shutting_down()) {
        line.put("the node is stopping");
      } else {
        line.put("nothing wants it");
      }
      return;
    case State::waiting: return why_waiting(supervisor, slot, line);
    case State::starting:
      if (unit.phase == Phase::before) line.put("its cleanup runs first");
      if (unit.phase == Phase::running && unit.probe > 0 && !unit.detail.empty()) line.put(unit.detail.view());
      return;
    case State::up:
      if (unit.run_ended_badly) line.put("its last run ").put("failed");
      return;
    case State::stopping: return why_stopping(supervisor, slot, line);
    case State::backoff: put_end(supervisor, slot, line); return next_try();
    case State::held:
      put_end(supervisor, slot, line);
      put_for_good(supervisor, slot, line);
      return next_try();
    case State::failed:
      put_end(supervisor, slot, line);
      put_for_good(supervisor, slot, line);
      return;
    case State::skipped:
      line.put(unit.env_skipped ? std::string_view("its condition on the environment does not hold") : unit.detail.view());
      return;
  }
}

}  // namespace hcrc

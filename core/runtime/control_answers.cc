#include "core/runtime/control_answers.h"

#include <time.h>
#include <unistd.h>

#include <array>

#include "core/runtime/event_loop.h"
#include "core/story.h"

namespace hcrc {

namespace {

// Instants are monotonic; people read the wall clock, as it is at the moment of the answer.
std::optional<std::int64_t> wall_clock_ms(Instant at) {
  if (at == end_of_time) return std::nullopt;
  timespec real{};
  clock_gettime(CLOCK_REALTIME, &real);
  const auto now_ms = static_cast<std::int64_t>(real.tv_sec) * 1'000 + real.tv_nsec / 1'000'000;
  return now_ms + std::chrono::duration_cast<Milliseconds>(at - EventLoop::now()).count();
}

std::string_view node_state(const Supervisor& supervisor) {
  switch (supervisor.node_state()) {
    case NodeState::starting: return "starting";
    case NodeState::up: return "up";
    case NodeState::stopping: return "stopping";
  }
  return "";
}

bool is_bundle(const Supervisor& supervisor, Slot slot) {
  return static_cast<ServiceType>(supervisor.rule(slot).type) == ServiceType::bundle;
}

bool is_up(const Unit& unit) { return unit.state == State::up || unit.state == State::skipped; }
bool is_down(const Unit& unit) {
  return !unit.active() &&
         (unit.state == State::down || unit.state == State::failed || unit.state == State::skipped || !unit.wanted);
}

using Line = std::array<char, bounds::story_line_bytes>;

}  // namespace

Progress ControlAnswers::answer(const Request& request, ControlAnswer& answer) {
  switch (request.verb) {
    case Verb::status: return status(request, answer);
    case Verb::list: return list(answer);
    case Verb::why: return why(request, answer);
    case Verb::start:
    case Verb::stop:
    case Verb::restart: return command(request, answer);
    case Verb::signal: return signal(request, answer);
    case Verb::wait: return wait(request, answer);
    case Verb::health: return health(answer);
    case Verb::update: return update(request, answer);
    case Verb::shutdown: return shutdown(request, answer);
  }
  return Progress::done;
}

std::optional<std::string_view> ControlAnswers::unknown_name(const Request& request) const {
  for (const std::string_view name : request.names) {
    if (!node_.supervisor().find(name)) return name;
  }
  return std::nullopt;
}

Progress ControlAnswers::unknown(std::string_view name, ControlAnswer& answer) {
  Line bytes;
  TextWriter line(bytes);
  line.put("there is no service ").put(name).put(": `hcrc list` names all");
  return answer.fail(exit_code::no_such_service, line.view());
}

// Whether `each` holds for the service, or for everything in a bundle.
template <typename Each>
bool ControlAnswers::every(Slot slot, Each each) const {
  const Supervisor& supervisor = node_.supervisor();
  if (!is_bundle(supervisor, slot)) return each(slot);
  bool all = true;
  supervisor.each_of(slot, [&](Slot content) { all = all && each(content); });
  return all;
}

bool ControlAnswers::put_service(Slot slot, ControlAnswer& answer) {
  const Supervisor& supervisor = node_.supervisor();
  const Unit& unit = supervisor.unit(slot);
  const format::ServiceRecord& rule = supervisor.rule(slot);
  const Instant now = EventLoop::now();
  Line bytes;
  TextWriter reason(bytes);
  hcrc::why(supervisor, slot, now, reason);
  ServiceStatus status;
  status.name = supervisor.name(slot);
  status.type = static_cast<ServiceType>(rule.type);
  status.state = unit.state;
  status.wanted = unit.wanted;
  if (unit.pid != 0) status.pid = unit.pid;
  status.since = wall_clock_ms(unit.since);
  status.why = reason.view();
  status.restarts = supervisor.restarts(slot, now);
  const bool scheduled = status.type == ServiceType::periodic && unit.state == State::up;
  if (unit.state == State::backoff || unit.state == State::held || scheduled)
    status.next_start = wall_clock_ms(unit.next_start);
  if (unit.exit.kind == ExitStatus::Kind::code) status.exit = {.kind = ExitText::Kind::code, .value = unit.exit.value};
  if (unit.exit.kind == ExitStatus::Kind::signal) status.exit = {.kind = ExitText::Kind::signal, .value = unit.exit.value};
  status.status = node_.status_text(slot);
  status.description = supervisor.definition(slot).database->string(rule.description);
  JsonLine line = answer.line();
  write(line, status);
  return answer.put(line);
}

Progress ControlAnswers::status(const Request& request, ControlAnswer& answer) {
  const Supervisor& supervisor = node_.supervisor();
  ControlAnswer::Cursor& cursor = answer.cursor();
  if (cursor.stage == 0) {
    if (const auto name = unknown_name(request)) return unknown(*name, answer);
    NodeStatus node;
    node.state = node_state(supervisor);
    node.build = supervisor.database().build_id();
    node.db = node_.db_path();
    node.since = wall_clock_ms(supervisor.booted_at());
    node.version = HCRC_VERSION;
    node.pid = getpid();
    JsonLine line = answer.line();
    write(line, node);
    if (!answer.put(line)) return Progress::more;
    cursor.stage = 1;
  }
  if (cursor.stage == 1) {
    if (!put_services(request, answer)) return Progress::more;
    cursor = {.stage = 2, .index = 0};
  }
  if (request.names.empty() && !put_orphans(answer)) return Progress::more;
  return answer.ok();
}

bool ControlAnswers::put_services(const Request& request, ControlAnswer& answer) {
  const Supervisor& supervisor = node_.supervisor();
  ControlAnswer::Cursor& cursor = answer.cursor();
  const auto named = [&](Slot slot) {
    if (request.names.empty()) return !is_bundle(supervisor, slot);
    bool is = false;
    for (const std::string_view name : request.names) {
      if (const auto asked = supervisor.find(name)) supervisor.each_of(*asked, [&](Slot one) { is = is || one == slot; });
    }
    return is;
  };
  // By name; then what an update removed and is still going down.
  for (; cursor.index < supervisor.size() + supervisor.slots(); ++cursor.index) {
    const bool listed = cursor.index < supervisor.size();
    const Slot slot = listed ? supervisor.slot_at(cursor.index) : cursor.index - supervisor.size();
    if (!listed && !supervisor.unit(slot).removed) continue;
    if (named(slot) && !put_service(slot, answer)) return false;
  }
  return true;
}

bool ControlAnswers::put_orphans(ControlAnswer& answer) {
  std::array<Orphan, bounds::orphans_told> orphans;
  const std::size_t count = node_.orphans(orphans);
  for (std::uint32_t& index = answer.cursor().index; index < count; ++index) {
    JsonLine line = answer.line();
    write_orphan(line, orphans[index].pid, orphans[index].name.view());
    if (!answer.put(line)) return false;
  }
  return true;
}

Progress ControlAnswers::list(ControlAnswer& answer) {
  const Database& database = node_.supervisor().database();
  ControlAnswer::Cursor& cursor = answer.cursor();
  for (; cursor.index < database.size(); ++cursor.index) {
    const format::ServiceRecord& record = database.service(cursor.index);
    JsonLine line = answer.line();
    write_listed(line, database.name(cursor.index), static_cast<ServiceType>(record.type),
                 database.string(record.description));
    if (!answer.put(line)) return Progress::more;
  }
  return answer.ok();
}

// The chain of causes: the service, what it waits for, what that waits for, ... One line each.
Progress ControlAnswers::why(const Request& request, ControlAnswer& answer) {
  const Supervisor& supervisor = node_.supervisor();
  const auto asked = supervisor.find(request.names.front());
  if (!asked) return unknown(request.names.front(), answer);
  if (is_bundle(supervisor, *asked)) {
    return answer.fail(exit_code::failed, "it is a bundle, which has no state of its own: ask for one of its contents");
  }
  ControlAnswer::Cursor& cursor = answer.cursor();
  // The graph has no cycle, so the chain ends; the cursor holds the next link plus one.
  std::optional<Slot> next = cursor.stage == 0 ? asked : std::optional<Slot>(cursor.index);
  while (next && supervisor.is_service(*next)) {
    Line bytes;
    TextWriter text_line(bytes);
    const Unit& unit = supervisor.unit(*next);
    text_line.put(supervisor.name(*next)).put(" is ").put(state_in_words(unit));
    Line reason_bytes;
    TextWriter reason(reason_bytes);
    hcrc::why(supervisor, *next, EventLoop::now(), reason);
    if (!reason.view().empty()) text_line.put(": ").put(reason.view());
    JsonLine line = answer.line();
    write_why(line, text_line.view());
    if (!answer.put(line)) {
      cursor = {.stage = 1, .index = *next};
      return Progress::more;
    }
    next = cause_of(supervisor, *next);
  }
  return answer.ok();
}

// start, stop and restart: begun at once, answered when the services have come to where they were sent.
Progress ControlAnswers::command(const Request& request, ControlAnswer& answer) {
  const Supervisor& supervisor = node_.supervisor();
  ControlAnswer::Cursor& cursor = answer.cursor();
  // An update may remove it while it is waited for.
  if (const auto name = unknown_name(request)) return unknown(*name, answer);
  if (cursor.stage == 0) {
    if (supervisor.shutting_down())
      return answer.fail(exit_code::failed, "the node is stopping: nothing is started or stopped any more");
    cursor.stage = 1;
    for (const std::string_view name : request.names) {
      const Slot slot = *supervisor.find(name);
      if (request.verb == Verb::start) node_.command(event::Start{.slot = slot});
      if (request.verb == Verb::stop) node_.command(event::Stop{.slot = slot});
      if (request.verb == Verb::restart) node_.command(event::Restart{.slot = slot});
    }
  }
  if (request.no_wait) return answer.ok();
  for (const std::string_view name : request.names) {
    const Slot slot = *supervisor.find(name);
    if (request.verb == Verb::stop) {
      if (!every(slot, [&](Slot each) { return is_down(supervisor.unit(each)); })) return Progress::waiting;
      continue;
    }
    std::optional<Slot> bad;
    const bool settled = every(slot, [&](Slot each) {
      const Unit& unit = supervisor.unit(each);
      if (unit.restart_pending || unit.state == State::stopping) return false;
      if (is_up(unit) && unit.wanted) return true;
      if (!supervisor.settled(each)) return false;
      bad = each;
      return true;
    });
    if (!settled) return Progress::waiting;
    if (bad) {
      Line bytes;
      TextWriter line(bytes);
      line.put(supervisor.name(*bad)).put(" is ").put(state_in_words(supervisor.unit(*bad))).put(": ");
      hcrc::why(supervisor, *bad, EventLoop::now(), line);
      return answer.fail(exit_code::failed, line.view());
    }
  }
  return answer.ok();
}

Progress ControlAnswers::signal(const Request& request, ControlAnswer& answer) {
  const Supervisor& supervisor = node_.supervisor();
  const auto slot = supervisor.find(request.names.front());
  if (!slot) return unknown(request.names.front(), answer);
  if (!supervisor.unit(*slot).main_alive) {
    Line bytes;
    TextWriter line(bytes);
    line.put(request.names.front()).put(" is ").put(state_in_words(supervisor.unit(*slot))).put(" and has no process");
    return answer.fail(exit_code::failed, line.view());
  }
  node_.command(event::Signal{.slot = *slot, .signal = request.signal});
  return answer.ok();
}

Progress ControlAnswers::wait(const Request& request, ControlAnswer& answer) {
  const Supervisor& supervisor = node_.supervisor();
  if (const auto name = unknown_name(request)) return unknown(*name, answer);
  std::optional<Slot> bad;
  const auto there = [&](Slot slot) {
    const Unit& unit = supervisor.unit(slot);
    switch (request.wait_for) {
      case WaitFor::down: return is_down(unit);
      case WaitFor::settled: return supervisor.settled(slot);
      case WaitFor::up: break;
    }
    if (is_up(unit)) return true;
    // Without names: everything that is wanted.
    if (request.names.empty() && !unit.wanted) return true;
    if (supervisor.settled(slot)) bad = slot;
    return false;
  };
  bool all = true;
  if (request.names.empty()) {
    for (Slot slot = 0; slot < supervisor.slots() && !bad; ++slot) {
      if (supervisor.is_service(slot) && !is_bundle(supervisor, slot)) all = there(slot) && all;
    }
  } else {
    for (const std::string_view name : request.names) all = every(*supervisor.find(name), there) && all;
  }
  if (bad) {
    Line bytes;
    TextWriter line(bytes);
    line.put(supervisor.name(*bad)).put(" is ").put(state_in_words(supervisor.unit(*bad))).put(": ");
    hcrc::why(supervisor, *bad, EventLoop::now(), line);
    return answer.fail(exit_code::failed, line.view());
  }
  return all ? answer.ok() : Progress::waiting;
}

// The worst first: what failed, then what is held, then what waits for such a one, then what is on its way.
Progress ControlAnswers::health(ControlAnswer& answer) {
  const Supervisor& supervisor = node_.supervisor();
  if (supervisor.unhealthy() == 0 && !supervisor.shutting_down()) return answer.ok();
  if (supervisor.shutting_down()) return answer.fail(exit_code::failed, "the node is stopping");
  const auto badness = [&](const Unit& unit) {
    if (unit.state == State::failed || unit.ended) return 5;
    if (unit.state == State::held) return 4;
    if (unit.state == State::backoff || unit.state == State::stopping) return 3;
    return unit.state == State::waiting ? 1 : 2;
  };
  std::optional<Slot> worst;
  for (Slot slot = 0; slot < supervisor.slots(); ++slot) {
    if (!supervisor.is_service(slot) || supervisor.healthy(slot)) continue;
    if (!worst || badness(supervisor.unit(slot)) > badness(supervisor.unit(*worst))) worst = slot;
  }
  if (!worst) return answer.ok();
  Line bytes;
  TextWriter line(bytes);
  line.put(supervisor.name(*worst)).put(" is ").put(state_in_words(supervisor.unit(*worst)));
  Line reason_bytes;
  TextWriter reason(reason_bytes);
  hcrc::why(supervisor, *worst, EventLoop::now(), reason);
  if (!reason.view().empty()) line.put(": ").put(reason.view());
  return answer.fail(exit_code::failed, line.view());
}

// The cursor's stage is the ticket of the job; its index the next service to tell of.
Progress ControlAnswers::update(const Request& request, ControlAnswer& answer) {
  ControlAnswer::Cursor& cursor = answer.cursor();
  if (cursor.stage == 0) {
    if (!request.names.front().starts_with('/')) {
      return answer.fail(exit_code::usage, "the database's path must begin with '/'");
    }
    if (node_.supervisor().shutting_down()) {
      return answer.fail(exit_code::failed, "the node is stopping: nothing is updated any more");
    }
    cursor.stage = node_.begin_update(request.names.front(), request.dry_run);
    if (cursor.stage == 0) return Progress::waiting;
  }
  const UpdateJob& job = node_.update_job();
  if (job.ticket != cursor.stage)
    return answer.fail(exit_code::failed, "another update has come in between: see hcrc status");
  switch (job.state) {
    case UpdateJob::State::none:
    case UpdateJob::State::reading: return Progress::waiting;
    case UpdateJob::State::failed:
      return answer.fail(exit_code::failed, job.sentence.empty() ? "there is not enough memory for it" : job.sentence);
    case UpdateJob::State::done: break;
  }
  for (; cursor.index < job.services.size(); ++cursor.index) {
    const UpdateJob::Service& service = job.services[cursor.index];
    JsonLine line = answer.line();
    write_change(line, service.name, text(service.fate), service.along_with);
    if (!answer.put(line)) return Progress::more;
  }
  if (request.no_wait || job.only_tell) return answer.ok();
  return updated(job, answer);
}

// Whether what the update stops is down, and what it starts has come to where it stays.
Progress ControlAnswers::updated(const UpdateJob& job, ControlAnswer& answer) {
  const Supervisor& supervisor = node_.supervisor();
  if (supervisor.shutting_down()) return answer.fail(exit_code::failed, "the node is stopping");
  if (supervisor.departing() > 0 || supervisor.unsettled() > 0) return Progress::waiting;
  for (const UpdateJob::Service& service : job.services) {
    if (service.fate == Fate::kept || service.fate == Fate::in_place) continue;
    const auto slot = supervisor.find(service.name);
    if (!slot || is_bundle(supervisor, *slot)) continue;
    const Unit& unit = supervisor.unit(*slot);
    if (!unit.wanted || is_up(unit)) continue;
    Line bytes;
    TextWriter line(bytes);
    line.put("the new graph is in force, but ").put(service.name).put(" is ").put(state_in_words(unit)).put(": ");
    hcrc::why(supervisor, *slot, EventLoop::now(), line);
    return answer.fail(exit_code::failed, line.view());
  }
  return answer.ok();
}

Progress ControlAnswers::shutdown(const Request& request, ControlAnswer& answer) {
  node_.command(event::Shutdown{.signal = 0, .code = request.exit_code.value_or(0)});
  return answer.ok();
}

}  // namespace hcrc

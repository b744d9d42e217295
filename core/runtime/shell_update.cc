// The shell's part of an update: the database comes from the disk by way of a child; room is made for what the new graph may
// need; the supervisor decides; and what the old graph alone needed goes when its last process has.
#include <signal.h>

#include <algorithm>
#include <new>

#include "core/conditions.h"
#include "core/runtime/copier.h"
#include "core/runtime/panic.h"
#include "core/runtime/shell.h"

namespace hcrc {

namespace {

// Of CMD, readers of databases, and those that drain pipes.
constexpr std::size_t other_children = 16;

// How many children a service may have at once: its own process, one that waits for its lock, a helper, a check, a copier;
// each beside one that was ended and is not reaped yet.
std::size_t children_at_most(const Database& database, std::uint32_t service) {
  const format::ServiceRecord& rule = database.service(service);
  const auto logs = [](const format::EdgeRecord& edge) { return edge.all_kinds().has(EdgeKind::log_to); };
  std::size_t children = 1;
  if (rule.lock != format::none) ++children;
  if (rule.stop_command.count != 0 || rule.cleanup.count != 0) ++children;
  if (rule.ready_command.count != 0 || rule.health_command.count != 0) ++children;
  if (std::ranges::any_of(database.dependents(service), logs)) ++children;
  return 2 * children;
}

bool checks_by_socket(const format::ServiceRecord& rule) {
  const auto ready = static_cast<ReadyKind>(rule.ready_kind);
  const auto health = static_cast<HealthKind>(rule.health_kind);
  return ready == ReadyKind::tcp || ready == ReadyKind::http || health == HealthKind::tcp || health == HealthKind::http;
}

}  // namespace

// All that is indexed by slot, or has a place for each process that a service may have, by its definition or by the next
// one.
std::expected<void, std::string> Shell::make_room(Slot slots, const Database* next) {
  std::size_t children = other_children;
  for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
    const Definition& definition = supervisor_.definition(slot);
    if (definition.record != nullptr) children += children_at_most(*definition.database, definition.index);
  }
  for (std::uint32_t place = 0; next != nullptr && place < next->size(); ++place) children += children_at_most(*next, place);
  try {
    while (services_.size() < slots) {
      Service& one = services_.emplace_back();
      one.main.shell = this;
      one.main.slot = static_cast<Slot>(services_.size() - 1);
    }
    spared_.reserve(children + slots);
    notify_sockets_.reserve(slots);
    table_.make_room(children);
    expected_ends_.make_room(children);
    pipes_.make_room(slots);
  } catch (const std::bad_alloc&) {
    return std::unexpected(std::string("there is not enough memory for it"));
  }
  if (!records_.make_room(slots)) {
    return std::unexpected(std::string("the run dir has no room for the records of its processes: ") + std::strerror(errno));
  }
  return {};
}

// Rooms that the service's definition has a use for. Those that are there stay: a process of the definition before may be in
// one. What there is no memory for now is asked for again when it is wanted.
void Shell::make_places(Slot slot) {
  const Definition& definition = supervisor_.definition(slot);
  if (definition.record == nullptr) return;
  const format::ServiceRecord& rule = *definition.record;
  Service& one = services_[slot];
  const auto make_process = [this, slot](std::unique_ptr<Process>& process) {
    if (process) return;
    process.reset(new (std::nothrow) Process);
    if (!process) return;
    process->shell = this;
    process->slot = slot;
  };
  const auto ready = static_cast<ReadyKind>(rule.ready_kind);
  if (rule.stop_command.count != 0 || rule.cleanup.count != 0) make_process(one.helper);
  if (ready == ReadyKind::exec || static_cast<HealthKind>(rule.health_kind) == HealthKind::exec) make_process(one.probe);
  if (rule.memory_max != Resources::none && !one.memory) one.memory.reset(new (std::nothrow) MemoryCounter);
  if (ready == ReadyKind::fd && !one.ready) one.ready.reset(new (std::nothrow) ReadyStream);
  if (has_notify_socket(rule) && !one.notify) one.notify.reset(new (std::nothrow) Notify);
}

// What the shell keeps of a service's definition: rooms, and the addresses of checks by socket.
void Shell::refresh(Slot slot) {
  make_places(slot);
  const Definition& definition = supervisor_.definition(slot);
  Service& one = services_[slot];
  if (definition.record == nullptr || one.checks_of == definition.database) return;
  try {
    one.checks_of = definition.database;
    if (!checks_by_socket(*definition.record)) {
      one.checks.reset();
      return;
    }
    if (!one.checks) one.checks = std::make_unique<Checks>();
    const Database& database = *definition.database;
    one.checks->ready_address.assign(spawner_.address(database, definition.index, definition.record->ready_address));
    one.checks->health_address.assign(spawner_.address(database, definition.index, definition.record->health_address));
  } catch (const std::bad_alloc&) {
    one.checks.reset();
    one.checks_of.reset();
    console_.line("there is not enough memory for the checks of a service: they say nothing until it is started again");
  }
}

void Shell::update_by_signal() {
  if (reader_.busy()) {
    // What is being read may be older than the signal.
    update_again_ = true;
    return;
  }
  begin_update(first_path_, false);
}

std::uint32_t Shell::begin_update(std::string_view path, bool only_tell) {
  if (reader_.busy()) return 0;
  const std::uint32_t ticket = std::max<std::uint32_t>(1, update_job_.ticket + 1);
  update_job_ = {};
  update_job_.ticket = ticket;
  update_job_.state = UpdateJob::State::reading;
  update_job_.only_tell = only_tell;
  try {
    begin_reading(path);
  } catch (const std::bad_alloc&) {
    no_memory();
  }
  return ticket;
}

// The sentence of an update that failed would want memory, too.
void Shell::no_memory() {
  update_job_.state = UpdateJob::State::failed;
  update_job_.sentence.clear();
  update_job_.services.clear();
  console_.line("no update: there is not enough memory for it: see hcrc status for the graph that is in force");
}

void Shell::begin_reading(std::string_view path) {
  reading_ = path;
  const auto child = reader_.start(
      loop_, reading_, [](void* shell, DatabaseReader::Read result) { static_cast<Shell*>(shell)->database_read(result); },
      this);
  if (!child) {
    update_failed(child.error());
  } else if (!table_.add({.pid = *child, .slot = supervisor_.command_slot(), .run = 0, .kind = ChildKind::reader})) {
    kill(*child, SIGKILL);  // nothing comes of it; its end is nobody's
  }
}

void Shell::update_failed(std::string_view sentence) {
  update_job_.state = UpdateJob::State::failed;
  update_job_.sentence = std::string(sentence);
  if (!update_job_.only_tell) {
    update_job_.sentence += ": the graph before stays in force";
    console_.line("no update: " + update_job_.sentence);
  }
  changed_ = true;
}

void Shell::database_read(DatabaseReader::Read result) {
  changed_ = true;
  try {
    if (!result) {
      update_failed(result.error());
    } else if (supervisor_.shutting_down()) {
      update_failed("the node is stopping");
    } else if (const auto taken = take_over(*result); !taken) {
      update_failed(reading_ + ": " + taken.error());
    }
  } catch (const std::bad_alloc&) {
    no_memory();
  }
  if (std::exchange(update_again_, false) && !supervisor_.shutting_down()) update_by_signal();
}

std::expected<void, std::string> Shell::take_over(const std::shared_ptr<const Database>& next) {
  const UpdatePlan plan = supervisor_.plan(*next);
  std::vector<UpdateJob::Service> told;
  Slot more = 0;
  for (std::uint32_t place = 0; place < next->size(); ++place) {
    const UpdatePlan::Service& planned = plan.services[place];
    more += planned.before ? 0 : 1;
    told.push_back({.name = std::string(next->name(place)),
                    .fate = planned.fate,
                    .along_with = planned.along_with ? std::string(next->name(*planned.along_with)) : std::string()});
  }
  for (const std::uint32_t slot : plan.removed) {
    told.push_back({.name = std::string(supervisor_.name(slot)), .fate = Fate::removed, .along_with = {}});
  }
  std::ranges::stable_sort(told, {}, &UpdateJob::Service::name);
  if (!update_job_.only_tell) {
    std::string path = reading_;  // what wants memory comes first
    if (auto made = make_room(supervisor_.slots() + more, next.get()); !made) return made;
    Supervisor::Update update{.database = next, .env_skipped = {}, .stop_deadline = {}};
    update.env_skipped = conditions_that_fail(*next, facts_.environment);
    if (!setup_.stop_deadline_given) {
      const std::int64_t written = next->header().stop_deadline_ms;
      update.stop_deadline = written >= 0 ? Milliseconds(written) : Supervisor::Options{}.stop_deadline;
    }
    if (const auto updated = supervisor_.update(update, EventLoop::now()); !updated) {
      return std::unexpected(std::string(updated.error()));
    }
    setup_.db_path.swap(path);
    updating_ = true;
    cgroups_.prepare_limits(*next, children());
    for (Slot slot = 0; slot < supervisor_.slots(); ++slot) {
      if (supervisor_.is_service(slot) && !supervisor_.unit(slot).departing) refresh(slot);
    }
    performing_ = true;
    perform_all();
    performing_ = false;
  }
  update_job_.services = std::move(told);
  update_job_.state = UpdateJob::State::done;
  return {};
}

// The last process of the graph before is gone: pipes of those who log to nobody any more are closed. What is still in one
// is written to the console.
void Shell::end_update() {
  updating_ = false;
  const auto is_one = [](const void* shell, std::string_view service) {
    return static_cast<const Shell*>(shell)->supervisor_.database().find(service).has_value();
  };
  cgroups_.remove_others(is_one, this);
  pipes_.close_unused([this](int left) {
    const auto drain = start_copier(std::span(&left, 1));
    if (!drain) {
      console_.line("the last lines of a removed service are lost: no process can be made");
    } else if (!table_.add({.pid = *drain, .slot = supervisor_.command_slot(), .run = 0, .kind = ChildKind::drain})) {
      console_.line("too many removed services at once: one that writes their last lines is on its own");
    }
  });
}

}  // namespace hcrc

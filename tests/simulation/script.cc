#include "tests/simulation/script.h"

#include <algorithm>

#include "core/database_writer.h"
#include "core/random.h"
#include "tests/simulation/changed_graph.h"

namespace hcrc::simulation {

namespace {

using namespace std::chrono_literals;

constexpr Duration calm_from = 100s;
constexpr Duration settled_by = 400s;
constexpr ExitStatus killed{.kind = ExitStatus::Kind::signal, .value = 9, .out_of_memory = false, .memory_limit = 0};

// Draws a script.
class Drawing {
 public:
  explicit Drawing(std::uint64_t seed) : random_(seed) {
    script_.seed = script_.options.seed = seed;
    for (bool& fault : faults_) fault = one_in(3);
    const std::uint64_t largest = one_in(3) ? 39 : 11;
    count_ = 1 + static_cast<Slot>(random_.upto(largest));
    // Large graphs have their probes and schedules further apart, so that a history stays a few hundred steps long.
    slower_ = count_ > 12 ? 6 : 1;
    loggers_ = one_in(2) ? 0 : std::min(count_, static_cast<Slot>(random_.upto(3)));
    for (Slot i = 0; i < count_; ++i) add(i);
    for (Slot i = 0; i < count_; ++i) connect(i);
    if (one_in(3)) bundle();
    draw_options();
    script_.behaviours.resize(script_.graph.services.size() + 1);
    for (Behaviour& behaviour : script_.behaviours) misbehave(behaviour);
    if (seed % 3 == 0) draw_updates();
    const std::uint64_t things = random_.upto(30);
    for (std::uint64_t i = 0; i < things; ++i) happen();
    if (one_in(4)) add(Thing::Kind::shutdown, upto(100'000), 0);
  }

  Script take() { return std::move(script_); }

 private:
  bool one_in(std::uint64_t n) { return random_.upto(n - 1) == 0; }
  Milliseconds upto(std::uint64_t most) { return Milliseconds(static_cast<std::int64_t>(random_.upto(most))); }
  Slot any() { return static_cast<Slot>(random_.upto(count_ - 1)); }
  static Template template_of(const std::string& text) { return Template{{{.text = text, .fallback = {}}}}; }

  void add(Slot i) {
    Service service;
    service.name = std::string("s") + static_cast<char>('0' + i / 10) + static_cast<char>('0' + i % 10);
    service.command = {template_of("/bin/" + service.name)};
    const std::uint64_t type = i < loggers_ ? 0 : random_.upto(6);
    service.type = type < 4 ? ServiceType::longrun : type < 6 ? ServiceType::oneshot : ServiceType::periodic;
    service.autostart = !one_in(5);
    draw_restart(service);
    service.stop.timeout = 100ms + upto(3'000);
    service.stop.timeout_written = one_in(2);
    if (one_in(6)) service.cleanup = service.command;
    if (one_in(6) && service.type != ServiceType::periodic) service.stop.command = service.command;
    if (service.type == ServiceType::longrun) {
      draw_longrun(service);
    } else {
      if (one_in(3)) service.timeout = 500ms + upto(3'000);
      service.schedule.every = slower_ * (2'000ms + upto(10'000));
      service.schedule.at_start = !one_in(3);
      if (one_in(3)) service.schedule.jitter = upto(2'000);
    }
    script_.graph.services.push_back(std::move(service));
  }

  void draw_restart(Service& service) {
    RestartRule& restart = service.restart;
    if (service.type == ServiceType::periodic) return;
    restart.attempts = one_in(4) ? RestartRule::unlimited : static_cast<std::uint32_t>(random_.upto(4));
    restart.delay = one_in(5) && restart.attempts != RestartRule::unlimited ? 0ms : 200ms + upto(2'000);
    restart.max_delay = restart.delay + upto(5'000);
    restart.factor_milli = one_in(4) ? 1'000 : 1'000 + static_cast<std::uint32_t>(random_.upto(2'500));
    restart.jitter_milli = one_in(2) ? 0 : 300;
    restart.reset_after = upto(20'000);
    restart.policy = one_in(2) ? RestartPolicy::always : static_cast<RestartPolicy>(random_.upto(2));
    restart.exhausted = one_in(2) ? Exhausted::hold : one_in(20) ? Exhausted::shutdown : Exhausted::fail;
    restart.hold = 5s + upto(20'000);
    if (one_in(8)) restart.permanent_codes.set(1);
    if (one_in(8)) restart.success_codes.set(1, !restart.permanent_codes.test(1));
  }

  void draw_longrun(Service& service) {
    constexpr ReadyKind kinds[] = {ReadyKind::spawned, ReadyKind::notify, ReadyKind::fd,
                                   ReadyKind::tcp,     ReadyKind::http,   ReadyKind::exec};
    service.ready.kind = one_in(2) ? ReadyKind::notify : kinds[random_.upto(5)];
    const ReadyKind kind = service.ready.kind;
    if (kind == ReadyKind::fd) service.ready.fd = 3;
    if (kind == ReadyKind::tcp || kind == ReadyKind::http) service.ready.address = service.command.front();
    if (kind == ReadyKind::exec) service.ready.command = service.command;
    service.ready.timeout = 1s + upto(5'000);
    service.ready.interval = 200ms + upto(500);
    if (one_in(3)) {
      service.health.kind = HealthKind::tcp;
      service.health.address = service.command.front();
      service.health.interval = slower_ * (1s + upto(5'000));
      service.health.timeout = 100ms + upto(2'000);
      service.health.failures = 1 + static_cast<std::uint32_t>(random_.upto(3));
    }
    if (one_in(6)) service.health.watchdog = 10s + upto(10'000);
    if (one_in(5)) service.lock = service.command.front();
    service.essential = faults_[7] && one_in(12);
  }

  void edge(Slot from, EdgeKind kind, Slot to) {
    std::vector<Edge>& edges = script_.graph.services[from].edges;
    auto at = std::ranges::lower_bound(edges, to, {}, &Edge::target);
    if (at == edges.end() || at->target != to) at = edges.insert(at, Edge{.target = to, .kinds = {}});
    at->kinds.add(kind);
  }

  // To those before it, so that there is no circle.
  void connect(Slot i) {
    if (i == 0) return;
    if (i >= loggers_ && loggers_ > 0 && one_in(2)) {
      edge(i, EdgeKind::log_to, static_cast<Slot>(random_.upto(loggers_ - 1)));
    }
    constexpr EdgeKind kinds[] = {EdgeKind::requires_, EdgeKind::requires_, EdgeKind::wants, EdgeKind::after,
                                  EdgeKind::binds_to};
    const std::uint64_t edges = count_ <= 12 ? random_.upto(i / 2 + 1) : random_.upto(3);
    for (std::uint64_t k = 0; k < edges; ++k) {
      const EdgeKind kind = kinds[random_.upto(4)];  // arguments have no order
      edge(i, kind, static_cast<Slot>(random_.upto(i - 1)));
    }
  }

  void bundle() {
    Service all;
    all.name = "zz";
    all.type = ServiceType::bundle;
    all.autostart = one_in(3);
    for (Slot i = 0; i < count_; ++i) {
      if (one_in(3)) all.contents.push_back(i);
    }
    if (!all.contents.empty()) script_.graph.services.push_back(std::move(all));
  }

  void draw_options() {
    Supervisor::Options& options = script_.options;
    const auto services = script_.graph.services.size();
    options.command = one_in(8);
    if (one_in(4)) options.stop_deadline = 400ms + upto(9'000);
    if (one_in(10)) options.target = static_cast<Slot>(random_.upto(services - 1));
    if (one_in(40)) options.no_target = true;
    if (one_in(6)) options.essential_exhausted = static_cast<Exhausted>(random_.upto(2));
    if (one_in(6)) {
      options.env_skipped.resize(services);
      for (std::size_t i = 0; i < count_; ++i) options.env_skipped[i] = one_in(6);
    }
    script_.notify_usable = !one_in(12);
    script_.shuffled = one_in(2);
    if (one_in(4)) script_.orphans_end_after.reset();
  }

  void misbehave(Behaviour& behaviour) {
    if (faults_[0] && one_in(3)) {
      behaviour.start = static_cast<Behaviour::Start>(1 + random_.upto(4));
      behaviour.bad_starts = static_cast<std::uint32_t>(random_.upto(6));
      behaviour.lock_for = upto(20'000);
    }
    behaviour.answers_after = 1ms + upto(20);
    behaviour.ready_after = upto(40);
    if (faults_[1] && one_in(4)) behaviour.ready_after.reset();
    if (faults_[1] && one_in(4)) behaviour.extends = upto(8'000);
    if (faults_[2] && one_in(3)) behaviour.ends_after = 1ms + upto(15'000);
    if (faults_[2] && one_in(4)) behaviour.says_stopping = upto(15'000);
    // Exactly when something else is due.
    if (faults_[2] && one_in(8)) behaviour.ends_after = behaviour.answers_after;
    if (faults_[3] && one_in(2)) {
      behaviour.end = {.kind = ExitStatus::Kind::code, .value = 1, .out_of_memory = false, .memory_limit = 0};
    }
    if (faults_[4] && one_in(3)) behaviour.stops_after.reset();
    if (faults_[4] && one_in(4)) behaviour.extends_stop = upto(15'000);
    if (faults_[4] && one_in(3)) behaviour.stop_command_works = false;
    if (faults_[5] && one_in(3)) behaviour.leaves_behind = 1ms + upto(30'000);
    if (faults_[6] && one_in(3)) behaviour.probes_good = false;
    if (faults_[6] && one_in(4)) behaviour.probe_answers_after.reset();
    if (faults_[6] && one_in(3)) behaviour.watchdog = false;
    if (faults_[8] && one_in(2)) behaviour.commands = static_cast<Behaviour::Command>(1 + random_.upto(4));
    if (faults_[9] && one_in(2)) behaviour.echo_after = upto(one_in(2) ? 10 : 3'000);
  }

  void add(Thing::Kind kind, Duration at, Slot slot, std::uint32_t number = 0) {
    script_.things.push_back({.at = at, .kind = kind, .slot = slot, .number = number});
  }

  void happen() {
    const Duration at = upto(100'000);
    constexpr Thing::Kind kinds[] = {Thing::Kind::start,       Thing::Kind::stop,       Thing::Kind::restart,
                                     Thing::Kind::stale_ready, Thing::Kind::crash,      Thing::Kind::crash,
                                     Thing::Kind::crash,       Thing::Kind::ends_well,  Thing::Kind::hang,
                                     Thing::Kind::signal,      Thing::Kind::copier_ends};
    const Thing::Kind kind = kinds[random_.upto(10)];
    const bool bundle = script_.graph.services.size() > count_ && one_in(4) && kind <= Thing::Kind::restart;
    const Slot slot = bundle ? count_ : any();
    add(kind, at, slot, static_cast<std::uint32_t>(random_.upto(5)));
  }

  // Some close behind one another, while the stops of the last are still going on.
  void draw_updates() {
    std::vector<std::shared_ptr<const Database>> graphs = {std::make_shared<const Database>(database_of(script_.graph))};
    const std::uint64_t count = 1 + random_.upto(4);
    Duration at{};
    for (std::uint64_t i = 0; i < count; ++i) {
      at += upto(one_in(3) ? 40 : 40'000);
      const auto& from = graphs[one_in(4) ? random_.upto(graphs.size() - 1) : graphs.size() - 1];
      graphs.push_back(ChangedGraph(*from, random_).database());
      add(Thing::Kind::update, at, 0, static_cast<std::uint32_t>(i));
    }
    script_.graphs.assign(graphs.begin() + 1, graphs.end());
    if (one_in(3)) script_.newcomers.stops_after.reset();
    if (one_in(3)) script_.newcomers.ends_after = 700ms;
  }

  Random random_;
  Script script_;
  Slot count_ = 0;
  Slot loggers_ = 0;
  std::int64_t slower_ = 1;
  bool faults_[10] = {};
};

void arrange(World& world, const Script& script, const Thing& thing) {
  const ExitStatus clean{.kind = ExitStatus::Kind::code, .value = 0, .out_of_memory = false, .memory_limit = 0};
  switch (thing.kind) {
    case Thing::Kind::start: return world.at(thing.at, event::Start{.slot = thing.slot});
    case Thing::Kind::stop: return world.at(thing.at, event::Stop{.slot = thing.slot});
    case Thing::Kind::restart: return world.at(thing.at, event::Restart{.slot = thing.slot});
    case Thing::Kind::stale_ready: return world.at(thing.at, event::Ready{.slot = thing.slot, .run = thing.number});
    case Thing::Kind::crash: return world.crash(thing.at, thing.slot, killed);
    case Thing::Kind::ends_well: return world.crash(thing.at, thing.slot, clean);
    case Thing::Kind::hang: return world.hang(thing.at, thing.slot);
    case Thing::Kind::signal: return world.at(thing.at, event::Signal{.slot = thing.slot, .signal = 10});
    case Thing::Kind::copier_ends: return world.kill_copier(thing.at, thing.slot);
    case Thing::Kind::shutdown: return world.at(thing.at, event::Shutdown{.signal = 15, .code = 3});
    case Thing::Kind::update: return world.update(thing.at, script.graphs[thing.number]);
  }
}

std::vector<std::string> ends_of(const Supervisor& supervisor) {
  std::vector<std::string> ends;
  for (Slot slot = 0; slot < supervisor.slots(); ++slot) {
    const Unit& unit = supervisor.unit(slot);
    if (unit.vacant) continue;
    ends.push_back(std::string(supervisor.name(slot)) + ": " + std::string(hcrc::text(unit.state)) + ", phase " +
                   std::to_string(static_cast<int>(unit.phase)) + (unit.wanted ? ", wanted" : "") +
                   (unit.departing ? ", departing" : "") + ", unmet " + std::to_string(unit.unmet) + ", leaving " +
                   std::to_string(unit.leaving_dependents));
  }
  return ends;
}

std::string problem_of(const World& world) { return world.broken().empty() ? std::string() : world.broken().front(); }

}  // namespace

Database database_of(const ServiceGraph& graph) {
  auto bytes = write_database(graph);
  auto database = Database::load(std::move(bytes.value()));
  return std::move(database.value());
}

Script random_script(std::uint64_t seed) { return Drawing(seed).take(); }

Outcome live(const Script& script, Watched watched, Watcher* watcher) {
  const Database database = database_of(script.graph);
  World world(database, script.options);
  if (!script.notify_usable) world.without_notify();
  if (watcher != nullptr) world.watch(*watcher);
  if (watched == Watched::without_oracle) world.without_oracle();
  if (script.shuffled) world.shuffle(script.seed);
  for (Slot slot = 0; slot < script.behaviours.size(); ++slot) world.behaviour(slot) = script.behaviours[slot];
  world.newcomers() = script.newcomers;
  world.orphans_end_after(script.orphans_end_after);
  for (const Thing& thing : script.things) arrange(world, script, thing);
  world.boot();
  world.run_until(calm_from);
  for (Slot slot = 0; slot < world.supervisor().slots(); ++slot) {
    world.behaviour(slot) = Behaviour{};
    // What hangs without a timeout or a health check hangs for ever.
    if (world.hangs(slot)) world.crash(calm_from, slot, killed);
  }
  world.newcomers() = Behaviour{};
  world.orphans_end_after(1ms);
  // Long enough for every hold, delay and timeout that is still going.
  world.run_until(settled_by);
  Outcome outcome;
  outcome.problem = problem_of(world);
  if (!world.exited()) {
    world.finished();
    if (outcome.problem.empty()) outcome.problem = problem_of(world);
    const Supervisor& supervisor = world.supervisor();
    if (outcome.problem.empty() && supervisor.unsettled() > 0) outcome.problem = "not everything settles in calm";
    if (outcome.problem.empty() && supervisor.departing() > 0) outcome.problem = "an update does not end in calm";
    if (!outcome.problem.empty()) outcome.ends = ends_of(supervisor);
    world.at(settled_by + 1s, event::Shutdown{.signal = 15, .code = 0});
    world.run_until(settled_by + 100s);
    if (outcome.problem.empty()) outcome.problem = problem_of(world);
    if (outcome.problem.empty() && !world.exited()) outcome.problem = "the shutdown does not end";
  }
  if (!outcome.problem.empty() && outcome.ends.empty()) outcome.ends = ends_of(world.supervisor());
  outcome.trace = world.trace();
  outcome.steps = world.steps();
  outcome.faults = world.faults();
  return outcome;
}

// Making a history smaller.

namespace {

class Shrinking {
 public:
  Shrinking(Script script, std::uint32_t lives) : script_(std::move(script)), lives_(lives) {}

  Script take() {
    bool smaller = true;
    while (smaller && lives_ > 0) {
      smaller = drop_things();
      smaller = drop_services() || smaller;
      smaller = calm_services() || smaller;
      smaller = plain_options() || smaller;
    }
    return std::move(script_);
  }

 private:
  bool keep_if_broken(Script&& smaller) {
    if (lives_ == 0) return false;
    --lives_;
    if (live(smaller).problem.empty()) return false;
    script_ = std::move(smaller);
    return true;
  }

  // Halves, quarters ... single ones.
  bool drop_things() {
    bool dropped = false;
    for (std::size_t size = (script_.things.size() + 1) / 2; size > 0; size = size == 1 ? 0 : (size + 1) / 2) {
      for (std::size_t at = 0; at < script_.things.size();) {
        Script smaller = script_;
        const auto first = smaller.things.begin() + static_cast<std::ptrdiff_t>(at);
        smaller.things.erase(first, first + static_cast<std::ptrdiff_t>(std::min(size, smaller.things.size() - at)));
        if (keep_if_broken(std::move(smaller))) {
          dropped = true;
        } else {
          at += size;
        }
      }
    }
    return dropped;
  }

  bool drop_services() {
    // The graphs of updates were made from the first one.
    const bool updates =
        std::ranges::any_of(script_.things, [](const Thing& thing) { return thing.kind == Thing::Kind::update; });
    if (updates) return false;
    bool dropped = false;
    for (std::size_t place = script_.graph.services.size(); place-- > 0 && script_.graph.services.size() > 1;) {
      dropped = keep_if_broken(without(static_cast<std::uint32_t>(place))) || dropped;
    }
    return dropped;
  }

  Script without(std::uint32_t place) const {
    Script smaller = script_;
    smaller.graph.services.erase(smaller.graph.services.begin() + place);
    for (Service& service : smaller.graph.services) {
      std::erase_if(service.edges, [place](const Edge& edge) { return edge.target == place; });
      std::erase(service.contents, place);
      for (Edge& edge : service.edges) edge.target -= edge.target > place ? 1 : 0;
      for (std::uint32_t& content : service.contents) content -= content > place ? 1 : 0;
    }
    smaller.behaviours.erase(smaller.behaviours.begin() + place);
    std::erase_if(smaller.things,
                  [place](const Thing& thing) { return thing.slot == place && thing.kind != Thing::Kind::shutdown; });
    for (Thing& thing : smaller.things) thing.slot -= thing.slot > place ? 1 : 0;
    Supervisor::Options& options = smaller.options;
    if (place < options.env_skipped.size()) options.env_skipped.erase(options.env_skipped.begin() + place);
    if (options.target && *options.target >= place) options.target = *options.target > place ? *options.target - 1 : 0;
    return smaller;
  }

  // Processes that do as they should, and services without what does not matter.
  bool calm_services() {
    bool calmer = false;
    for (std::size_t place = 0; place < script_.behaviours.size(); ++place) {
      if (is_default(script_.behaviours[place])) continue;
      Script smaller = script_;
      smaller.behaviours[place] = Behaviour{};
      calmer = keep_if_broken(std::move(smaller)) || calmer;
    }
    for (std::size_t place = 0; place < script_.graph.services.size(); ++place) {
      while (!script_.graph.services[place].edges.empty()) {
        Script smaller = script_;
        smaller.graph.services[place].edges.pop_back();
        if (!keep_if_broken(std::move(smaller))) break;
        calmer = true;
      }
    }
    return calmer;
  }

  static bool is_default(const Behaviour& behaviour) {
    const Behaviour well;
    return behaviour.start == well.start && behaviour.answers_after == well.answers_after &&
           behaviour.ready_after == well.ready_after && behaviour.ends_after == well.ends_after &&
           behaviour.end == well.end && behaviour.stops_after == well.stops_after &&
           behaviour.leaves_behind == well.leaves_behind && behaviour.commands == well.commands &&
           behaviour.probes_good == well.probes_good && behaviour.probe_answers_after == well.probe_answers_after &&
           behaviour.watchdog == well.watchdog && behaviour.stop_command_works == well.stop_command_works &&
           behaviour.extends == well.extends && behaviour.extends_stop == well.extends_stop &&
           behaviour.says_stopping == well.says_stopping && behaviour.echo_after == well.echo_after;
  }

  bool plain_options() {
    Script smaller = script_;
    const std::uint64_t seed = smaller.options.seed;
    smaller.options = Supervisor::Options{};
    smaller.options.seed = seed;
    smaller.options.command = script_.options.command;
    smaller.shuffled = false;
    smaller.orphans_end_after = 1ms;
    const bool plain = !script_.shuffled && script_.orphans_end_after && script_.options.env_skipped.empty() &&
                       !script_.options.target && !script_.options.no_target && !script_.options.essential_exhausted;
    return !plain && keep_if_broken(std::move(smaller));
  }

  Script script_;
  std::uint32_t lives_;
};

std::string ms(Duration duration) {
  return std::to_string(std::chrono::duration_cast<Milliseconds>(duration).count()) + "ms";
}

std::string text(const Thing& thing, const Script& script) {
  constexpr const char* kinds[] = {"start",    "stop", "restart", "a stale READY of",   "kill",
                                   "end well", "hang", "signal",  "kill the copier of", "shutdown",
                                   "update"};
  std::string line = ms(thing.at) + " " + kinds[static_cast<std::size_t>(thing.kind)];
  const bool whose = thing.kind != Thing::Kind::shutdown && thing.kind != Thing::Kind::update;
  if (whose && thing.slot < script.graph.services.size()) line += " " + script.graph.services[thing.slot].name;
  return line;
}

std::string text(const Behaviour& behaviour) {
  std::string line;
  if (behaviour.start != Behaviour::Start::spawned)
    line += " start=" + std::to_string(static_cast<int>(behaviour.start)) + "x" + std::to_string(behaviour.bad_starts);
  if (!behaviour.ready_after) line += " never-ready";
  if (behaviour.ends_after) line += " ends-after=" + ms(*behaviour.ends_after);
  if (behaviour.end.value != 0) line += " exit=" + std::to_string(behaviour.end.value);
  if (!behaviour.stops_after) line += " ignores-signals";
  if (!behaviour.stop_command_works) line += " stop-command-useless";
  if (behaviour.leaves_behind) line += " leaves-behind=" + ms(*behaviour.leaves_behind);
  if (!behaviour.probes_good) line += " ill";
  if (!behaviour.probe_answers_after) line += " deaf-to-probes";
  if (!behaviour.watchdog) line += " no-watchdog";
  if (behaviour.commands != Behaviour::Command::works)
    line += " commands=" + std::to_string(static_cast<int>(behaviour.commands));
  if (behaviour.extends) line += " extends=" + ms(*behaviour.extends);
  if (behaviour.extends_stop) line += " extends-stop=" + ms(*behaviour.extends_stop);
  if (behaviour.says_stopping) line += " says-stopping=" + ms(*behaviour.says_stopping);
  if (behaviour.echo_after) line += " echo=" + ms(*behaviour.echo_after);
  return line;
}

}  // namespace

Script shrink(Script script, std::uint32_t lives) { return Shrinking(std::move(script), lives).take(); }

std::string text(const Script& script) {
  std::string all;
  for (std::size_t place = 0; place < script.graph.services.size(); ++place) {
    const Service& service = script.graph.services[place];
    all += service.name + " (" + std::string(hcrc::text(service.type)) + ")";
    for (const Edge& edge : service.edges) {
      all += " -> " + script.graph.services[edge.target].name + ":" + std::to_string(edge.kinds.bits());
    }
    all += text(script.behaviours[place]) + "\n";
  }
  for (const Thing& thing : script.things) all += text(thing, script) + "\n";
  return all;
}

}  // namespace hcrc::simulation

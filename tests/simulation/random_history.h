// A random history: a graph, misbehaviour and commands, all drawn from one seed. First a phase of faults, then calm.
#pragma once

#include <string>

#include "core/random.h"
#include "core/simulation/world.h"
#include "tests/simulation/small_graph.h"

namespace hcrc::simulation {

class RandomHistory {
 public:
  explicit RandomHistory(std::uint64_t seed) : random_(seed) {
    count_ = 1 + static_cast<Slot>(random_.upto(11));
    loggers_ = random_.upto(1) == 0 ? 0 : static_cast<Slot>(random_.upto(2));
    // Some faults are wholly off in a history, so that others get to happen.
    for (bool& fault : faults_) fault = random_.upto(2) == 0;
  }

  Database database() {
    Graph graph;
    for (Slot i = 0; i < count_; ++i) add(graph, i);
    for (Slot i = 0; i < count_; ++i) connect(graph, i);
    return graph.database();
  }

  void live(World& world) {
    // Names are numbers in order, so slots are too.
    for (Slot slot = 0; slot < count_; ++slot) misbehave(world.behaviour(slot));
    world.boot();
    const std::uint64_t things = random_.upto(30);
    for (std::uint64_t i = 0; i < things; ++i) happen(world);
    if (random_.upto(3) == 0) {
      world.at(Milliseconds(static_cast<std::int64_t>(random_.upto(100'000))), event::Shutdown{.signal = 15, .code = 3});
    }
    world.run_until(std::chrono::seconds(100));
    for (Slot slot = 0; slot < count_; ++slot) world.behaviour(slot) = Behaviour{};
  }

 private:
  static std::string name(Slot i) { return (i < 10 ? "s0" : "s1") + std::to_string(i % 10); }
  bool one_in(std::uint64_t n) { return random_.upto(n - 1) == 0; }
  Milliseconds upto_ms(std::uint64_t most) { return Milliseconds(static_cast<std::int64_t>(random_.upto(most))); }

  void add(Graph& graph, Slot i) {
    const std::uint64_t type = i < loggers_ ? 0 : random_.upto(5);
    Service& service = type < 3 ? graph.longrun(name(i)) : type < 5 ? graph.oneshot(name(i)) : graph.periodic(name(i));
    service.autostart = !one_in(5);
    service.restart.attempts = one_in(4) ? RestartRule::unlimited : static_cast<std::uint32_t>(random_.upto(4));
    service.restart.delay = upto_ms(2'000);
    service.restart.max_delay = service.restart.delay + upto_ms(5'000);
    service.restart.jitter_milli = one_in(2) ? 0 : 300;
    service.restart.reset_after = upto_ms(20'000);
    service.restart.policy = static_cast<RestartPolicy>(random_.upto(2));
    service.restart.exhausted = one_in(2) ? Exhausted::hold : Exhausted::fail;
    service.restart.hold = std::chrono::seconds(5) + upto_ms(20'000);
    service.stop.timeout = Milliseconds(100) + upto_ms(3'000);
    service.stop.timeout_written = one_in(2);
    if (one_in(6)) service.cleanup = service.command;
    if (one_in(8) && service.type != ServiceType::periodic) service.stop.command = service.command;
    if (service.type == ServiceType::longrun) {
      service.ready.kind = one_in(2) ? ReadyKind::notify : one_in(2) ? ReadyKind::http : ReadyKind::spawned;
      if (service.ready.kind == ReadyKind::http) service.ready.address = service.command.front();
      service.ready.timeout = std::chrono::seconds(1) + upto_ms(5'000);
      if (one_in(3)) {
        service.health.kind = HealthKind::tcp;
        service.health.address = service.command.front();
        service.health.interval = std::chrono::seconds(1) + upto_ms(5'000);
      }
      if (one_in(5)) service.lock = service.command.front();
      service.essential = one_in(12);
    } else {
      if (one_in(3)) service.timeout = Milliseconds(500) + upto_ms(3'000);
      service.schedule.every = std::chrono::seconds(2) + upto_ms(10'000);
    }
    if (service.type == ServiceType::periodic) service.restart = RestartRule{};
  }

  void connect(Graph& graph, Slot i) {
    if (i >= loggers_ && loggers_ > 0 && one_in(2)) {
      graph.edge(name(i), EdgeKind::log_to, name(static_cast<Slot>(random_.upto(loggers_ - 1))));
    }
    for (Slot other = 0; other < i; ++other) {
      if (!one_in(3)) continue;
      constexpr EdgeKind kinds[] = {EdgeKind::requires_, EdgeKind::wants, EdgeKind::after, EdgeKind::binds_to};
      graph.edge(name(i), kinds[random_.upto(3)], name(other));
    }
  }

  void misbehave(Behaviour& behaviour) {
    if (faults_[0] && one_in(3)) {
      behaviour.start = static_cast<Behaviour::Start>(1 + random_.upto(4));
      behaviour.bad_starts = static_cast<std::uint32_t>(random_.upto(5));
      behaviour.lock_for = upto_ms(20'000);
    }
    behaviour.answers_after = upto_ms(20);
    if (faults_[1] && one_in(4)) behaviour.ready_after.reset();
    if (faults_[2] && one_in(3)) behaviour.ends_after = Milliseconds(1) + upto_ms(15'000);
    if (faults_[3] && one_in(2))
      behaviour.end = {.kind = ExitStatus::Kind::code, .value = 1, .out_of_memory = false, .memory_limit = 0};
    if (faults_[4] && one_in(3)) behaviour.stops_after.reset();
    if (faults_[5] && one_in(3)) behaviour.leaves_behind = upto_ms(30'000);
    if (faults_[6] && one_in(3)) behaviour.probes_good = false;
    if (faults_[6] && one_in(4)) behaviour.probe_answers_after.reset();
  }

  void happen(World& world) {
    const Duration when = upto_ms(100'000);
    const auto slot = static_cast<Slot>(random_.upto(count_ - 1));
    const ExitStatus killed{.kind = ExitStatus::Kind::signal, .value = 9, .out_of_memory = false, .memory_limit = 0};
    const ExitStatus clean{.kind = ExitStatus::Kind::code, .value = 0, .out_of_memory = false, .memory_limit = 0};
    switch (random_.upto(6)) {
      case 0: return world.at(when, event::Start{.slot = slot});
      case 1: return world.at(when, event::Stop{.slot = slot});
      case 2: return world.at(when, event::Restart{.slot = slot});
      case 3: return world.at(when, event::Ready{.slot = slot, .run = static_cast<Run>(random_.upto(5))});
      case 4: return world.crash(when, slot, clean);
      default: return world.crash(when, slot, killed);
    }
  }

  Random random_;
  Slot count_ = 0;
  Slot loggers_ = 0;
  bool faults_[7] = {};
};

}  // namespace hcrc::simulation

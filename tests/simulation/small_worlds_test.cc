// Every small world: all graphs of four longruns in which each earlier one may be required, wanted, merely come before, or
// be nothing to each later one: 4^6 = 4,096 graphs. Each is started without a fault, and compared with the reference that a
// person would compute; then once more for every service, every moment at which something happens, and every kind of fault.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "core/simulation/world.h"
#include "tests/catch.h"
#include "tests/simulation/small_graph.h"

namespace hcrc::simulation {
namespace {

using namespace std::chrono_literals;

constexpr Slot services = 4;
constexpr std::array<std::string_view, services> names = {"a", "b", "c", "d"};
constexpr unsigned graphs = 4'096;

// Under the sanitizers one in sixty-one of them: the others differ in numbers, not in code.
#if defined(__SANITIZE_ADDRESS__)
constexpr unsigned step = 61;
#else
constexpr unsigned step = 1;
#endif

// What the later service of a pair has to the earlier one; 0 is nothing.
using Kinds = std::array<std::array<unsigned, services>, services>;

Kinds kinds_of(unsigned number) {
  Kinds kinds{};
  for (Slot later = 1; later < services; ++later) {
    for (Slot earlier = 0; earlier < later; ++earlier) {
      kinds[later][earlier] = number % 4;
      number /= 4;
    }
  }
  return kinds;
}

Database database_of(const Kinds& kinds) {
  constexpr EdgeKind edge_kinds[] = {EdgeKind::requires_, EdgeKind::requires_, EdgeKind::wants, EdgeKind::after};
  Graph graph;
  for (const std::string_view name : names) {
    Service& service = graph.notifying(name);
    service.restart.delay = 7ms;
    service.restart.attempts = 1;
  }
  for (Slot later = 1; later < services; ++later) {
    for (Slot earlier = 0; earlier < later; ++earlier) {
      if (kinds[later][earlier] != 0) graph.edge(names[later], edge_kinds[kinds[later][earlier]], names[earlier]);
    }
  }
  return graph.database();
}

// When each is ready if nothing goes wrong: 5 ms after all that it waits for.
std::array<Duration, services> reference(const Kinds& kinds) {
  std::array<Duration, services> ready{};
  for (Slot later = 0; later < services; ++later) {
    Duration start = 0ms;
    for (Slot earlier = 0; earlier < later; ++earlier) {
      if (kinds[later][earlier] != 0) start = std::max(start, ready[earlier]);
    }
    ready[later] = start + 5ms;
  }
  return ready;
}

std::string story(unsigned number, std::string_view fault, const World& world) {
  std::string all = "graph " + std::to_string(number) + ", " + std::string(fault) + '\n';
  for (const std::string& line : world.trace()) all += line + '\n';
  return all;
}

enum class Fault : std::uint8_t { crash, stop, restart, shutdown, hang, deaf_stop, failed_start };

void cause(World& world, Fault fault, Slot slot, Duration when) {
  const ExitStatus killed{.kind = ExitStatus::Kind::signal, .value = 11, .out_of_memory = false, .memory_limit = 0};
  switch (fault) {
    case Fault::crash: return world.crash(when, slot, killed);
    case Fault::stop: return world.at(when, event::Stop{.slot = slot});
    case Fault::restart: return world.at(when, event::Restart{.slot = slot});
    case Fault::shutdown: return world.at(when, event::Shutdown{.signal = 15, .code = 0});
    case Fault::hang: return world.hang(when, slot);
    case Fault::deaf_stop: world.hang(when, slot); return world.at(when, event::Stop{.slot = slot});
    case Fault::failed_start:
      // The start that comes next does not get as far as its exec.
      Behaviour bad = world.behaviour(slot);
      bad.start = Behaviour::Start::fails;
      bad.bad_starts = 1;
      world.change(when, slot, bad);
      return world.crash(when, slot, killed);
  }
}

// When something happens in a world without faults, and in between.
std::vector<Duration> moments_of(const Database& database, Duration until) {
  World calm(database, {});
  calm.boot();
  calm.run_until(until);
  std::vector<Duration> moments = {0ms, until};
  for (const std::string& line : calm.trace()) {
    const Milliseconds at(std::stoll(line));
    moments.insert(moments.end(), {at, at + 2ms});
  }
  std::sort(moments.begin(), moments.end());
  moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
  return moments;
}

// After one fault and a while, what should be so: everything that nobody stopped is up, or waits for what is stopped.
void check_calm(const World& world, unsigned number, Fault fault, Slot slot, const Kinds& kinds) {
  if (!world.broken().empty()) FAIL(story(number, "broken", world));
  if (fault == Fault::shutdown) {
    if (world.exited() != std::uint8_t{0}) FAIL(story(number, "no exit", world));
    return;
  }
  std::array<bool, services> down{};
  for (Slot each = 0; each < services; ++each) {
    down[each] = fault == Fault::stop && each == slot;
    for (Slot earlier = 0; earlier < each; ++earlier)
      down[each] = down[each] || (kinds[each][earlier] == 1 && down[earlier]);
    const State expected = !down[each] ? State::up : each == slot ? State::down : State::waiting;
    if (world.supervisor().unit(each).state != expected) FAIL(story(number, std::string(names[each]) + " is wrong", world));
  }
}

TEST_CASE("every small world starts as its topology says, and comes through any one fault", "[small-worlds]") {
  std::size_t histories = 0;
  for (unsigned number = 0; number < graphs; number += step) {
    const Kinds kinds = kinds_of(number);
    const Database database = database_of(kinds);
    const std::array<Duration, services> ready = reference(kinds);
    World calm(database, {});
    calm.boot();
    calm.run_until(1s);
    for (Slot slot = 0; slot < services; ++slot) {
      if (calm.spawns(names[slot]).front().time_since_epoch() != ready[slot] - 5ms) FAIL(story(number, "reference", calm));
    }
    const std::vector<Duration> moments = moments_of(database, 1s);
    for (const Fault fault : {Fault::crash, Fault::stop, Fault::restart, Fault::shutdown}) {
      for (Slot slot = 0; slot < (fault == Fault::shutdown ? 1 : services); ++slot) {
        for (const Duration moment : moments) {
          World world(database, {});
          world.boot();
          cause(world, fault, slot, moment);
          world.run_until(20s);
          check_calm(world, number, fault, slot, kinds);
          ++histories;
        }
      }
    }
  }
  REQUIRE(histories > 200'000 / step);
}

// Every kind of edge between up to three services of every type: nothing is broken by any one fault, and all settles.
class TypedWorld {
 public:
  explicit TypedWorld(unsigned number) {
    for (ServiceType& type : types_) {
      type = static_cast<ServiceType>(number % 3);
      number /= 3;
    }
    for (auto& [later, earlier, kind] : edges_) {
      kind = number % 6;
      number /= 6;
    }
  }

  // A logger is a longrun, and a service has one at most.
  bool allowed() const {
    unsigned loggers_of_last = 0;
    for (const auto& [later, earlier, kind] : edges_) {
      if (kind == 5 && types_[earlier] != ServiceType::longrun) return false;
      if (kind == 5 && later == 2) ++loggers_of_last;
    }
    return loggers_of_last < 2;
  }

  Database database() const {
    constexpr EdgeKind kinds[] = {EdgeKind::requires_, EdgeKind::requires_, EdgeKind::wants,
                                  EdgeKind::after,     EdgeKind::binds_to,  EdgeKind::log_to};
    Graph graph;
    for (Slot slot = 0; slot < 3; ++slot) {
      Service& service = graph.add(names[slot], types_[slot]);
      if (types_[slot] == ServiceType::longrun) service.ready.kind = ReadyKind::notify;
      if (types_[slot] != ServiceType::periodic) service.restart.delay = 7ms;
      if (types_[slot] != ServiceType::longrun) service.timeout = 1s;
      service.schedule.every = 10s;
    }
    for (const auto& [later, earlier, kind] : edges_) {
      if (kind != 0) graph.edge(names[later], kinds[kind], names[earlier]);
    }
    return graph.database();
  }

 private:
  struct Pair {
    Slot later;
    Slot earlier;
    unsigned kind;
  };
  std::array<ServiceType, 3> types_{};
  std::array<Pair, 3> edges_ = {{{1, 0, 0}, {2, 0, 0}, {2, 1, 0}}};
};

// Every fault at every moment, on each service; and every command on a bundle of them, which is a name.
std::size_t all_faults(const Database& database, Slot count, unsigned number) {
  std::size_t histories = 0;
  const std::vector<Duration> moments = moments_of(database, 1s);
  for (const Fault fault :
       {Fault::crash, Fault::stop, Fault::restart, Fault::shutdown, Fault::hang, Fault::deaf_stop, Fault::failed_start}) {
    const bool command = fault == Fault::stop || fault == Fault::restart;
    const Slot targets = fault == Fault::shutdown ? 1 : command ? static_cast<Slot>(database.size()) : count;
    for (Slot slot = 0; slot < targets; ++slot) {
      for (const Duration moment : moments) {
        World world(database, {});
        world.boot();
        cause(world, fault, slot, moment);
        world.run_until(90s);
        ++histories;
        if (!world.broken().empty()) FAIL(story(number, "broken", world));
        if (fault == Fault::shutdown && world.exited() != std::uint8_t{0}) FAIL(story(number, "no exit", world));
        if (!world.exited() && world.supervisor().unsettled() > 0) FAIL(story(number, "does not settle", world));
      }
    }
  }
  return histories;
}

TEST_CASE("every kind of edge between three services of every type comes through any one fault", "[small-worlds]") {
  std::size_t histories = 0;
  for (unsigned number = 0; number < 27 * 216; number += step) {
    const TypedWorld typed(number);
    if (typed.allowed()) histories += all_faults(typed.database(), 3, number);
  }
  std::printf("typed worlds of three: %zu histories\n", histories);
  REQUIRE(histories > 500'000 / step);
}

// A bundle is a name: what is said to it is said to all in it, and an edge to it is one to each of them.
TEST_CASE("a bundle of any two services of every type comes through any one command and fault", "[small-worlds]") {
  std::size_t histories = 0;
  constexpr EdgeKind kinds[] = {EdgeKind::requires_, EdgeKind::wants, EdgeKind::after, EdgeKind::binds_to};
  for (unsigned number = 0; number < 27 * 4 * 3; number += step) {
    Graph graph;
    unsigned rest = number;
    for (Slot slot = 0; slot < 3; ++slot, rest /= 3) {
      Service& service = graph.add(names[slot], static_cast<ServiceType>(rest % 3));
      if (service.type != ServiceType::periodic) service.restart.delay = 7ms;
      if (service.type != ServiceType::longrun) service.timeout = 1s;
      service.schedule.every = 10s;
    }
    const EdgeKind kind = kinds[rest % 4];
    const unsigned in = 1 + rest / 4;  // which of the first two are in it
    for (Slot slot = 0; slot < 2; ++slot) {
      if ((in >> slot & 1) != 0) graph.edge(names[2], kind, names[slot]);
    }
    Service& bundle = graph.add("pair", ServiceType::bundle);
    for (Slot slot = 0; slot < 2; ++slot) {
      if ((in >> slot & 1) != 0) bundle.contents.push_back(slot);
    }
    histories += all_faults(graph.database(), 3, number);
  }
  REQUIRE(histories > 10'000 / step);
}

// Instances are services of their own: an edge OTHER@ is one from each to the same of the other.
TEST_CASE("two instances of two services, edge by edge, come through any one fault", "[small-worlds]") {
  std::size_t histories = 0;
  unsigned number = 0;
  for (const EdgeKind kind : {EdgeKind::requires_, EdgeKind::wants, EdgeKind::after, EdgeKind::binds_to, EdgeKind::log_to}) {
    Graph graph;
    for (const char* name : {"base@a", "base@b", "user@a", "user@b"}) graph.longrun(name).restart.delay = 7ms;
    graph.edge("user@a", kind, "base@a").edge("user@b", kind, "base@b");
    histories += all_faults(graph.database(), 4, number++);
  }
  REQUIRE(histories > 500);
}

}  // namespace
}  // namespace hcrc::simulation

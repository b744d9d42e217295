// What the supervisor itself costs: layered graphs of 100, 1,000 and 10,000 longruns, each of which requires three of the
// layer below and says itself when it is ready, are started and stopped without any process: every effect is answered at
// once. Prints the nanoseconds and the steps of work an event cost, side by side, so that growth with the graph shows.
//
//   core-benchmark [REPEATS]     the best of so many runs (5)
//
// Exits 1 where an event of a start of 10,000 costs more than 3 microseconds: three times what it should.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <type_traits>
#include <vector>

#include "core/database.h"
#include "core/database_writer.h"
#include "core/random.h"
#include "core/supervisor.h"

namespace {

using namespace hcrc;

constexpr std::uint32_t layers = 10;
constexpr double limit_ns = 3'000;

std::string name_of(std::uint32_t number) {
  std::string digits = std::to_string(number);
  return "s" + std::string(6 - digits.size(), '0') + digits;
}

Database layered(std::uint32_t services) {
  ServiceGraph graph;
  Random random(services);
  const std::uint32_t width = services / layers;
  for (std::uint32_t i = 0; i < services; ++i) {
    Service service;
    service.name = name_of(i);
    service.command = {Template{{{.text = "/bin/true", .fallback = {}}}}};
    service.ready.kind = ReadyKind::notify;
    const std::uint32_t below = i / width * width;  // the first of its own layer
    for (std::uint32_t edge = 0; below > 0 && edge < 3; ++edge) {
      // One from each third of the layer below, so that targets ascend and none comes twice.
      const auto target = static_cast<std::uint32_t>(below - width + width / 3 * edge + random.upto(width / 3 - 1));
      Edge required{.target = target, .kinds = {}};
      required.kinds.add(EdgeKind::requires_);
      service.edges.push_back(required);
    }
    graph.services.push_back(std::move(service));
  }
  auto bytes = write_database(graph);
  if (!bytes) std::abort();
  auto database = Database::load(std::move(*bytes));
  if (!database) std::abort();
  return std::move(*database);
}

struct Cost {
  std::uint64_t events = 0;
  std::uint64_t steps = 0;
  double ns = 0;
  double per_event() const { return ns / static_cast<double>(events); }
  double steps_per_event() const { return static_cast<double>(steps) / static_cast<double>(events); }
};

// Answers effects as the best of all machines would, until nothing is left to do.
class Answers {
 public:
  explicit Answers(Supervisor& supervisor) : supervisor_(supervisor) {}

  Cost run(Instant now) {
    const std::uint64_t steps_before = supervisor_.steps();
    const auto began = std::chrono::steady_clock::now();
    Cost cost;
    while (true) {
      while (const auto effect = supervisor_.next(now)) std::visit([this](const auto& one) { perform(one); }, *effect);
      if (waiting_.empty()) break;
      supervisor_.handle(waiting_.front(), now);
      waiting_.pop_front();
      ++cost.events;
    }
    cost.ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - began).count();
    cost.steps = supervisor_.steps() - steps_before;
    return cost;
  }

 private:
  void perform(const effect::Spawn& spawn) {
    waiting_.push_back(event::Spawned{.slot = spawn.slot, .run = spawn.run, .role = spawn.role, .pid = 1});
    waiting_.push_back(event::Ready{.slot = spawn.slot, .run = spawn.run});
  }
  void perform(const effect::SignalProcess& signal) {
    if (signal.signal == signals::sigcont) return;
    const ExitStatus status{.kind = ExitStatus::Kind::signal, .value = 15, .out_of_memory = false, .memory_limit = 0};
    waiting_.push_back(
        event::Exited{.slot = signal.slot, .run = signal.run, .role = Role::main, .status = status, .leftovers = false});
  }
  void perform(const effect::Sweep&) { waiting_.push_back(event::OrphansGone{}); }
  template <typename Other>
  void perform(const Other&) {}

  Supervisor& supervisor_;
  std::deque<Event> waiting_;
};

struct Costs {
  Cost start;
  Cost stop;
};

Costs once(const Database& database) {
  Supervisor supervisor(database, Supervisor::Options{});
  Answers answers(supervisor);
  Costs costs;
  supervisor.boot(Instant{});
  costs.start = answers.run(Instant{});
  if (supervisor.unsettled() != 0) std::abort();
  supervisor.handle(event::Shutdown{.signal = 15, .code = 0}, Instant{} + std::chrono::seconds(1));
  costs.stop = answers.run(Instant{} + std::chrono::seconds(1));
  return costs;
}

}  // namespace

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::atoi(argv[1]) : 5;
  std::printf("%8s  %8s %9s %11s %6s   %8s %9s %11s %6s\n", "services", "start:", "ns/event", "steps/event", "ratio",
              "stop:", "ns/event", "steps/event", "ratio");
  Costs first, last;
  for (const std::uint32_t services : {100u, 1'000u, 10'000u}) {
    const Database database = layered(services);
    Costs best;
    for (int i = 0; i < repeats; ++i) {
      const Costs costs = once(database);
      if (i == 0 || costs.start.ns < best.start.ns) best.start = costs.start;
      if (i == 0 || costs.stop.ns < best.stop.ns) best.stop = costs.stop;
    }
    if (services == 100) first = best;
    last = best;
    std::printf("%8u  %8llu %9.0f %11.2f %6.2f   %8llu %9.0f %11.2f %6.2f\n", services,
                static_cast<unsigned long long>(best.start.events), best.start.per_event(), best.start.steps_per_event(),
                best.start.per_event() / first.start.per_event(), static_cast<unsigned long long>(best.stop.events),
                best.stop.per_event(), best.stop.steps_per_event(), best.stop.per_event() / first.stop.per_event());
  }
  return last.start.per_event() > limit_ns ? 1 : 0;
}

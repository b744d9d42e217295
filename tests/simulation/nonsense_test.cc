// Whatever the supervisor is told, in whatever state it is: answers to what was never asked, of runs that are over or not
// yet there, about services that do not exist. It must keep its wits: take what fits, ignore the rest, and end when told to.
#include "core/random.h"
#include "core/simulation/oracle.h"
#include "core/supervisor.h"
#include "tests/catch.h"
#include "tests/simulation/allocations.h"
#include "tests/simulation/script.h"

namespace hcrc::simulation {
namespace {

class Nonsense {
 public:
  explicit Nonsense(std::uint64_t seed)
      : random_(seed), script_(random_script(seed)), database_(database_of(script_.graph)) {}

  void tell() {
    Supervisor supervisor(database_, script_.options);
    if (!script_.notify_usable) supervisor.without_notify();
    {
      const NoAllocations none;
      supervisor.boot(now_);
    }
    drain(supervisor);
    for (int i = 0; i < 400 && !exited_; ++i) {
      now_ += Milliseconds(static_cast<std::int64_t>(one_in(3) ? random_.upto(2'000) : 0));
      while (supervisor.deadline() <= now_ && !exited_) {
        take(supervisor, event::Tick{});
      }
      take(supervisor, anything(supervisor));
      if (!exited_) REQUIRE(disagreement(supervisor).value_or("") == "");
    }
    take(supervisor, event::Shutdown{.signal = 15, .code = 0});
    while (!exited_) {
      REQUIRE(supervisor.deadline() != end_of_time);
      now_ = std::max(now_, supervisor.deadline());
      take(supervisor, event::Tick{});
    }
  }

 private:
  bool one_in(std::uint64_t n) { return random_.upto(n - 1) == 0; }

  void take(Supervisor& supervisor, const Event& event) {
    {
      const NoAllocations none;
      supervisor.handle(event, now_);
    }
    drain(supervisor);
  }

  void drain(Supervisor& supervisor) {
    const NoAllocations none;
    while (const auto effect = supervisor.next(now_)) exited_ = exited_ || std::holds_alternative<effect::Exit>(*effect);
  }

  Event anything(const Supervisor& supervisor) {
    const auto slot = static_cast<Slot>(random_.upto(supervisor.slots() + (one_in(50) ? 1 : 0)));
    const Run now = slot < supervisor.slots() ? supervisor.unit(slot).run : 0;
    const Run run = one_in(8) ? now + 1 : one_in(8) ? now - 1 : now;
    const Role role = one_in(3) ? static_cast<Role>(random_.upto(2)) : Role::main;
    ExitStatus status{.kind = one_in(3) ? ExitStatus::Kind::signal : ExitStatus::Kind::code,
                      .value = 0,
                      .out_of_memory = false,
                      .memory_limit = 0};
    status.value = static_cast<std::uint8_t>(random_.upto(1) + (status.kind == ExitStatus::Kind::signal ? 8 : 0));
    const bool coin = one_in(2);
    const std::uint32_t probe = slot < supervisor.slots() ? supervisor.unit(slot).probe - (one_in(8) ? 1 : 0) : 0;
    switch (random_.upto(25)) {
      case 0: return event::Skipped{.slot = slot, .run = run, .reason = "there is no /x"};
      case 1: return event::LockBusy{.slot = slot, .run = run, .role = role, .holder = "pid 7"};
      case 2: return event::StartFailed{.slot = slot, .run = run, .role = role, .permanent = coin, .reason = "exec"};
      case 3: return event::NoResource{.slot = slot, .run = run, .role = role, .reason = "EAGAIN"};
      case 4: return event::LockFree{.slot = slot, .run = run};
      case 5:
      case 6:
      case 7: return event::Exited{.slot = slot, .run = run, .role = role, .status = status, .leftovers = coin};
      case 8: return event::LeftoversGone{.slot = slot, .run = run};
      case 9:
      case 10:
      case 11: return event::Ready{.slot = slot, .run = run};
      case 12: return event::Watchdog{.slot = slot, .run = run};
      case 13: return event::ExtendTimeout{.slot = slot, .run = run, .by = Milliseconds(500)};
      case 14:
      case 15: return event::ProbeDone{.slot = slot, .run = run, .probe = probe, .good = coin, .reason = "refused"};
      case 16: return event::CopierEnded{.slot = slot};
      case 17: return event::Start{.slot = slot};
      case 18: return event::Stop{.slot = slot};
      case 19: return event::Restart{.slot = slot};
      case 20: return event::Signal{.slot = slot, .signal = 10};
      case 21:
        if (one_in(40)) return event::Shutdown{.signal = coin ? 15 : 0, .code = 0};
        return event::OrphansGone{};
      case 22: return event::Stopping{.slot = slot, .run = run};
      default: return event::Spawned{.slot = slot, .run = run, .role = role, .pid = 7};
    }
  }

  Random random_;
  Script script_;
  Database database_;
  Instant now_{};
  bool exited_ = false;
};

TEST_CASE("whatever it is told, the supervisor keeps its wits, and allocates nothing") {
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    INFO("seed " << seed);
    Nonsense(seed).tell();
  }
}

}  // namespace
}  // namespace hcrc::simulation

#include "core/simulation/runs.h"

#include <algorithm>
#include <array>

#include "core/json.h"
#include "core/simulation/scenario.h"
#include "core/units.h"

namespace hcrc::simulation {

namespace {

constexpr Duration faults_span = std::chrono::minutes(10);

std::int64_t milliseconds(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration).count(); }
std::string in_words(Duration duration) { return format_duration(std::chrono::duration_cast<Milliseconds>(duration)); }

ServiceType type_of(const Database& database, Slot slot) { return static_cast<ServiceType>(database.service(slot).type); }

// A longer one, or one that is never over.
bool worse(const Outage& one, const Outage& other) {
  return one.for_good != other.for_good ? one.for_good : one.longest > other.longest;
}

Outage outage_of(const Timeline& timeline, Slot slot, Duration until, bool for_good, std::uint64_t seed) {
  Outage worst{.longest = {}, .for_good = false, .seed = seed};
  std::optional<Duration> since;
  const auto over = [&](Duration at, bool lasts) {
    if (since)
      worst = std::max(worst, Outage{.longest = at - *since, .for_good = lasts, .seed = seed},
                       [](const Outage& a, const Outage& b) { return worse(b, a); });
    since.reset();
  };
  for (const Timeline::Stretch& stretch : timeline.stretches(slot)) {
    if (stretch.from >= until) break;
    const bool well = (stretch.state == State::up || stretch.state == State::skipped) && !stretch.hangs;
    if (well) {
      over(stretch.from, false);
    } else if (!since) {
      since = stretch.from;
    }
  }
  if (!since && for_good) since = until;
  over(until, true);
  return worst;
}

// The services without which this one cannot be asked to end: all that depend on it, directly or not; of a logger all.
std::vector<bool> stopped_before(const World& world, Slot slot) {
  const Database& database = world.supervisor().database();
  std::vector<bool> before(database.size(), false);
  std::vector<Slot> open = {slot};
  while (!open.empty()) {
    const Slot next = open.back();
    open.pop_back();
    for (const format::EdgeRecord& edge : database.dependents(next)) {
      if (before[edge.service]) continue;
      before[edge.service] = true;
      open.push_back(edge.service);
    }
  }
  if (!world.supervisor().unit(slot).late) return before;
  for (Slot other = 0; other < database.size(); ++other)
    before[other] = before[other] || !world.supervisor().unit(other).late;
  return before;
}

// From the last process that ended back to the one that let it be asked, and so on.
std::vector<StopStep> stop_path(const World& world) {
  const Slot size = world.supervisor().size();
  const auto took_part = [&world](Slot slot) {
    return !world.ends(slot).empty() && world.ends(slot).back() >= world.shutdown_began() &&
           world.asked_to_end(slot) != end_of_time;
  };
  const auto last_of = [&](const std::vector<bool>& among, Instant until) {
    std::optional<Slot> last;
    for (Slot slot = 0; slot < size; ++slot) {
      if (!among[slot] || !took_part(slot) || world.ends(slot).back() > until) continue;
      if (!last || world.ends(slot).back() > world.ends(*last).back()) last = slot;
    }
    return last;
  };
  std::vector<StopStep> path;
  auto slot = last_of(std::vector<bool>(size, true), end_of_time);
  while (slot && path.size() < size) {
    const Instant asked = std::max(world.asked_to_end(*slot), world.shutdown_began());
    path.push_back({.slot = *slot, .took = world.ends(*slot).back() - asked});
    slot = last_of(stopped_before(world, *slot), asked);
  }
  std::reverse(path.begin(), path.end());
  return path;
}

void heal(World& world, std::span<const Fault> faults) {
  for (const Fault& fault : faults) world.behaviour(fault.slot) = Behaviour{};
}

}  // namespace

History live(const Database& database, const Supervisor::Options& options, Timeline& timeline) {
  World world(database, options);
  world.without_oracle();
  world.watch(timeline);
  const std::vector<Fault> faults = random_faults(database, options.seed, faults_span);
  inflict(world, faults);
  world.boot();
  world.run_until(faults_span);
  heal(world, faults);
  const Duration latest = faults_span + time_to_recover(database);
  while (!world.exited() && !recovered(world) && world.now() < latest)
    world.run_until(world.now() + std::chrono::seconds(1));

  History history;
  history.verdict = judge(world);
  history.recovered = history.verdict.recovered;
  const Duration calm_over = world.exited() ? world.shutdown_began().time_since_epoch() : world.now();
  if (!world.exited()) {
    Random random(options.seed ^ 0x73687574646f776eu);
    for (Slot slot = 0; slot < database.size(); ++slot) {
      if (random.upto(3) == 0 && world.has_process(slot)) world.hang(world.now(), slot);
    }
    world.at(world.now(), event::Shutdown{.signal = signals::sigterm, .code = 0});
    world.run_until(world.now() + options.stop_deadline + std::chrono::seconds(1));
  }
  if (world.exited()) {
    timeline.finish(world.exited_at().time_since_epoch());
    history.shutdown = world.exited_at() - world.shutdown_began();
    history.path = stop_path(world);
  } else {
    timeline.finish(world.now());
  }
  history.outages.resize(database.size());
  for (Slot slot = 0; slot < database.size(); ++slot) {
    if (!world.supervisor().unit(slot).wanted || type_of(database, slot) == ServiceType::bundle) continue;
    history.outages[slot] = outage_of(timeline, slot, calm_over, history.verdict.exit_code.has_value(), options.seed);
  }
  history.broken = world.broken();
  return history;
}

Summary live_many(const Database& database, const Supervisor::Options& options, std::uint64_t runs) {
  Summary summary;
  summary.runs = runs;
  summary.first_seed = options.seed;
  summary.worst.resize(database.size());
  Supervisor::Options one = options;
  for (std::uint64_t run = 0; run < runs; ++run) {
    one.seed = options.seed + run;
    Timeline timeline(database);
    const History history = live(database, one, timeline);
    if (!history.recovered && summary.not_recovered++ == 0) summary.not_recovered_seed = one.seed;
    for (Slot slot = 0; slot < database.size(); ++slot) {
      if (worse(history.outages[slot], summary.worst[slot])) summary.worst[slot] = history.outages[slot];
    }
    if (history.shutdown.value_or(Duration::max()) > summary.slowest_shutdown) {
      summary.slowest_shutdown = history.shutdown.value_or(Duration::max());
      summary.slowest_seed = one.seed;
      summary.path = history.path;
    }
    summary.broken.insert(summary.broken.end(), history.broken.begin(), history.broken.end());
  }
  return summary;
}

std::string as_text(const Summary& summary, const Database& database, std::string_view replay) {
  std::string text = std::to_string(summary.runs) + (summary.runs == 1 ? " history, seed " : " histories, seeds ") +
                     std::to_string(summary.first_seed);
  if (summary.runs > 1) text += " to " + std::to_string(summary.first_seed + summary.runs - 1);
  if (summary.not_recovered == 0) {
    text += ": the node recovered from every one\n";
  } else {
    text += ": the node did not recover from " + std::to_string(summary.not_recovered) + ", first of seed " +
            std::to_string(summary.not_recovered_seed) + '\n';
  }
  text += "\nworst downtime of each service, in one piece\n";
  std::size_t longest = 0;
  for (Slot slot = 0; slot < database.size(); ++slot) longest = std::max(longest, database.name(slot).size());
  std::string unchecked;
  for (Slot slot = 0; slot < database.size(); ++slot) {
    const Outage& worst = summary.worst[slot];
    const std::string name(database.name(slot));
    if (type_of(database, slot) != ServiceType::bundle && !checked(database.service(slot)))
      unchecked += (unchecked.empty() ? "" : ", ") + name;
    if (worst.longest == Duration::zero() && !worst.for_good) continue;
    text += "  " + name + std::string(longest - name.size() + 2, ' ') +
            (worst.for_good ? "for good" : in_words(worst.longest)) + ", seed " + std::to_string(worst.seed) + '\n';
  }
  text +=
      "\nslowest shutdown: " + in_words(summary.slowest_shutdown) + ", seed " + std::to_string(summary.slowest_seed) + '\n';
  for (const StopStep& step : summary.path)
    text += "  " + std::string(database.name(step.slot)) + " took " + in_words(step.took) + '\n';
  if (!unchecked.empty())
    text += "\nhangs were not tried of what nothing checks ([health], watchdog, timeout): " + unchecked + '\n';
  for (const std::string& broken : summary.broken) text += "\nA MISTAKE OF hcrc: " + broken + '\n';
  return text + "\none again: " + std::string(replay) + " SEED\n";
}

std::string as_json(const Summary& summary, const Database& database) {
  std::array<char, 1'024> bytes;
  const auto object = [&bytes](auto fill) {
    JsonLine line(bytes);
    line.begin_object();
    fill(line);
    line.end_object();
    return std::string(line.view());
  };
  std::string services, path;
  for (Slot slot = 0; slot < database.size(); ++slot) {
    const Outage& worst = summary.worst[slot];
    if (worst.longest == Duration::zero() && !worst.for_good) continue;
    services += (services.empty() ? "" : ",") + object([&](JsonLine& line) {
                  line.text("name", database.name(slot)).number("longest_ms", milliseconds(worst.longest));
                  line.flag("for_good", worst.for_good).text("seed", std::to_string(worst.seed));
                });
  }
  for (const StopStep& step : summary.path) {
    path += (path.empty() ? "" : ",") + object([&](JsonLine& line) {
              line.text("name", database.name(step.slot)).number("took_ms", milliseconds(step.took));
            });
  }
  std::string text = object([&](JsonLine& line) {
    line.number("runs", static_cast<std::int64_t>(summary.runs)).text("first_seed", std::to_string(summary.first_seed));
    line.number("not_recovered", static_cast<std::int64_t>(summary.not_recovered));
    if (summary.not_recovered > 0) {
      line.text("not_recovered_seed", std::to_string(summary.not_recovered_seed));
    } else {
      line.null("not_recovered_seed");
    }
    line.number("slowest_shutdown_ms", milliseconds(summary.slowest_shutdown));
    line.text("slowest_shutdown_seed", std::to_string(summary.slowest_seed));
  });
  text.pop_back();
  return text + ",\"slowest_shutdown_path\":[" + path + "],\"downtime\":[" + services + "]}\n";
}

}  // namespace hcrc::simulation

#include "core/runtime/survivors.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "core/runtime/cgroups.h"
#include "core/runtime/event_loop.h"
#include "core/runtime/proc_listing.h"
#include "core/runtime/signal_surely.h"
#include "core/system/descriptor.h"

namespace hcrc {

namespace {

constexpr Milliseconds look_again(10);  // where no pidfd tells of an end

// Both times are cut to whole ticks alike; one more to each side costs nothing.
bool is_its_process(const FoundRecord& record, const ProcessStat& stat) {
  return stat.started >= record.forked_after - 1 && stat.started <= record.forked_before + 1;
}

// Whether the number still means what the record says: its process, or, after that one's end, its session and group, whose
// number the kernel gives to nobody else while somebody is in them.
bool is_meant(const FoundRecord& record) {
  const auto leader = stat_of(record.pid);
  return !leader || is_its_process(record, *leader);
}

enum class Part : bool { own_process, everything };

// Calls `each` with a record and a living process of it, for all of them, as long as that returns true. Goes through /proc
// once, however many records there are.
template <typename Each>
void each_living(std::span<const FoundRecord> records, Part part, Each each) {
  std::vector<const FoundRecord*> meant;
  for (const FoundRecord& record : records) {
    if (is_meant(record)) meant.push_back(&record);
  }
  if (part == Part::own_process) {
    for (const FoundRecord* record : meant) {
      const auto stat = stat_of(record->pid);
      if (stat && stat->alive && !each(*record, record->pid)) return;
    }
    return;
  }
  ProcListing processes;
  if (meant.empty() || !processes.open()) return;
  for (pid_t pid = processes.next(); pid != 0; pid = processes.next()) {
    const auto stat = stat_of(pid);
    if (!stat || !stat->alive) continue;
    for (const FoundRecord* record : meant) {
      const bool member = pid == record->pid || stat->session == record->pid || stat->group == record->pid;
      if (member && stat->started >= record->forked_after - 1 && !each(*record, pid)) return;
    }
  }
}

// Those of which something lives, in the same order.
std::vector<FoundRecord> living(std::span<const FoundRecord> records) {
  std::vector<bool> lives(records.size());
  each_living(records, Part::everything, [&](const FoundRecord& record, pid_t) {
    lives[static_cast<std::size_t>(&record - records.data())] = true;
    return true;
  });
  std::vector<FoundRecord> found;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (lives[i]) found.push_back(records[i]);
  }
  return found;
}

void signal_each(std::span<const FoundRecord> records, Part part, int signal) {
  each_living(records, part, [&](const FoundRecord& record, pid_t pid) {
    signal_surely(pid, signal, [&] { return stat_of(pid).has_value() && is_meant(record); });
    return true;
  });
}

// Waits for the end of processes, and hears of a stop meanwhile.
class Wait {
 public:
  Wait() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : stop_signals) sigaddset(&set, signal);
    stops_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  // Looks again and again until it is so. Only a stop gives up.
  template <typename IsSo>
  void until(IsSo is_so) {
    while (!is_so() && !stop_asked_) {
      pollfd polled{.fd = stops_.get(), .events = POLLIN, .revents = 0};
      stop_asked_ = poll(&polled, 1, static_cast<int>(look_again.count())) > 0;
    }
  }

  // Until none of them lives, or until `end`; false: some do. Without an end only a stop gives up.
  bool for_end_of(std::span<const FoundRecord> records, Part part, Instant end) {
    for (;;) {
      std::array<Descriptor, 64> processes;
      std::array<pollfd, 65> polled;
      std::size_t count = 0;
      bool blind = false;
      bool any = false;
      each_living(records, part, [&](const FoundRecord&, pid_t pid) {
        any = true;
        if (count == processes.size()) return false;
        processes[count].reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
        blind = blind || !processes[count];
        if (!processes[count]) return true;
        polled[count] = {.fd = processes[count].get(), .events = POLLIN, .revents = 0};
        ++count;
        return true;
      });
      if (!any) return true;
      const Instant now = EventLoop::now();
      if (now >= end || (end == end_of_time && stop_asked_)) return false;
      Milliseconds left = end == end_of_time ? Milliseconds(-1) : std::chrono::ceil<Milliseconds>(end - now);
      if (blind && (left > look_again || left.count() < 0)) left = look_again;
      if (!stop_asked_) polled[count] = {.fd = stops_.get(), .events = POLLIN, .revents = 0};
      const std::size_t watched = count + (stop_asked_ ? 0 : 1);
      if (poll(polled.data(), watched, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000))) > 0) {
        stop_asked_ = stop_asked_ || (polled[count].revents & POLLIN) != 0;
      }
    }
  }

 private:
  Descriptor stops_;
  bool stop_asked_ = false;
};

void tell(Console& console, const FoundRecord& record, std::string_view what) {
  console.line(record.name + ": pid " + std::to_string(record.pid) + std::string(what));
}

}  // namespace

std::vector<FoundRecord> survivors(std::span<const FoundRecord> records) { return living(records); }

void end_survivors(std::vector<FoundRecord> survivors, Milliseconds deadline, Console& console) {
  if (survivors.empty()) return;
  const Instant end = EventLoop::now() + deadline;
  std::ranges::stable_sort(survivors, std::greater(), &FoundRecord::level);
  for (const FoundRecord& record : survivors) {
    tell(console, record, " is left of a runtime that was killed: it is ended before anything starts");
  }
  Wait wait;
  for (std::span<const FoundRecord> rest = survivors; !rest.empty();) {
    const auto below = std::ranges::find_if(rest, [&](const FoundRecord& one) { return one.level != rest.front().level; });
    const auto level = rest.first(static_cast<std::size_t>(below - rest.begin()));
    rest = rest.subspan(level.size());
    const Milliseconds longest = std::ranges::max(level, {}, &FoundRecord::stop_timeout).stop_timeout;
    const Instant kill_at = std::min(end, EventLoop::now() + longest);
    for (const FoundRecord& record : level) signal_each({&record, 1}, Part::own_process, record.stop_signal);
    signal_each(level, Part::own_process, SIGCONT);
    if (wait.for_end_of(level, Part::own_process, kill_at)) {
      signal_each(level, Part::everything, SIGTERM);
      signal_each(level, Part::everything, SIGCONT);
    }
    if (wait.for_end_of(level, Part::everything, kill_at)) continue;
    for (const FoundRecord& record : living(level)) tell(console, record, " did not end in time: SIGKILL");
    signal_each(level, Part::everything, SIGKILL);
    constexpr Milliseconds killed_within(1'000);
    if (wait.for_end_of(level, Part::everything, EventLoop::now() + killed_within)) continue;
    for (const FoundRecord& record : living(level)) {
      tell(console, record, " survives SIGKILL: nothing is started while it is there");
    }
    wait.for_end_of(level, Part::everything, end_of_time);
  }
}

void end_strays(const std::string& cgroup, Console& console) {
  // Whoever was started by a service of the one that was killed is not to kill himself.
  if (cgroup.empty() || !anything_in_cgroup(cgroup) || in_cgroup(cgroup) || !kill_cgroup(cgroup)) return;
  console.line("processes that had left their services are left of a runtime that was killed: SIGKILL to their cgroups");
  Wait().until([&] { return !anything_in_cgroup(cgroup); });
}

}  // namespace hcrc

#include "compiler/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace hcrc::compiler {

namespace {

constexpr std::size_t most_threads = 8;
constexpr std::size_t stack_bytes = 4u << 20;  // what is nested is bounded far below (toml_bounds.h)

struct Work {
  const std::function<void(std::size_t)>& task;
  std::size_t tasks;
  std::atomic<std::size_t> next = 0;

  void run() {
    for (std::size_t i = next++; i < tasks; i = next++) task(i);
  }
};

void* run(void* work) {
  static_cast<Work*>(work)->run();
  return nullptr;
}

// Those that this process may run on.
std::size_t processors() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<std::size_t>(std::max(CPU_COUNT(&set), 1));
}

}  // namespace

void in_parallel(std::size_t tasks, const std::function<void(std::size_t)>& task) {
  Work work{.task = task, .tasks = tasks};
  std::array<pthread_t, most_threads> threads;
  std::size_t started = 0;
  const std::size_t wanted = tasks < 2 ? 0 : std::min({tasks, processors(), most_threads}) - 1;
  pthread_attr_t attributes;
  if (wanted > 0 && ::pthread_attr_init(&attributes) == 0) {
    ::pthread_attr_setstacksize(&attributes, stack_bytes);
    while (started < wanted && ::pthread_create(&threads[started], &attributes, run, &work) == 0) ++started;
    ::pthread_attr_destroy(&attributes);
  }
  work.run();
  for (std::size_t i = 0; i < started; ++i) ::pthread_join(threads[i], nullptr);
}

}  // namespace hcrc::compiler

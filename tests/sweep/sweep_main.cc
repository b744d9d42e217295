// Lets every system call of the runtime that can fail do so, one in each run, and sees whether the node is up all the same.
//
//   syscall-sweep INIT DATABASE NEXT_DATABASE FOLDER [RUNS]
//   syscall-sweep serve NAME HOW
//
// A run: start, ready, one service dies and comes back, a status, an update that adds a service, wait --up, SIGTERM, exit 0.
// A runtime that gives up at start-up must have started nothing, say why, and exit 103 or 111. Exit 1 where a run was
// otherwise; its story is on stderr. At least RUNS runs (5000): faults of one call in turn, as PID 1 and not.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/system/descriptor.h"
#include "tests/sweep/faults.h"
#include "tests/sweep/serve.h"
#include "tests/sweep/tracer.h"

namespace sweep {

namespace {

using hcrc::Descriptor;
using Clock = std::chrono::steady_clock;

constexpr int jobs = 8;  // they mostly wait
constexpr auto patience = std::chrono::seconds(30);
constexpr std::int64_t cpu_ms_at_most = 2'000;  // a run takes some 30; what spins takes all there is

struct Words {
  std::string init, database, next_database, folder;
};

std::pair<Descriptor, Descriptor> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

class Run {
 public:
  Run(const Words& words, std::string folder, Plan plan)
      : words_(words), folder_(std::move(folder)), plan_(std::move(plan)) {}
  ~Run() {
    if (tracer_ <= 0) return;
    kill(tracer_, SIGKILL);
    waitpid(tracer_, nullptr, 0);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // False: `complaint` says what was wrong.
  bool go() {
    prepare();
    if (!until([this] { return ready_closed_ || ended_; }, "the node is ready")) return false;
    // Who ends closes the pipe, and is reaped a moment later.
    const auto soon = Clock::now() + std::chrono::milliseconds(200);
    while (!ready_ && !ended_ && Clock::now() < soon) take(10);
    if (ended_ && !ready_) return gave_up();
    if (!until([this] { return count("c") >= 2 || ended_; }, "c has come back")) return false;
    if (control("status", nullptr) == Answer::none) return false;
    const std::string update = "update " + words_.next_database;
    const Answer updated = control(update.c_str(), "\"result\":\"ok\"");
    if (updated == Answer::none) return false;
    if (updated == Answer::bad && !failed_) return complain("the update failed without a fault");
    if (updated == Answer::good && !until([this] { return count("g") >= 1 || ended_; }, "what the update adds has started"))
      return false;
    const Answer up = control("wait --up", "\"result\":\"ok\"");
    if (up == Answer::none) return false;
    if (up == Answer::bad) return complain("not everything is up in the end");
    if (ended_) return complain("it ended before it was asked to");
    for (const char* name : {"setup", "b", "c", "e", "f"}) {
      if (!until([&] { return count(name) > 0; }, std::string(name) + " has run")) return false;
    }
    stop();
    if (!until([this] { return ended_.has_value(); }, "it has stopped")) return false;
    return judge_end();
  }

  bool fault_came() const { return failed_.has_value(); }
  bool refused_to_start() const { return refused_; }
  const std::vector<long>& calls() const { return calls_; }
  const std::string& complaint() const { return complaint_; }

  std::string story() const {
    std::string text = plan_.pid1 ? "as PID 1" : "not PID 1";
    if (failed_) {
      text += ", " + std::string(call(failed_->number)->name) + " (" + std::to_string(plan_.at) + ") ";
      text += failed_->fault.kind == Fault::Kind::is_short ? "short" : strerrorname_np(failed_->fault.error);
    }
    return text + ": " + complaint_ + '\n' + err_ + out_;
  }

 private:
  enum class Answer { good, bad, none, no_socket };

  void prepare() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    setenv("SWEEP_FOLDER", folder_.c_str(), 1);
    plan_.command = {words_.init, "--db", words_.database, "--run-dir", folder_ + "/run", "--notify-fd", "3"};
    auto [told_read, told_write] = make_pipe();
    auto [out_read, out_write] = make_pipe();
    auto [err_read, err_write] = make_pipe();
    auto [ready_read, ready_write] = make_pipe();
    tracer_ = start(plan_, told_write.get(), out_write.get(), err_write.get(), ready_write.get());
    if (tracer_ < 0) std::abort();
    pipes_ = {std::move(told_read), std::move(out_read), std::move(err_read), std::move(ready_read)};
    for (const Descriptor& pipe : pipes_) fcntl(pipe.get(), F_SETFL, O_NONBLOCK);
  }

  bool complain(std::string_view what) {
    complaint_ = what;
    return false;
  }

  // Takes what comes until it is so.
  template <typename Condition>
  bool until(Condition is_so, std::string_view what) {
    const auto end = Clock::now() + patience;
    while (!is_so()) {
      if (Clock::now() > end) return complain("not so: " + std::string(what));
      take(100);
    }
    return true;
  }

  void take(int timeout_ms, int also = -1) {
    std::array<pollfd, 5> polled;
    std::size_t count = 0;
    for (const Descriptor& pipe : pipes_) {
      if (pipe) polled[count++] = {.fd = pipe.get(), .events = POLLIN, .revents = 0};
    }
    if (also >= 0) polled[count++] = {.fd = also, .events = POLLIN, .revents = 0};
    poll(polled.data(), count, timeout_ms);
    read_told();
    if (!read_all(pipes_[1], out_)) pipes_[1].reset();
    if (!read_all(pipes_[2], err_)) pipes_[2].reset();
    std::string said;
    if (!ready_closed_ && !read_all(pipes_[3], said)) {
      pipes_[3].reset();
      ready_closed_ = true;
    }
    ready_ = ready_ || !said.empty();
  }

  static bool read_all(const Descriptor& pipe, std::string& text) {
    std::array<char, 4096> bytes;
    while (pipe) {
      const ssize_t got = read(pipe.get(), bytes.data(), bytes.size());
      if (got == 0) return false;
      if (got < 0) return true;
      text.append(bytes.data(), static_cast<std::size_t>(got));
    }
    return true;
  }

  void read_told() {
    Told told{};
    while (pipes_[0] && read(pipes_[0].get(), &told, sizeof told) == static_cast<ssize_t>(sizeof told)) {
      switch (told.kind) {
        case Told::Kind::failed: failed_ = told; break;
        case Told::Kind::counted: calls_.push_back(told.number); break;
        case Told::Kind::ended: ended_ = told; break;
      }
    }
  }

  std::size_t count(std::string_view name) const {
    std::size_t found = 0;
    const std::string line = std::string(name) + '\n';
    for (std::size_t at = out_.find(line); at != std::string::npos; at = out_.find(line, at + 1)) {
      if (at == 0 || out_[at - 1] == '\n') ++found;
    }
    return found;
  }

  // A request over the control socket. Closed without an answer counts as `bad` where a fault may be the reason.
  Answer control(const char* request, const char* wanted) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_ + "/run/control";
    std::strcpy(address.sun_path, path.c_str());
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const std::string line = std::string(request) + '\n';
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
      take(0);  // a fault was told before its effects
      if (!failed_) err_ += "(no control socket)\n";
      return failed_ ? Answer::no_socket : Answer::bad;
    }
    fcntl(socket.get(), F_SETFL, O_NONBLOCK);
    std::string answer;
    const auto end = Clock::now() + patience;
    while (read_all(socket, answer)) {
      if (Clock::now() > end) {
        complain("no answer: " + std::string(request));
        return Answer::none;
      }
      take(100, socket.get());
    }
    take(0);  // a fault was told before its effects
    if (wanted != nullptr && answer.find(wanted) == std::string::npos) {
      // A fault that hit this very conversation is one of it alone: once more.
      const bool hit = answer.find("\"result\"") == std::string::npos && failed_ && !again_;
      if (hit) {
        again_ = true;
        return control(request, wanted);
      }
      err_ += "(answer to " + std::string(request) + ": " + answer + ")\n";
      return Answer::bad;
    }
    return Answer::good;
  }

  pid_t runtime() const {
    const std::string tracer = std::to_string(tracer_);
    std::ifstream children("/proc/" + tracer + "/task/" + tracer + "/children");
    pid_t pid = 0;
    children >> pid;
    return pid;
  }

  void stop() const {
    if (const pid_t pid = runtime(); pid > 0) kill(pid, SIGTERM);
  }

  // It ended before it was ready.
  bool gave_up() {
    refused_ = true;
    if (!failed_) return complain("it ended, and no fault was made");
    if (!out_.empty()) return complain("it gave up, and yet something was started");
    const int status = ended_->status;
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 103 && WEXITSTATUS(status) != 111)) {
      return complain("it gave up with wait status " + std::to_string(status));
    }
    if (err_.find("hcrc") == std::string::npos) return complain("it gave up without a word");
    return judge_cpu();
  }

  bool judge_end() {
    const int status = ended_->status;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return complain("wait status " + std::to_string(status));
    return judge_cpu();
  }

  bool judge_cpu() {
    return ended_->cpu_ms <= cpu_ms_at_most || complain("it took " + std::to_string(ended_->cpu_ms) + " ms of CPU time");
  }

  const Words& words_;
  const std::string folder_;
  Plan plan_;
  pid_t tracer_ = 0;
  std::array<Descriptor, 4> pipes_;  // told, out, err, ready
  std::string out_, err_, complaint_;
  std::vector<long> calls_;
  std::optional<Told> failed_, ended_;
  bool ready_ = false, ready_closed_ = false, refused_ = false, again_ = false;
};

struct Counts {
  std::atomic<std::uint32_t> runs, faults, refused, bad;
};

Counts* shared_counts() {
  void* memory = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return new (memory) Counts{};
}

// Each worker takes every so-many-th of them.
void work(const Words& words, std::span<const Plan> plans, int worker, Counts& counts) {
  const bool tell = std::getenv("SWEEP_TELL") != nullptr;  // who refused to start, and who was slow
  for (std::size_t i = static_cast<std::size_t>(worker); i < plans.size(); i += jobs) {
    Run run(words, words.folder + "/" + std::to_string(worker), plans[i]);
    const auto begun = Clock::now();
    const bool good = run.go();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
    if (tell && took > std::chrono::seconds(1))
      std::fprintf(stderr, "%lld ms %s", static_cast<long long>(took.count()), run.story().c_str());
    ++counts.runs;
    counts.faults += run.fault_came() ? 1 : 0;
    counts.refused += run.refused_to_start() ? 1 : 0;
    if (good) {
      if (run.refused_to_start() && tell) std::fputs(run.story().c_str(), stderr);
      continue;
    }
    if (++counts.bad <= 20) std::fputs(("--- " + run.story()).c_str(), stderr);
  }
}

int sweep(const Words& words, std::size_t wanted) {
  std::vector<Plan> plans;
  std::map<std::string_view, int> names;
  for (const bool pid1 : {true, false}) {
    Run counting(words, words.folder + "/counting", {.command = {}, .pid1 = pid1, .at = 0, .which = 0});
    if (!counting.go()) {
      std::fputs(counting.story().c_str(), stderr);
      return 1;
    }
    for (std::uint32_t at = 1; at <= counting.calls().size(); ++at) {
      const Call& made = *call(counting.calls()[at - 1]);
      ++names[made.name];
      for (std::uint32_t which = 0; which < made.faults.size(); ++which) {
        plans.push_back({.command = {}, .pid1 = pid1, .at = at, .which = which});
      }
    }
  }
  const std::size_t once = plans.size();
  for (std::size_t i = 0; plans.size() < wanted; ++i) plans.push_back(plans[i % once]);
  Counts& counts = *shared_counts();
  const auto begun = Clock::now();
  for (int worker = 0; worker < jobs; ++worker) {
    if (fork() != 0) continue;
    work(words, plans, worker, counts);
    _exit(0);
  }
  for (int status = 0; wait(&status) > 0;) {
    if (status == 0) continue;
    std::fprintf(stderr, "a worker ended with wait status %d\n", status);
    ++counts.bad;
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun).count();
  std::printf("%u runs in %lld s, %zu different: %u faults in %zu kinds of calls; %u refused to start, %u were wrong\n",
              counts.runs.load(), static_cast<long long>(seconds), once, counts.faults.load(), names.size(),
              counts.refused.load(), counts.bad.load());
  return counts.bad == 0 && counts.runs == plans.size() ? 0 : 1;
}

}  // namespace

}  // namespace sweep

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() >= 3 && words[0] == "serve") return sweep::serve(words[1], words[2]);
  if (words.size() < 4) {
    std::fputs("usage: syscall-sweep INIT DATABASE NEXT_DATABASE FOLDER [RUNS]\n", stderr);
    return 100;
  }
  return sweep::sweep({.init = words[0], .database = words[1], .next_database = words[2], .folder = words[3]},
                      words.size() > 4 ? std::stoul(words[4]) : 5'000);
}

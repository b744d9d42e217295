#include "core/runtime/event_loop.h"

#include <ev.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include "core/runtime/panic.h"

namespace hcrc {

namespace {

// ev.h's macros cast freely; the casts are kept to this function.
ev_io* io(std::byte* storage) { return std::launder(reinterpret_cast<ev_io*>(storage)); }

int wanted(Readiness interest) { return (interest.readable ? EV_READ : 0) | (interest.writable ? EV_WRITE : 0); }

// libev aborts where it cannot allocate. It gets memory at start-up and when a higher descriptor than ever is watched; a
// failure there is told as what it is.
void* allocate(void* old, long bytes) noexcept {
  if (bytes == 0) {
    std::free(old);
    return nullptr;
  }
  void* memory = std::realloc(old, static_cast<std::size_t>(bytes));
  if (memory == nullptr) panic("out of memory in the event loop");
  return memory;
}

// A call that libev cannot do without failed, and is made again when this returns: a new epoll descriptor, in place of one
// with stale entries, when the system has none to spare at this moment. Who never gets it gives up.
void report(const char* message) noexcept {
  constexpr int tries_at_most = 1'000;
  static int tries = 0;
  static Instant last;
  const Instant now = EventLoop::now();
  tries = now - last > std::chrono::seconds(1) ? 1 : tries + 1;
  last = now;
  if (tries == tries_at_most) panic(message);
  constexpr timespec pause{.tv_sec = 0, .tv_nsec = 10'000'000};
  nanosleep(&pause, nullptr);
}

constexpr double try_again_s = 0.02;

}  // namespace

struct EventLoop::Watchers {
  ev_timer deadline{};
  ev_timer again{};
  ev_periodic far{};
  ev_prepare turn{};
  Callback deadline_callback = nullptr;
  void* deadline_context = nullptr;
  Callback turn_callback = nullptr;
  void* turn_context = nullptr;
};

FdWatcher::FdWatcher() {
  static_assert(sizeof(ev_io) <= storage_bytes && alignof(ev_io) <= 8);
  ev_init(new (storage_) ev_io, ([](struct ev_loop*, ev_io* watcher, int events) {
            auto* self = static_cast<FdWatcher*>(watcher->data);
            if ((events & EV_ERROR) != 0) return self->loop_->refused(*self);
            self->callback_(self->context_, {.readable = (events & EV_READ) != 0, .writable = (events & EV_WRITE) != 0});
          }));
  io(storage_)->data = this;
}

FdWatcher::~FdWatcher() { stop(); }

void FdWatcher::start(EventLoop& loop, int fd, Readiness interest, Callback callback, void* context) {
  callback_ = callback;
  context_ = context;
  if (refused_) loop_->forget_refused(*this);
  ev_io* watcher = io(storage_);
  if (ev_is_active(watcher)) {
    if (watcher->fd == fd && (watcher->events & (EV_READ | EV_WRITE)) == wanted(interest)) return;
    ev_io_stop(loop_->loop_, watcher);
  }
  loop_ = &loop;
  ev_io_set(watcher, fd, wanted(interest));
  ev_io_start(loop.loop_, watcher);
}

void FdWatcher::stop() {
  if (loop_ == nullptr) return;
  if (refused_) loop_->forget_refused(*this);
  ev_io_stop(loop_->loop_, io(storage_));
}

bool FdWatcher::active() const { return refused_ || ev_is_active(io(const_cast<std::byte*>(storage_))); }

SignalWatcher::SignalWatcher() = default;

SignalWatcher::~SignalWatcher() { stop(); }

void SignalWatcher::start(EventLoop& loop, int number, Callback callback, void* context) {
  stop();
  callback_ = callback;
  context_ = context;
  loop_ = &loop;
  number_ = number;
  // An inherited SIG_IGN would keep a SIGCHLD's zombie from us, too.
  ::signal(number, SIG_DFL);
  loop.signals_[static_cast<std::size_t>(number)] = this;
  loop.set_signals();
}

void SignalWatcher::stop() {
  if (loop_ == nullptr) return;
  loop_->signals_[static_cast<std::size_t>(number_)] = nullptr;
  loop_->set_signals();
  loop_ = nullptr;
}

bool SignalWatcher::take() { return std::exchange(arrived_, false); }

void hold_signals() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
}

EventLoop::EventLoop() = default;

EventLoop::~EventLoop() {
  signal_fd_watcher_.stop();
  if (loop_ != nullptr) ev_loop_destroy(loop_);
  delete watchers_;
}

bool EventLoop::open() {
  ev_set_allocator(allocate);
  ev_set_syserr_cb(report);
  // No LIBEV_FLAGS of the environment: a container's user does not choose the backend.
  loop_ = ev_loop_new(unsigned{EVBACKEND_EPOLL} | unsigned{EVFLAG_NOENV});
  if (loop_ == nullptr) loop_ = ev_loop_new(unsigned{EVBACKEND_POLL} | unsigned{EVFLAG_NOENV});
  if (loop_ == nullptr) return false;
  sigset_t none;
  sigemptyset(&none);
  signal_fd_.reset(signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signal_fd_) return false;
  watchers_ = new Watchers;

  ev_init(&watchers_->deadline, ([](struct ev_loop*, ev_timer* timer, int) {
    auto* watchers = static_cast<Watchers*>(timer->data);
    watchers->deadline_callback(watchers->deadline_context);
  }));
  watchers_->deadline.data = watchers_;

  // A loop without a periodic looks at the wall clock about once a minute; one that is far away keeps it asleep.
  ev_periodic_init(&watchers_->far, [](struct ev_loop*, ev_periodic*, int) {}, ev_now(loop_) + 1e9, 0., nullptr);
  ev_periodic_start(loop_, &watchers_->far);

  // Prepare watchers run when a turn's callbacks are through and before the loop sleeps.
  ev_prepare_init(&watchers_->turn, [](struct ev_loop*, ev_prepare* prepare, int) {
    auto* watchers = static_cast<Watchers*>(prepare->data);
    if (watchers->turn_callback != nullptr) watchers->turn_callback(watchers->turn_context);
  });
  watchers_->turn.data = watchers_;
  ev_prepare_start(loop_, &watchers_->turn);

  ev_timer_init(&watchers_->again,
                ([](struct ev_loop*, ev_timer* timer, int) { static_cast<EventLoop*>(timer->data)->try_refused(); }),
                try_again_s, 0.);
  watchers_->again.data = this;

  make_room();
  signal_fd_watcher_.start(
      *this, signal_fd_.get(), {.readable = true, .writable = false},
      [](void* context, Readiness) {
        auto* loop = static_cast<EventLoop*>(context);
        loop->read_signals();
        for (SignalWatcher* watcher : loop->signals_) {
          if (watcher != nullptr && watcher->take()) watcher->callback_(watcher->context_, watcher->number_);
        }
      },
      this);
  return true;
}

// libev's arrays grow with what happens at once. All that is usual happens here once, to nobody.
void EventLoop::make_room() {
  constexpr std::size_t events_at_once = 128;
  constexpr int highest_descriptor = 1'023;
  std::vector<ev_io> watchers(events_at_once);
  for (ev_io& watcher : watchers) {
    ev_io_init(&watcher, [](struct ev_loop*, ev_io*, int) {}, highest_descriptor, EV_READ);
    ev_feed_event(loop_, &watcher, EV_CUSTOM);
  }
  ev_invoke_pending(loop_);
  ev_io_start(loop_, &watchers.front());
  ev_io_stop(loop_, &watchers.front());
  std::array<ev_timer, 2> timers;
  for (ev_timer& timer : timers) {
    ev_timer_init(&timer, [](struct ev_loop*, ev_timer*, int) {}, 0., 0.);
    ev_timer_start(loop_, &timer);
  }
  ev_run(loop_, EVRUN_NOWAIT);
}

sigset_t EventLoop::watched_signals() const {
  sigset_t watched;
  sigemptyset(&watched);
  for (const SignalWatcher* watcher : signals_) {
    if (watcher != nullptr) sigaddset(&watched, watcher->number_);
  }
  return watched;
}

void EventLoop::set_signals() {
  const sigset_t watched = watched_signals();
  sigprocmask(SIG_BLOCK, &watched, nullptr);
  signalfd(signal_fd_.get(), &watched, 0);  // of one that is there it only changes the set, and cannot fail
}

void EventLoop::let_signals_in() const {
  const sigset_t watched = watched_signals();
  sigprocmask(SIG_SETMASK, &watched, nullptr);
}

// Whether any came. What cannot be read stays, and the loop comes back for it.
bool EventLoop::read_signals() {
  std::array<signalfd_siginfo, 8> came;
  ssize_t got = 0;
  bool any = false;
  do {
    got = read(signal_fd_.get(), came.data(), sizeof came);
    for (std::size_t i = 0; got > 0 && i < static_cast<std::size_t>(got) / sizeof came[0]; ++i) {
      SignalWatcher* watcher = signals_[came[i].ssi_signo % signals_.size()];
      if (watcher != nullptr) any = watcher->arrived_ = true;
    }
  } while (got == static_cast<ssize_t>(sizeof came));
  return any;
}

void EventLoop::collect_signals() {
  if (read_signals()) ev_feed_event(loop_, io(signal_fd_watcher_.storage_), EV_READ);
}

// libev has stopped it.
void EventLoop::refused(FdWatcher& watcher) {
  watcher.refused_ = true;
  watcher.next_refused_ = std::exchange(refused_, &watcher);
  if (!ev_is_active(&watchers_->again)) {
    ev_timer_set(&watchers_->again, try_again_s, 0.);
    ev_timer_start(loop_, &watchers_->again);
  }
}

void EventLoop::try_refused() {
  while (refused_ != nullptr) {
    FdWatcher* watcher = std::exchange(refused_, refused_->next_refused_);
    watcher->refused_ = false;
    ev_io_start(loop_, io(watcher->storage_));
  }
  // Those that were collected already make no descriptor readable.
  ev_feed_event(loop_, io(signal_fd_watcher_.storage_), EV_READ);
}

void EventLoop::forget_refused(FdWatcher& watcher) {
  watcher.refused_ = false;
  for (FdWatcher** link = &refused_; *link != nullptr; link = &(*link)->next_refused_) {
    if (*link != &watcher) continue;
    *link = watcher.next_refused_;
    return;
  }
}

Instant EventLoop::now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

void EventLoop::set_deadline(Instant deadline, Callback callback, void* context) {
  watchers_->deadline_callback = callback;
  watchers_->deadline_context = context;
  ev_timer_stop(loop_, &watchers_->deadline);
  if (deadline == end_of_time) return;
  ev_now_update(loop_);
  const Duration left = deadline > now() ? deadline - now() : Duration::zero();
  ev_timer_set(&watchers_->deadline, std::chrono::duration<double>(left).count(), 0.);
  ev_timer_start(loop_, &watchers_->deadline);
}

void EventLoop::set_turn_end(Callback callback, void* context) {
  watchers_->turn_callback = callback;
  watchers_->turn_context = context;
}

void EventLoop::run() { ev_run(loop_, 0); }

void EventLoop::stop() { ev_break(loop_, EVBREAK_ALL); }

}  // namespace hcrc

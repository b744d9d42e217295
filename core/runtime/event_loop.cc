#include "core/runtime/event_loop.h"

#include <ev.h>
#include <signal.h>
#include <time.h>

#include <csignal>
#include <cstdlib>
#include <new>

#include "core/runtime/panic.h"

namespace hcrc {

namespace {

// ev.h's macros cast freely; the casts are kept to these two functions.
ev_io* io(std::byte* storage) { return std::launder(reinterpret_cast<ev_io*>(storage)); }
ev_signal* signal(std::byte* storage) { return std::launder(reinterpret_cast<ev_signal*>(storage)); }

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

void report(const char* message) noexcept { panic(message); }

// By number: has come, and nobody was told yet.
volatile std::sig_atomic_t arrived[65] = {};

void on_arrival(int number) {
  arrived[static_cast<std::size_t>(number)] = 1;
  ev_feed_signal(number);
}

bool take_arrived(int number) {
  const auto index = static_cast<std::size_t>(number);
  if (arrived[index] == 0) return false;
  arrived[index] = 0;
  return true;
}

void set_mask(bool all) {
  sigset_t mask;
  if (all) {
    sigfillset(&mask);
  } else {
    sigemptyset(&mask);
  }
  sigprocmask(SIG_SETMASK, &mask, nullptr);
}

}  // namespace

struct EventLoop::Watchers {
  ev_timer deadline{};
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
            self->callback_(self->context_, {.readable = (events & EV_READ) != 0, .writable = (events & EV_WRITE) != 0});
          }));
  io(storage_)->data = this;
}

FdWatcher::~FdWatcher() { stop(); }

void FdWatcher::start(EventLoop& loop, int fd, Readiness interest, Callback callback, void* context) {
  callback_ = callback;
  context_ = context;
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
  if (loop_ != nullptr) ev_io_stop(loop_->loop_, io(storage_));
}

bool FdWatcher::active() const { return ev_is_active(io(const_cast<std::byte*>(storage_))); }

SignalWatcher::SignalWatcher() {
  static_assert(sizeof(ev_signal) <= storage_bytes && alignof(ev_signal) <= 8);
  ev_init(new (storage_) ev_signal, ([](struct ev_loop*, ev_signal* watcher, int) {
            auto* self = static_cast<SignalWatcher*>(watcher->data);
            if (take_arrived(watcher->signum)) self->callback_(self->context_, watcher->signum);
          }));
  signal(storage_)->data = this;
}

SignalWatcher::~SignalWatcher() { stop(); }

void SignalWatcher::start(EventLoop& loop, int number, Callback callback, void* context) {
  stop();
  callback_ = callback;
  context_ = context;
  loop_ = &loop;
  ev_signal_set(signal(storage_), number);
  ev_signal_start(loop.loop_, signal(storage_));
  // In place of libev's own handler, which tells nobody but the loop.
  struct sigaction action{};
  action.sa_handler = on_arrival;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

void SignalWatcher::stop() {
  if (loop_ != nullptr) ev_signal_stop(loop_->loop_, signal(storage_));
}

bool SignalWatcher::take() { return loop_ != nullptr && take_arrived(number()); }

int SignalWatcher::number() const { return signal(const_cast<std::byte*>(storage_))->signum; }

void hold_signals() { set_mask(true); }

void let_signals_in() { set_mask(false); }

EventLoop::EventLoop() = default;

EventLoop::~EventLoop() {
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
  return true;
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

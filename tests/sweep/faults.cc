#include "tests/sweep/faults.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sweep {

namespace {

constexpr Fault fails(int error) { return {.kind = Fault::Kind::fails, .error = error}; }

constexpr Fault opens[] = {fails(EMFILE), fails(ENFILE), fails(ENOMEM), fails(EACCES), fails(ENOENT), fails(EIO)};
constexpr Fault reads[] = {fails(EIO), fails(EINTR), fails(EAGAIN), {.kind = Fault::Kind::is_short, .error = 0}};
constexpr Fault writes[] = {
    fails(EIO), fails(ENOSPC), fails(EINTR), fails(EAGAIN), {.kind = Fault::Kind::is_short, .error = 0}};
constexpr Fault closes[] = {{.kind = Fault::Kind::done_yet, .error = EINTR}, {.kind = Fault::Kind::done_yet, .error = EIO}};
constexpr Fault forks[] = {fails(EAGAIN), fails(ENOMEM)};
constexpr Fault waits[] = {fails(EINTR)};
constexpr Fault makes[] = {fails(EMFILE), fails(ENFILE), fails(ENOMEM)};
constexpr Fault memory[] = {fails(ENOMEM)};
constexpr Fault looks[] = {fails(ENOMEM), fails(EACCES), fails(ENOENT)};
constexpr Fault changes[] = {fails(EPERM), fails(EROFS), fails(ENOSPC)};
constexpr Fault sends[] = {fails(EINTR), fails(ENOBUFS), fails(EAGAIN)};
constexpr Fault accepts[] = {fails(EMFILE), fails(ENFILE), fails(ENOMEM), fails(ECONNABORTED), fails(EINTR)};
constexpr Fault binds[] = {fails(EADDRINUSE), fails(EACCES), fails(ENOMEM)};
constexpr Fault signals[] = {fails(EPERM), fails(ESRCH)};
constexpr Fault watches[] = {fails(ENOMEM), fails(ENOSPC)};
constexpr Fault sleeps[] = {fails(EINTR)};
constexpr Fault polls[] = {fails(EINTR), fails(ENOMEM)};
constexpr Fault refuses[] = {fails(EPERM), fails(EINVAL), fails(ENOSYS)};
constexpr Fault random_bytes[] = {fails(EAGAIN), fails(EINTR), fails(ENOSYS)};
constexpr Fault duplicates[] = {fails(EMFILE)};

constexpr auto calls = std::to_array<Call>({
    {SYS_open, "open", opens},
    {SYS_openat, "openat", opens},
    {SYS_read, "read", reads},
    {SYS_pread64, "pread64", reads},
    {SYS_readv, "readv", reads},
    {SYS_write, "write", writes},
    {SYS_writev, "writev", writes},
    {SYS_pwrite64, "pwrite64", writes},
    {SYS_close, "close", closes},
    {SYS_fork, "fork", forks},
    {SYS_vfork, "vfork", forks},
    {SYS_clone, "clone", forks},
    {SYS_clone3, "clone3", forks},
    {SYS_wait4, "wait4", waits},
    {SYS_waitid, "waitid", waits},
    {SYS_pipe2, "pipe2", makes},
    {SYS_socket, "socket", makes},
    {SYS_epoll_create1, "epoll_create1", makes},
    {SYS_eventfd2, "eventfd2", makes},
    {SYS_signalfd4, "signalfd4", makes},
    {SYS_timerfd_create, "timerfd_create", makes},
    {SYS_memfd_create, "memfd_create", makes},
    {SYS_pidfd_open, "pidfd_open", makes},
    {SYS_mmap, "mmap", memory},
    {SYS_brk, "brk", memory},
    {SYS_mremap, "mremap", memory},
    {SYS_newfstatat, "newfstatat", looks},
    {SYS_fstat, "fstat", looks},
    {SYS_stat, "stat", looks},
    {SYS_lstat, "lstat", looks},
    {SYS_readlink, "readlink", looks},
    {SYS_readlinkat, "readlinkat", looks},
    {SYS_getcwd, "getcwd", looks},
    {SYS_getdents64, "getdents64", looks},
    {SYS_mkdirat, "mkdirat", changes},
    {SYS_unlinkat, "unlinkat", changes},
    {SYS_renameat, "renameat", changes},
    {SYS_fchmod, "fchmod", changes},
    {SYS_fchmodat, "fchmodat", changes},
    {SYS_ftruncate, "ftruncate", changes},
    {SYS_fallocate, "fallocate", changes},
    {SYS_sendto, "sendto", sends},
    {SYS_sendmsg, "sendmsg", sends},
    {SYS_recvfrom, "recvfrom", sends},
    {SYS_recvmsg, "recvmsg", sends},
    {SYS_accept4, "accept4", accepts},
    {SYS_bind, "bind", binds},
    {SYS_listen, "listen", binds},
    {SYS_connect, "connect", binds},
    {SYS_setsockopt, "setsockopt", refuses},
    {SYS_getsockopt, "getsockopt", refuses},
    {SYS_prctl, "prctl", refuses},
    {SYS_prlimit64, "prlimit64", refuses},
    {SYS_timerfd_settime, "timerfd_settime", refuses},
    {SYS_ioctl, "ioctl", refuses},
    {SYS_close_range, "close_range", refuses},
    {SYS_kill, "kill", signals},
    {SYS_pidfd_send_signal, "pidfd_send_signal", signals},
    {SYS_epoll_ctl, "epoll_ctl", watches},
    {SYS_epoll_wait, "epoll_wait", sleeps},
    {SYS_epoll_pwait, "epoll_pwait", sleeps},
    {SYS_poll, "poll", polls},
    {SYS_ppoll, "ppoll", polls},
    {SYS_getrandom, "getrandom", random_bytes},
    {SYS_fcntl, "fcntl", duplicates},
    {SYS_sched_setaffinity, "sched_setaffinity", refuses},
});

}  // namespace

const Call* call(long number) {
  const auto found = std::ranges::find(calls, number, &Call::number);
  return found == calls.end() ? nullptr : &*found;
}

}  // namespace sweep

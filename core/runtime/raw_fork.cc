#include "core/runtime/raw_fork.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace hcrc {

namespace {

// Of raw_vfork(), and what the processor's ABI lets it use below it.
constexpr std::uintptr_t frame_at_most = 2048;

// What clone3(2) is told; the kernel takes no more of our stack than the child touches.
constexpr std::uintptr_t child_stack_bytes = 256u << 10;

clone_args into_cgroup(int cgroup, std::uint64_t flags) {
  clone_args arguments{};
  arguments.flags = flags | CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<std::uint64_t>(cgroup);
  return arguments;
}

// The kernel call that makes the child, and in the child the call of `begin`: on its own stack there is nowhere to return
// to. The kernel's answer, an error as -errno.
long clone_and_begin(long number, std::uintptr_t first, std::uintptr_t second, void (*begin)(void*), void* context) {
#if defined(__x86_64__)
  long answer = number;
  register long fourth asm("r10") = 0;
  register long fifth asm("r8") = 0;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "mov %[context], %%rdi\n\t"
      "call *%[begin]\n\t"
      "ud2\n"
      "1:"
      : "+a"(answer)
      : "D"(first), "S"(second), "d"(0L), "r"(fourth), "r"(fifth), [begin] "r"(begin), [context] "r"(context)
      : "rcx", "r11", "cc", "memory");
  return answer;
#elif defined(__aarch64__)
  register long call asm("x8") = number;
  register std::uintptr_t answer asm("x0") = first;
  register std::uintptr_t second_word asm("x1") = second;
  register long third asm("x2") = 0;
  register long fourth asm("x3") = 0;
  register long fifth asm("x4") = 0;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x0, %[context]\n\t"
      "blr %[begin]\n\t"
      "brk #0\n"
      "1:"
      : "+r"(answer)
      : "r"(call), "r"(second_word), "r"(third), "r"(fourth), "r"(fifth), [begin] "r"(begin), [context] "r"(context)
      : "cc", "memory");
  return static_cast<long>(answer);
#else
  return -ENOSYS;
#endif
}

}  // namespace

pid_t raw_fork(int cgroup) {
  if (cgroup < 0) return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  clone_args arguments = into_cgroup(cgroup, 0);
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
}

[[gnu::noinline]] pid_t raw_vfork(int cgroup, void (*begin)(void*), void* context) {
  constexpr std::uint64_t flags = CLONE_VM | CLONE_VFORK;
  const int before = errno;
  const std::uintptr_t stack =
      (reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) - frame_at_most) & ~std::uintptr_t{15};
  long answer = 0;
  if (cgroup < 0) {
    answer = clone_and_begin(SYS_clone, flags | SIGCHLD, stack, begin, context);
  } else {
    clone_args arguments = into_cgroup(cgroup, flags);
    arguments.stack = stack - child_stack_bytes;
    arguments.stack_size = child_stack_bytes;
    answer = clone_and_begin(SYS_clone3, reinterpret_cast<std::uintptr_t>(&arguments), sizeof arguments, begin, context);
  }
  errno = answer < 0 ? static_cast<int>(-answer) : before;
  return answer < 0 ? -1 : static_cast<pid_t>(answer);
}

}  // namespace hcrc

#include "core/runtime/execute.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace hcrc {

namespace {

// The kernel's own form of an empty set and of SIG_DFL: the C library's functions leave signals 32 and 33 alone.
constexpr std::size_t kernel_set_bytes = 8;
constexpr int highest_signal = 64;

struct KernelAction {
  void* handler;  // null: SIG_DFL
  unsigned long flags;
  void* restorer;
  std::uint64_t mask;
};

void unblock_signals() {
  const std::uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kernel_set_bytes);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  // execve(2) changes nothing of what it is given.
  for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
  result.push_back(nullptr);
  return result;
}

StartFailure could_not(int error, std::string what) {
  return {.stage = Stage::command, .error = error, .permanent = false, .detail = std::move(what)};
}

// A script whose interpreter is missing fails as if it were missing itself.
std::string missing(const std::string& file) {
  return shown(file) + (access(file.c_str(), F_OK) == 0 ? " (its interpreter)" : "");
}

}  // namespace

void reset_signals(std::uint64_t signals) {
  const KernelAction by_default{};
  for (int signal = 1; signal <= highest_signal; ++signal) {
    if ((signals >> (signal - 1) & 1) != 0) syscall(SYS_rt_sigaction, signal, &by_default, nullptr, kernel_set_bytes);
  }
}

std::uint64_t signals_not_by_default() {
  std::uint64_t signals = 0;
  for (int signal = 1; signal <= highest_signal; ++signal) {
    KernelAction action{};
    const bool told = syscall(SYS_rt_sigaction, signal, nullptr, &action, kernel_set_bytes) == 0;
    if (!told || action.handler != nullptr) signals |= std::uint64_t{1} << (signal - 1);
  }
  return signals;
}

StartFailure execute(const std::vector<std::string>& words, std::span<const char* const> entries,
                     std::optional<std::string_view> path) {
  const std::string& name = words.front();
  const std::vector<char*> argv = pointers(words);
  char* const* const envp = const_cast<char* const*>(entries.data());
  if (name.empty()) return could_not(ENOENT, "\"\"");
  if (name.find('/') != std::string::npos) {
    unblock_signals();
    execve(name.c_str(), argv.data(), envp);
    const int error = errno;
    return could_not(error, error == ENOENT ? missing(name) : shown(name));
  }
  std::string_view rest = path && !path->empty() ? *path : default_path;
  const std::string in_path = shown(name) + ", looked for in " + shown(rest);
  std::string found;  // what is there and cannot be executed
  int found_error = 0;
  std::string file;
  unblock_signals();
  for (bool more = true; more;) {
    const std::size_t colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    more = colon != std::string_view::npos;
    if (more) rest.remove_prefix(colon + 1);
    file.assign(folder.empty() ? std::string_view(".") : folder).append(1, '/').append(name);
    execve(file.c_str(), argv.data(), envp);
    const int error = errno;
    const bool there = error == EACCES || (error == ENOENT && access(file.c_str(), F_OK) == 0);
    if (there && found_error == 0) {
      found_error = error;
      found = error == ENOENT ? missing(file) : shown(file);
    }
    if (error != ENOENT && error != ENOTDIR && error != EACCES && error != ENAMETOOLONG && error != ELOOP) {
      return could_not(error, shown(file));
    }
  }
  return found_error != 0 ? could_not(found_error, found) : could_not(ENOENT, in_path);
}

}  // namespace hcrc

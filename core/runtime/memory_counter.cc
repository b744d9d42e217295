#include "core/runtime/memory_counter.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "core/text.h"

namespace hcrc {

namespace {

constexpr Duration patience = std::chrono::seconds(1);

std::string_view word(std::string_view& line) { return take_until(' ', line); }

std::string_view read_again(const Descriptor& file, std::array<char, 1024>& bytes) {
  const ssize_t got = file ? pread(file.get(), bytes.data(), bytes.size(), 0) : -1;
  return {bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end != text.data() ? std::optional(value) : std::nullopt;
}

// v1 writes "no limit" as a number near the end of what 63 bits hold.
constexpr std::uint64_t no_limit = std::uint64_t{1} << 60;

}  // namespace

void MemoryCounter::open() {
  const auto group = memory_cgroup(kernel_file("/proc/self/cgroup"), kernel_file("/proc/self/mountinfo"));
  if (!group) return;
  const Descriptor folder(::open(group->folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) open(folder.get(), group->unified);
}

void MemoryCounter::open(int folder, bool unified) {
  const auto file = [folder](const char* name) { return Descriptor(openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY)); };
  counter_ = file(unified ? "memory.events" : "memory.oom_control");
  limit_ = file(unified ? "memory.max" : "memory.limit_in_bytes");
  seen_ = count().value_or(0);
  unexplained_ = 0;
}

std::optional<std::uint64_t> MemoryCounter::count() const {
  std::array<char, 1024> bytes;
  std::string_view text = read_again(counter_, bytes);
  while (!text.empty()) {
    std::string_view line = take_until('\n', text);
    if (word(line) == "oom_kill") return number(line);
  }
  return std::nullopt;
}

std::optional<MemoryCounter::Explained> MemoryCounter::explains(Instant now) {
  const auto counted = count();
  if (!counted) return std::nullopt;
  if (now - counted_at_ > patience) unexplained_ = 0;
  if (*counted > seen_) {
    unexplained_ += *counted - seen_;
    counted_at_ = now;
  }
  seen_ = *counted;
  if (unexplained_ == 0) return std::nullopt;
  --unexplained_;
  std::array<char, 1024> bytes;
  const std::uint64_t limit = number(read_again(limit_, bytes)).value_or(0);
  return Explained{.limit = limit < no_limit ? limit : 0};
}

}  // namespace hcrc

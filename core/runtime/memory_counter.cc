#include "core/runtime/memory_counter.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace hcrc {

namespace {

constexpr Duration patience = std::chrono::seconds(1);

// Takes off what is before the next separator, and that one; all where there is none.
std::string_view take_until(char separator, std::string_view& text) {
  const std::size_t end = text.find(separator);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

std::string_view word(std::string_view& line) { return take_until(' ', line); }
std::string_view line_of(std::string_view& text) { return take_until('\n', text); }

bool has_option(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    if (take_until(',', options) == wanted) return true;
  }
  return false;
}

// "5:memory:/path" is of v1, "0::/path" of v2, where memory may be counted or not.
struct Member {
  std::string_view path;
  bool unified = false;
};

std::optional<Member> member_of(std::string_view cgroup) {
  std::optional<Member> member;
  while (!cgroup.empty()) {
    std::string_view line = line_of(cgroup);
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (has_option(controllers, "memory")) return Member{.path = path, .unified = false};
    if (controllers.empty()) member = Member{.path = path, .unified = true};
  }
  return member;
}

// All that a small file of the kernel says.
std::string small_file(const char* path) {
  std::string text;
  const Descriptor file(::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
  std::array<char, 4096> bytes;
  for (ssize_t got = 1; file && got > 0;) {
    got = read(file.get(), bytes.data(), bytes.size());
    if (got > 0) text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return text;
}

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

std::optional<MemoryGroup> memory_group(std::string_view cgroup, std::string_view mountinfo) {
  const auto member = member_of(cgroup);
  if (!member) return std::nullopt;
  std::optional<MemoryGroup> group;
  while (!mountinfo.empty()) {
    // proc_pid_mountinfo(5): ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELD...] - TYPE SOURCE SUPER-OPTIONS
    std::string_view line = line_of(mountinfo);
    for (int i = 0; i < 3; ++i) word(line);
    const std::string_view root = word(line);
    const std::string_view point = word(line);
    while (!line.empty() && word(line) != "-") {
    }
    const std::string_view type = word(line);
    word(line);
    if (member->unified ? type != "cgroup2" : type != "cgroup" || !has_option(line, "memory")) continue;
    // A mount may show a part of the tree: ROOT is where it begins. From a namespace of its own a group is "/".
    std::string_view below = member->path;
    if (root != "/" && below.starts_with(root)) below.remove_prefix(root.size());
    if (below == "/") below = {};
    group = MemoryGroup{.folder = std::string(point) + std::string(below), .unified = member->unified};
  }
  return group;
}

void MemoryCounter::open() {
  if (const auto group = memory_group(small_file("/proc/self/cgroup"), small_file("/proc/self/mountinfo"))) open(*group);
}

void MemoryCounter::open(const MemoryGroup& group) {
  const auto file = [&group](const char* name) {
    return Descriptor(::open((group.folder + name).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  };
  counter_ = file(group.unified ? "/memory.events" : "/memory.oom_control");
  limit_ = file(group.unified ? "/memory.max" : "/memory.limit_in_bytes");
  seen_ = count().value_or(0);
}

std::optional<std::uint64_t> MemoryCounter::count() const {
  std::array<char, 1024> bytes;
  std::string_view text = read_again(counter_, bytes);
  while (!text.empty()) {
    std::string_view line = line_of(text);
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

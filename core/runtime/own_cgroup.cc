#include "core/runtime/own_cgroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "core/system/descriptor.h"
#include "core/text.h"

namespace hcrc {

namespace {

std::string_view word(std::string_view& line) { return take_until(' ', line); }
std::string_view line_of(std::string_view& text) { return take_until('\n', text); }

bool has_option(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    if (take_until(',', options) == wanted) return true;
  }
  return false;
}

// A line of /proc/self/cgroup: "5:memory:/path" is of v1, "0::/path" of v2.
struct Member {
  std::string_view path;
  bool unified = false;
};

// What counts the memory: v1 where it has the controller.
std::optional<Member> member_of(std::string_view cgroup, bool memory) {
  std::optional<Member> member;
  while (!cgroup.empty()) {
    std::string_view line = line_of(cgroup);
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (memory && has_option(controllers, "memory")) return Member{.path = path, .unified = false};
    if (controllers.empty()) member = Member{.path = path, .unified = true};
  }
  return member;
}

// Where it is mounted.
std::optional<OwnCgroup> folder_of(const std::optional<Member>& member, std::string_view mountinfo) {
  if (!member) return std::nullopt;
  std::optional<OwnCgroup> group;
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
    if (root != "/") {
      if (!below.starts_with(root)) continue;
      below.remove_prefix(root.size());
    }
    if (below == "/") below = {};
    if (!below.empty() && !below.starts_with('/')) continue;
    group = OwnCgroup{.folder = std::string(point) + std::string(below), .unified = member->unified};
  }
  return group;
}

}  // namespace

std::optional<OwnCgroup> memory_cgroup(std::string_view cgroup, std::string_view mountinfo) {
  return folder_of(member_of(cgroup, true), mountinfo);
}

std::optional<OwnCgroup> unified_cgroup(std::string_view cgroup, std::string_view mountinfo) {
  return folder_of(member_of(cgroup, false), mountinfo);
}

std::string kernel_file(const char* path) {
  std::string text;
  const Descriptor file(::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
  std::array<char, 4096> bytes;
  for (ssize_t got = 1; file && got > 0;) {
    got = read(file.get(), bytes.data(), bytes.size());
    if (got > 0) text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace hcrc

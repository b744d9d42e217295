#include "core/runtime/proc_listing.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/text.h"

namespace hcrc {

namespace {

// As getdents64(2) lays an entry out; the name follows, with a NUL behind it.
struct EntryHead {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
};
constexpr std::size_t name_offset = 19;
static_assert(offsetof(EntryHead, type) + 1 == name_offset);

constexpr std::size_t longest_number = 16;  // of a pid, with the blank behind it; and more

pid_t pid_in(std::string_view text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  return error == std::errc() && end == text.data() + text.size() ? pid : 0;
}

// /proc belongs to the PID namespace of who mounted it. If it is ours, it knows us by our own number.
bool proc_is_ours() {
  std::array<char, 16> text;
  const ssize_t length = readlink("/proc/self", text.data(), text.size());
  return length > 0 && pid_in({text.data(), static_cast<std::size_t>(length)}) == getpid();
}

// The number in the field behind `text`'s first blank; moves on to it.
std::int64_t next_field(std::string_view& text) {
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) {
    text = {};
    return 0;
  }
  text.remove_prefix(blank + 1);
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::string_view proc_file(pid_t pid, std::string_view name, std::span<char> bytes) {
  std::array<char, 48> path{};
  TextWriter(std::span(path).first(path.size() - 1)).put("/proc/").number(pid).put(name);
  const Descriptor file(open(path.data(), O_RDONLY | O_CLOEXEC));
  const ssize_t got = file ? read(file.get(), bytes.data(), bytes.size()) : -1;
  return {bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

std::optional<ProcessStat> stat_of(pid_t pid) {
  std::array<char, 1024> bytes;
  // "PID (NAME) S PPID PGRP SESSION TTY TPGID FLAGS ...": a name may hold blanks and brackets, what follows it does not.
  std::string_view text = proc_file(pid, "/stat", bytes);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= text.size()) return std::nullopt;
  text.remove_prefix(name_end + 2);
  const char state = text.front();
  ProcessStat stat;
  stat.parent = static_cast<pid_t>(next_field(text));
  stat.group = static_cast<pid_t>(next_field(text));
  stat.session = static_cast<pid_t>(next_field(text));
  next_field(text);                                   // tty_nr
  next_field(text);                                   // tpgid
  constexpr std::int64_t kernel_thread = 0x00200000;  // PF_KTHREAD of linux/sched.h
  stat.kernel = (next_field(text) & kernel_thread) != 0;
  std::int64_t threads = 0;
  for (int field = 10; field <= 20; ++field) threads = next_field(text);
  // The first thread of a process may end before the others: it is then shown as a zombie that has more than one thread.
  next_field(text);  // itrealvalue
  stat.started = next_field(text);
  stat.alive = (state != 'Z' && state != 'X' && state != 'x') || threads > 1;
  return stat;
}

std::optional<uid_t> user_of(pid_t pid) {
  std::array<char, 2048> bytes;
  // "Uid:\tREAL\tEFFECTIVE\t...", behind a name that holds no newline.
  std::string_view text = proc_file(pid, "/status", bytes);
  constexpr std::string_view label = "\nUid:\t";
  const std::size_t at = text.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + label.size());
  uid_t uid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
  return error == std::errc() ? std::optional(uid) : std::nullopt;
}

bool FolderListing::open(const char* path) {
  folder_.reset(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  at_ = end_ = 0;
  return static_cast<bool>(folder_);
}

std::string_view FolderListing::next() {
  if (at_ == end_) {
    const long got = syscall(SYS_getdents64, folder_.get(), entries_.data(), entries_.size());
    at_ = 0;
    end_ = got > 0 ? static_cast<std::size_t>(got) : 0;
    if (end_ == 0) return {};
  }
  EntryHead head;
  std::memcpy(&head, entries_.data() + at_, name_offset);
  const std::string_view name(reinterpret_cast<const char*>(entries_.data() + at_ + name_offset));
  at_ += head.length;
  return name;
}

bool ProcListing::open() { return proc_is_ours() && folder_.open("/proc"); }

pid_t ProcListing::next() {
  for (std::string_view name = folder_.next(); !name.empty(); name = folder_.next()) {
    if (const pid_t pid = pid_in(name); pid > 0) return pid;
  }
  return 0;
}

bool ChildListing::open() {
  if (!file_ && proc_is_ours()) file_.reset(::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC));
  offset_ = 0;
  all_read_ = false;
  at_ = end_ = 0;
  return static_cast<bool>(file_);
}

int ChildListing::take() {
  if (at_ == end_) {
    const ssize_t got = all_read_ ? 0 : pread(file_.get(), bytes_.data(), bytes_.size(), offset_);
    at_ = 0;
    end_ = got > 0 ? static_cast<std::size_t>(got) : 0;
    if (end_ == 0) return -1;
    offset_ += got;
    // The kernel breaks off where a number finds no room any more, and nowhere else.
    all_read_ = end_ + longest_number < bytes_.size();
  }
  return static_cast<unsigned char>(bytes_[at_++]);
}

pid_t ChildListing::next() {
  pid_t pid = 0;
  for (int character = take(); character >= '0' && character <= '9'; character = take()) {
    pid = pid * 10 + (character - '0');
  }
  return pid;  // numbers are divided by one blank
}

}  // namespace hcrc

#include "core/runtime/database_reader.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "core/bounds.h"
#include "core/runtime/database_file.h"
#include "core/runtime/descriptors.h"
#include "core/runtime/execute.h"

namespace hcrc {

namespace {

// What the child says first: whether a database or a sentence follows.
enum class Answer : unsigned char { database = 'D', sentence = 'S' };

constexpr std::size_t read_at_once = 256u << 10;  // in one turn of the loop
constexpr std::size_t sentence_bytes = 4u << 10;

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

[[noreturn]] void read_in_child(const std::string& path, int out) {
  setsid();
  reset_signals(signals_not_by_default());
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const std::array kept = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, out};
  close_all_but(kept);
  bool said = false;
  try {
    const auto database = read_database(path);
    const auto answer = static_cast<std::byte>(database ? Answer::database : Answer::sentence);
    said = write_all(out, std::span(&answer, 1)) &&
           write_all(out, database ? database->bytes() : std::as_bytes(std::span(database.error())));
  } catch (const std::bad_alloc&) {
    constexpr std::string_view sentence = "Sthere is not enough memory to read it";
    said = write_all(out, std::as_bytes(std::span(sentence)));
  }
  _exit(said ? 0 : 1);
}

}  // namespace

std::expected<pid_t, std::string> DatabaseReader::start(EventLoop& loop, const std::string& path, Callback callback,
                                                        void* context) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(path + ": cannot be read now: " + std::strerror(errno));
  Descriptor read_end(ends[0]), write_end(ends[1]);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t child = fork();
  const int error = errno;
  if (child == 0) read_in_child(path, write_end.get());
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) return std::unexpected(path + ": cannot be read now: " + std::strerror(error));
  fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
  pipe_ = std::move(read_end);
  path_ = path;
  bytes_.clear();
  callback_ = callback;
  context_ = context;
  child_ = child;
  deadline_ = EventLoop::now() + patience;
  watcher_.start(
      loop, pipe_.get(), {.readable = true, .writable = false},
      [](void* self, Readiness) { static_cast<DatabaseReader*>(self)->take(); }, this);
  return child;
}

void DatabaseReader::take() {
  try {
    for (std::size_t taken = 0; taken < read_at_once;) {
      const std::size_t length = bytes_.size();
      if (length > bounds::database_bytes + 1) return finish(std::unexpected(path_ + ": it is too large"));
      bytes_.resize(length + (64u << 10));
      const ssize_t got = read(pipe_.get(), bytes_.data() + length, bytes_.size() - length);
      bytes_.resize(length + (got > 0 ? static_cast<std::size_t>(got) : 0));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return finish(database());
      taken += static_cast<std::size_t>(got);
    }
  } catch (const std::bad_alloc&) {
    finish(std::unexpected(path_ + ": there is not enough memory for it"));
  }
}

DatabaseReader::Read DatabaseReader::database() {
  const std::string_view all(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
  if (all.starts_with(static_cast<char>(Answer::sentence))) {
    return std::unexpected(std::string(all.substr(1, sentence_bytes)));
  }
  if (!all.starts_with(static_cast<char>(Answer::database))) {
    return std::unexpected(path_ + ": the child that reads it ended without a word");
  }
  bytes_.erase(bytes_.begin());
  // What came over the pipe is looked at like any other bytes.
  auto loaded = Database::load(std::move(bytes_));
  if (!loaded) return std::unexpected(path_ + ": " + loaded.error().sentence);
  return std::make_shared<const Database>(std::move(*loaded));
}

void DatabaseReader::finish(Read result) {
  watcher_.stop();
  pipe_.reset();
  bytes_ = Database::Bytes(&shared_memory());
  callback_(context_, std::move(result));
}

void DatabaseReader::expire(Instant now) {
  if (!busy() || now < deadline_) return;
  if (child_ != 0) kill(child_, SIGKILL);
  finish(std::unexpected(path_ + ": reading it took longer than 30s"));
}

}  // namespace hcrc

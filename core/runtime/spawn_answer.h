// What a child says over a pipe between its fork and its exec.
//
// Each message is one write of a fixed size below PIPE_BUF, so a reader gets it whole or not at all (pipe(7)). The pipe's
// write end is close-on-exec: its end without `skipped`, `lock_busy` or `failed` before it means that exec went well (or
// that something ended the child by a signal, which its exit tells). After one of these three the child says nothing more,
// and its exit means nothing: behind `lock_busy` it ends as soon as the lock is free, which is the news that it has; behind
// the others it ends at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/text.h"

namespace hcrc {

// What the child was at when it failed.
enum class Stage : std::uint8_t {
  memory,
  condition,
  variable,
  environment_file,
  user,
  group,
  groups,
  capabilities,
  no_new_privileges,
  cgroup,
  nice,
  oom_score_adj,
  limit,
  directory,
  standard_input,
  lock,
  descriptors,
  ready_fd,
  command,
};
inline constexpr std::size_t stages = static_cast<std::size_t>(Stage::command) + 1;

// "working directory" for `directory`.
std::string_view text(Stage stage);

// A start that did not come to its exec: "STAGE DETAIL: ERROR".
struct StartFailure {
  Stage stage{};
  int error = 0;           // errno; 0: the detail says it all
  bool permanent = false;  // no retry cures it
  std::string detail;      // what it was about: a path, a name
};

template <typename T>
using OrFailure = std::expected<T, StartFailure>;
inline std::unexpected<StartFailure> failed(Stage stage, int error, std::string detail, bool permanent = false) {
  return std::unexpected(StartFailure{.stage = stage, .error = error, .permanent = permanent, .detail = std::move(detail)});
}

struct SpawnAnswer {
  enum class Kind : std::uint8_t {
    note,            // a line for the console: what could not be done and is not needed
    ready_address,   // of [ready] and [health], where what the child alone has read fills in its variables
    health_address,  //
    skipped,         // a condition on a path does not hold; `detail` says which
    lock_busy,       // another copy holds the lock; `detail` says who
    failed,
  };
  static constexpr std::size_t detail_bytes = 512;

  Kind kind{};
  Stage stage{};           // of failed, like the next two
  bool permanent = false;  //
  int error = 0;           //
  FixedText<detail_bytes> detail;
};

// Whether what failed was a lack of memory, processes or descriptors, before the service's own limits applied: no fault of
// the service, and worth another try.
bool lacks_resource(const SpawnAnswer& answer);

// "working directory /x: No such file or directory" for a failed answer.
void write_failure(const SpawnAnswer& answer, TextWriter& text);

enum class AnswerRead : std::uint8_t { nothing_yet, answer, end };

// Takes the next message from the read end, which does not block. What is no message of ours counts as the end.
[[nodiscard]] AnswerRead read_answer(int fd, SpawnAnswer& answer);

// The bytes of one message, and back; nothing where they are none.
inline constexpr std::size_t answer_bytes = 520;
void encode_answer(const SpawnAnswer& answer, std::span<std::byte, answer_bytes> bytes);
[[nodiscard]] std::optional<SpawnAnswer> parse_answer(std::span<const std::byte> bytes);

// The child's side: writes one message, and waits while the pipe is full.
void send_answer(int fd, const SpawnAnswer& answer);

// A path or name from outside as it may stand in a line: control characters are `?`, and of a long one the middle is left
// out.
std::string shown(std::string_view text, std::size_t most = 96);

}  // namespace hcrc

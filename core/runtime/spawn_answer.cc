#include "core/runtime/spawn_answer.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

namespace hcrc {

namespace {

// A message as it goes through the pipe. Both ends are the same program.
struct Message {
  std::int32_t error;
  std::uint8_t kind;
  std::uint8_t stage;
  std::uint16_t permanent_and_length;  // the highest bit, and the others
  std::array<char, SpawnAnswer::detail_bytes> detail;
};
static_assert(sizeof(Message) == answer_bytes && answer_bytes <= PIPE_BUF);
constexpr std::uint16_t permanent_bit = 0x8000;
static_assert(SpawnAnswer::detail_bytes < permanent_bit);

}  // namespace

std::string_view text(Stage stage) {
  switch (stage) {
    case Stage::memory: return "memory";
    case Stage::condition: return "condition";
    case Stage::variable: return "variable";
    case Stage::environment_file: return "environment file";
    case Stage::user: return "user";
    case Stage::group: return "group";
    case Stage::groups: return "groups";
    case Stage::capabilities: return "capabilities";
    case Stage::no_new_privileges: return "no-new-privileges";
    case Stage::cgroup: return "cgroup";
    case Stage::nice: return "nice";
    case Stage::oom_score_adj: return "oom-score-adj";
    case Stage::limit: return "limit";
    case Stage::directory: return "working directory";
    case Stage::standard_input: return "stdin";
    case Stage::lock: return "lock";
    case Stage::descriptors: return "descriptors";
    case Stage::ready_fd: return "ready fd";
    case Stage::command: return "command";
  }
  return "";
}

bool lacks_resource(const SpawnAnswer& answer) {
  if (answer.kind != SpawnAnswer::Kind::failed || answer.stage == Stage::command || answer.stage == Stage::ready_fd)
    return false;
  return answer.error == EAGAIN || answer.error == EMFILE || answer.error == ENFILE || answer.error == ENOMEM;
}

void write_failure(const SpawnAnswer& answer, TextWriter& line) {
  line.put(text(answer.stage));
  if (!answer.detail.empty()) line.put(' ').put(answer.detail.view());
  if (answer.error != 0) line.put(": ").put(std::strerror(answer.error));
}

void encode_answer(const SpawnAnswer& answer, std::span<std::byte, answer_bytes> bytes) {
  Message message{};
  const std::string_view detail = answer.detail.view();
  message.error = answer.error;
  message.kind = static_cast<std::uint8_t>(answer.kind);
  message.stage = static_cast<std::uint8_t>(answer.stage);
  message.permanent_and_length =
      static_cast<std::uint16_t>(detail.size() | (answer.permanent ? std::size_t{permanent_bit} : 0));
  std::memcpy(message.detail.data(), detail.data(), detail.size());
  std::memcpy(bytes.data(), &message, sizeof message);
}

std::optional<SpawnAnswer> parse_answer(std::span<const std::byte> bytes) {
  Message message;
  if (bytes.size() != sizeof message) return std::nullopt;
  std::memcpy(&message, bytes.data(), sizeof message);
  const std::size_t length = message.permanent_and_length & ~permanent_bit;
  if (length > message.detail.size() || message.kind > static_cast<std::uint8_t>(SpawnAnswer::Kind::failed) ||
      message.stage >= stages) {
    return std::nullopt;
  }
  SpawnAnswer answer;
  answer.kind = static_cast<SpawnAnswer::Kind>(message.kind);
  answer.stage = static_cast<Stage>(message.stage);
  answer.permanent = (message.permanent_and_length & permanent_bit) != 0;
  answer.error = message.error;
  answer.detail.assign({message.detail.data(), length});
  return answer;
}

AnswerRead read_answer(int fd, SpawnAnswer& answer) {
  std::array<std::byte, answer_bytes> bytes;
  for (;;) {
    const ssize_t got = read(fd, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return AnswerRead::nothing_yet;
    if (got <= 0) return AnswerRead::end;
    const auto parsed = parse_answer(std::span(bytes).first(static_cast<std::size_t>(got)));
    if (!parsed) return AnswerRead::end;
    answer = *parsed;
    return AnswerRead::answer;
  }
}

void send_answer(int fd, const SpawnAnswer& answer) {
  std::array<std::byte, answer_bytes> bytes;
  encode_answer(answer, bytes);
  // Where nobody listens any more there is nobody to tell.
  while (write(fd, bytes.data(), bytes.size()) < 0 && errno == EINTR) {
  }
}

std::string shown(std::string_view text, std::size_t most) {
  constexpr std::string_view gap = "...";
  std::string result;
  if (text.size() <= most || most <= gap.size()) {
    result = text.substr(0, most);
  } else {
    const std::size_t kept = most - gap.size();
    result.append(text.substr(0, kept / 2)).append(gap).append(text.substr(text.size() - (kept - kept / 2)));
  }
  std::ranges::replace_if(
      result, [](char character) { return static_cast<unsigned char>(character) < 0x20 || character == 0x7f; }, '?');
  return result;
}

}  // namespace hcrc

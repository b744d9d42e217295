// The text of the control protocol; docs/control.md describes it for people.
//
//   request  one line: VERB [--OPTION [VALUE]] [NAME...], words parted by blanks. Names hold no blanks and do not begin with
//            `-`, so no word means two things.
//   answer   JSON lines. The last one is the result: {"result":"ok"}, or {"result":"failed"|"error","code":N,"text":"..."}
//            with the exit code of `hcrc`. What stands before it depends on the verb.
//
// Pure: bytes in, values out, and the other way round. Both ends use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <optional>
#include <string_view>

#include "core/bounds.h"
#include "core/json.h"
#include "core/service.h"
#include "core/text.h"

namespace hcrc {

// `hcrc`'s exit codes (contract, section 3).
namespace exit_code {
inline constexpr std::uint8_t done = 0;
inline constexpr std::uint8_t failed = 1;  // or not so
inline constexpr std::uint8_t timed_out = 2;
inline constexpr std::uint8_t no_such_service = 3;
inline constexpr std::uint8_t unreachable = 4;
inline constexpr std::uint8_t usage = 100;
inline constexpr std::uint8_t system = 111;
}  // namespace exit_code

enum class Verb : std::uint8_t { status, list, why, start, stop, restart, signal, wait, health, update, shutdown };
std::string_view text(Verb verb);

enum class WaitFor : std::uint8_t { up, down, settled };
std::string_view text(WaitFor state);

// The names in a request's line: its words that are no options. A view; costs no memory however many they are.
class Names {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(std::string_view rest) : rest_(rest) { advance(); }
    std::string_view operator*() const { return word_; }
    Iterator& operator++() {
      advance();
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      advance();
      return old;
    }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.word_.empty(); }

   private:
    void advance();
    std::string_view rest_;
    std::string_view word_;
  };

  Names() = default;
  explicit Names(std::string_view words) : words_(words) {}
  Iterator begin() const { return Iterator(words_); }
  std::default_sentinel_t end() const { return {}; }
  bool empty() const { return begin() == end(); }
  std::string_view front() const { return *begin(); }  // empty where there is none
  std::size_t count() const;

 private:
  std::string_view words_;
};

// A request that is well formed; whether its names exist is not known here. Its views are of the line it was parsed from.
struct Request {
  Verb verb = Verb::status;
  Names names;           // why, signal: exactly one; start, stop, restart: at least one; update: the path of a database
  bool no_wait = false;  // start, stop, restart, update: the answer comes as soon as it is begun
  bool dry_run = false;  // update: only told
  WaitFor wait_for = WaitFor::settled;    // wait
  int signal = 0;                         // signal
  std::optional<std::uint8_t> exit_code;  // shutdown
};

// Why a line is no request: a sentence for the result's text; its code is exit_code::usage.
using RequestError = FixedText<bounds::report_text_bytes>;

// Parses a line without its newline (a carriage return before it is dropped).
[[nodiscard]] std::expected<Request, RequestError> parse_request(std::string_view line);

// Whether a word can be sent as a name at all: not empty, no blanks or control characters, no `-` in front.
bool can_be_name(std::string_view word);

// What the lines of an answer say. Times are milliseconds since the epoch, UTC; an empty view or optional is null.
struct ExitText {
  enum class Kind : std::uint8_t { none, code, signal };
  Kind kind = Kind::none;
  int value = 0;  // the code, or the signal's number
};

struct ServiceStatus {
  std::string_view name{};
  ServiceType type = ServiceType::longrun;
  State state = State::down;
  bool wanted = false;
  std::optional<std::int32_t> pid{};
  std::optional<std::int64_t> since{};
  std::string_view why{};
  std::uint32_t restarts = 0;
  std::optional<std::int64_t> next_start{};
  ExitText exit{};
  std::string_view status{};       // what the service said of itself (sd_notify STATUS=)
  std::string_view description{};  // cut where it is longer than bounds::control_description_bytes
};

struct NodeStatus {
  std::string_view state{};
  std::uint64_t build = 0;  // the database's build id
  std::string_view db{};
  std::optional<std::int64_t> since{};
  std::string_view version{};
  std::int32_t pid = 0;
};

// {"node":{...}}, {"service":{...}}, {"why":"..."}, {"listed":{"name":...,"type":...,"description":...}}
void write(JsonLine& line, const NodeStatus& node);
void write(JsonLine& line, const ServiceStatus& service);
void write_why(JsonLine& line, std::string_view sentence);
// {"orphan":{"pid":...,"name":...}}
void write_orphan(JsonLine& line, std::int32_t pid, std::string_view name);
// {"update":{"name":...,"does":...,"along_with":...}}
void write_change(JsonLine& line, std::string_view name, std::string_view does, std::string_view along_with);
void write_listed(JsonLine& line, std::string_view name, ServiceType type, std::string_view description);

// The result: "ok" where code is 0, "failed" for 1, "error" for any other. Without a text there is none in the line.
// A text is cut at bounds::control_result_text_bytes.
void write_result(JsonLine& line, std::uint8_t code, std::string_view text);
// What the longest result needs, newline included: six bytes for each of a text that is all control characters.
inline constexpr std::size_t result_line_bytes = 6 * bounds::control_result_text_bytes + 64;

// "2026-03-01T12:00:00.250Z"; years 0 to 9999, others come back as the nearest of them.
using TimeText = FixedText<24>;
TimeText iso8601(std::int64_t unix_ms);
// The other way round, for the client; nothing for what iso8601 does not write.
std::optional<std::int64_t> parse_iso8601(std::string_view text);

}  // namespace hcrc

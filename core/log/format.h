// One line as it is written: `2026-01-02T03:04:05.678Z name: text`, or a JSON object. The newline is included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hcrc::log {

enum class Timestamp : unsigned char { iso, none };
enum class Form : unsigned char { text, json };

// The longest line of input; what is longer is cut into pieces.
inline constexpr std::size_t line_bytes = 64u << 10;
// Of a prefix and of a stream's name; what is longer is cut.
inline constexpr std::size_t label_bytes = 1'024;

class Formatter {
 public:
  // `longest`: the most bytes that a line's text will have.
  Formatter(Form form, Timestamp timestamp, std::string_view prefix, std::size_t longest = line_bytes);

  // The time of the lines that follow: milliseconds since the epoch, UTC. The text of a second is made once.
  void set_time(std::int64_t unix_ms);
  // `name` is the stream's, empty where there is only one. Valid until the next call; allocates nothing.
  std::string_view line(std::string_view name, std::string_view text);

 private:
  std::string_view text_line(std::string_view name, std::string_view text);
  std::string_view json_line(std::string_view name, std::string_view text);

  Form form_;
  Timestamp timestamp_;
  std::string prefix_;
  std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::int64_t second_ = -1;
  char time_[24] = {};  // "2026-01-02T03:04:05.678Z"
};

}  // namespace hcrc::log

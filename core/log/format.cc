#include "core/log/format.h"

#include <cstring>

#include "core/control_protocol.h"
#include "core/json.h"
#include "core/text.h"

namespace hcrc::log {

namespace {

// An escape is at most six times as long as what it stands for. The rest is time, keys and marks.
constexpr std::size_t longest_line(std::size_t text) { return 6 * (text + 2 * label_bytes) + 256; }

}  // namespace

Formatter::Formatter(Form form, Timestamp timestamp, std::string_view prefix, std::size_t longest)
    : form_(form),
      timestamp_(timestamp),
      prefix_(prefix.substr(0, label_bytes)),
      capacity_(longest_line(longest)),
      buffer_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

void Formatter::set_time(std::int64_t unix_ms) {
  if (timestamp_ == Timestamp::none && form_ == Form::text) return;
  const std::int64_t second = unix_ms / 1'000;
  if (second != second_) {
    second_ = second;
    std::memcpy(time_, iso8601(second * 1'000).view().data(), sizeof time_);
  }
  const std::int64_t ms = unix_ms % 1'000;
  time_[20] = static_cast<char>('0' + ms / 100);
  time_[21] = static_cast<char>('0' + ms / 10 % 10);
  time_[22] = static_cast<char>('0' + ms % 10);
}

std::string_view Formatter::line(std::string_view name, std::string_view text) {
  name = name.substr(0, label_bytes);
  return form_ == Form::json ? json_line(name, text) : text_line(name, text);
}

std::string_view Formatter::text_line(std::string_view name, std::string_view text) {
  TextWriter line({buffer_.get(), capacity_});
  if (timestamp_ == Timestamp::iso) line.put({time_, sizeof time_}).put(' ');
  line.put(prefix_);
  if (!name.empty()) line.put(name).put(": ");
  return line.put(text).put('\n').view();
}

std::string_view Formatter::json_line(std::string_view name, std::string_view text) {
  JsonLine line({buffer_.get(), capacity_ - 1});
  line.begin_object();
  if (timestamp_ == Timestamp::iso) line.text("time", {time_, sizeof time_});
  if (!prefix_.empty()) line.text("prefix", prefix_);
  if (!name.empty()) line.text("service", name);
  line.text("line", text);
  line.end_object();
  const std::size_t length = line.view().size();
  buffer_[length] = '\n';
  return {buffer_.get(), length + 1};
}

}  // namespace hcrc::log

// JSON as the control protocol needs it: a writer of one line into a buffer that somebody else owns, and a reader of one
// line. Neither allocates, but for a string that the reader is asked to decode.
//
// Writing: what does not fit makes the line not fit; the part that was written is then worth nothing, and `fits()` says so.
// Bytes that are no UTF-8 become U+FFFD, so a line is valid JSON whatever a service or a file name put into it.
//
// Reading: `JsonValue::parse` checks the whole text once (RFC 8259, nested at most `max_depth` deep); what it gives back is
// a view of checked text, and every view made from it is one too.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/text.h"

namespace hcrc {

// JsonLine line(buffer);
// line.begin_object().begin_object("service").text("name", "holochain").number("pid", 12).end_object().end_object();
class JsonLine {
 public:
  explicit JsonLine(std::span<char> buffer) : out_(buffer) {}

  JsonLine& begin_object();                      // the line itself, or an element of an array
  JsonLine& begin_object(std::string_view key);  // a member
  JsonLine& end_object();
  JsonLine& begin_array(std::string_view key);
  JsonLine& end_array();

  // Members. A text longer than `limit` bytes is cut at a character's end, and "..." says so.
  JsonLine& text(std::string_view key, std::string_view value, std::size_t limit = SIZE_MAX);
  JsonLine& number(std::string_view key, std::int64_t value);
  JsonLine& flag(std::string_view key, bool value);
  JsonLine& null(std::string_view key);
  JsonLine& element(std::string_view value);  // a string in an array

  bool fits() const { return !out_.cut(); }
  std::string_view view() const { return out_.view(); }  // without a newline

 private:
  void separate();
  void key(std::string_view key);
  void quote(std::string_view value, std::string_view ending = {});

  TextWriter out_;
  bool first_ = true;  // nothing stands before the next member of this object or array
};

// The longest part of `text` that has at most `limit` bytes and ends where a UTF-8 character does.
std::string_view cut_at_character(std::string_view text, std::size_t limit);

class JsonValue {
 public:
  static constexpr int max_depth = 16;

  // The value that is the whole of `text`, blanks around it aside; nothing where that is no JSON. `text` must outlive it.
  [[nodiscard]] static std::optional<JsonValue> parse(std::string_view text);

  // The member of this object; nothing where there is none, or this is no object. Of a name twice, the first.
  std::optional<JsonValue> member(std::string_view key) const;
  std::optional<std::string> string() const;
  std::optional<std::int64_t> integer() const;  // nothing for fractions, exponents and what exceeds 64 bits
  std::optional<bool> boolean() const;
  bool is_null() const { return text_ == "null"; }
  bool is_object() const { return text_.front() == '{'; }
  // Walks an array: its first element; nothing where it is empty or no array. `rest` takes what follows, for next_element.
  std::optional<JsonValue> first_element(std::string_view& rest) const;
  static std::optional<JsonValue> next_element(std::string_view& rest);

  std::string_view text() const { return text_; }  // as it was written

 private:
  explicit JsonValue(std::string_view text) : text_(text) {}
  std::string_view text_;
};

}  // namespace hcrc

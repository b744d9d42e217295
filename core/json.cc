#include "core/json.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hcrc {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view blanks = " \t\r\n";

bool continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Bytes of the well-formed UTF-8 character at the front of `text` (Unicode, table 3-7); 0 where there is none.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  for (std::size_t i = 1; i < length; ++i) {
    if (!continues(static_cast<unsigned char>(byte(i)))) return 0;
  }
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool outside = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong || outside ? 0 : length;
}

// What a byte below 0x80 is written as where it cannot stand for itself; empty where it can.
std::string_view escape(char character, std::array<char, 6>& room) {
  switch (character) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: break;
  }
  const auto byte = static_cast<unsigned char>(character);
  if (byte >= 0x20 && byte != 0x7F) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  room = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
  return {room.data(), room.size()};
}

}  // namespace

std::string_view cut_at_character(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && limit - end < 3 && continues(static_cast<unsigned char>(text[end]))) --end;
  return text.substr(0, end);
}

void JsonLine::separate() {
  if (!first_) out_.put(',');
  first_ = false;
}

void JsonLine::quote(std::string_view value, std::string_view ending) {
  out_.put('"');
  std::size_t plain = 0;  // where what can be copied as it is begins
  std::size_t i = 0;
  while (i < value.size()) {
    const std::size_t length = character_bytes(value.substr(i));
    std::array<char, 6> room{};
    const std::string_view instead = length == 0 ? replacement : length == 1 ? escape(value[i], room) : std::string_view();
    const std::size_t next = i + (length == 0 ? 1 : length);
    if (!instead.empty()) {
      out_.put(value.substr(plain, i - plain)).put(instead);
      plain = next;
    }
    i = next;
  }
  out_.put(value.substr(plain)).put(ending).put('"');
}

void JsonLine::key(std::string_view key) {
  separate();
  quote(key);
  out_.put(':');
}

JsonLine& JsonLine::begin_object() {
  separate();
  out_.put('{');
  first_ = true;
  return *this;
}

JsonLine& JsonLine::begin_object(std::string_view name) {
  key(name);
  out_.put('{');
  first_ = true;
  return *this;
}

JsonLine& JsonLine::end_object() {
  out_.put('}');
  first_ = false;
  return *this;
}

JsonLine& JsonLine::begin_array(std::string_view name) {
  key(name);
  out_.put('[');
  first_ = true;
  return *this;
}

JsonLine& JsonLine::end_array() {
  out_.put(']');
  first_ = false;
  return *this;
}

JsonLine& JsonLine::text(std::string_view name, std::string_view value, std::size_t limit) {
  key(name);
  quote(cut_at_character(value, limit), value.size() <= limit ? "" : "...");
  return *this;
}

JsonLine& JsonLine::number(std::string_view name, std::int64_t value) {
  key(name);
  out_.number(value);
  return *this;
}

JsonLine& JsonLine::flag(std::string_view name, bool value) {
  key(name);
  out_.put(value ? "true" : "false");
  return *this;
}

JsonLine& JsonLine::null(std::string_view name) {
  key(name);
  out_.put("null");
  return *this;
}

JsonLine& JsonLine::element(std::string_view value) {
  separate();
  quote(value);
  return *this;
}

namespace {

// A pass over JSON text. Every step says how far the text is right; `bad` is nowhere.
class Scanner {
 public:
  static constexpr std::size_t bad = std::string_view::npos;
  explicit Scanner(std::string_view text) : text_(text) {}

  std::size_t skip_blanks(std::size_t at) const {
    const std::size_t end = text_.find_first_not_of(blanks, at);
    return end == bad ? text_.size() : end;
  }
  char peek(std::size_t at) const { return at < text_.size() ? text_[at] : '\0'; }

  // Behind the value that begins at `at`. Recursive, at most JsonValue::max_depth deep.
  std::size_t skip_value(std::size_t at, int depth) const {
    switch (peek(at)) {
      case '{': return skip_list(at, '}', true, depth);
      case '[': return skip_list(at, ']', false, depth);
      case '"': return skip_string(at);
      case 't': return skip_word(at, "true");
      case 'f': return skip_word(at, "false");
      case 'n': return skip_word(at, "null");
      default: return skip_number(at);
    }
  }

  std::size_t skip_string(std::size_t at) const {
    if (peek(at) != '"') return bad;
    for (std::size_t i = at + 1; i < text_.size(); ++i) {
      const char character = text_[i];
      if (character == '"') return i + 1;
      if (static_cast<unsigned char>(character) < 0x20) return bad;
      if (character == '\\' && !skip_escape(i)) return bad;
    }
    return bad;
  }

 private:
  std::size_t skip_word(std::size_t at, std::string_view word) const {
    return text_.substr(at, word.size()) == word ? at + word.size() : bad;
  }

  // Moves from the backslash to the last character of the escape.
  bool skip_escape(std::size_t& at) const {
    const char kind = peek(++at);
    if (kind != 'u') return kind != '\0' && std::string_view("\"\\/bfnrt").find(kind) != bad;
    const std::string_view digits = text_.substr(at + 1, 4);
    at += 4;
    return digits.size() == 4 && digits.find_first_not_of("0123456789abcdefABCDEF") == bad;
  }

  std::size_t skip_digits(std::size_t at) const {
    const std::size_t end = text_.find_first_not_of("0123456789", at);
    const std::size_t stop = end == bad ? text_.size() : end;
    return stop == at ? bad : stop;
  }

  std::size_t skip_number(std::size_t at) const {
    if (peek(at) == '-') ++at;
    at = peek(at) == '0' ? at + 1 : skip_digits(at);
    if (at == bad) return bad;
    if (peek(at) == '.') at = skip_digits(at + 1);
    if (at == bad) return bad;
    if (peek(at) != 'e' && peek(at) != 'E') return at;
    ++at;
    if (peek(at) == '+' || peek(at) == '-') ++at;
    return skip_digits(at);
  }

  std::size_t skip_list(std::size_t at, char close, bool members, int depth) const {
    if (depth == 0) return bad;
    at = skip_blanks(at + 1);
    if (peek(at) == close) return at + 1;
    while (true) {
      if (members) {
        at = skip_string(at);
        if (at == bad) return bad;
        at = skip_blanks(at);
        if (peek(at) != ':') return bad;
        at = skip_blanks(at + 1);
      }
      at = skip_value(at, depth - 1);
      if (at == bad) return bad;
      at = skip_blanks(at);
      if (peek(at) == close) return at + 1;
      if (peek(at) != ',') return bad;
      at = skip_blanks(at + 1);
    }
  }

  std::string_view text_;
};

void append_utf8(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6);
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

// Of checked text: four hexadecimal digits are there.
std::uint32_t hex4(std::string_view text) {
  const std::string_view digits = text.substr(0, 4);
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

// The \uXXXX (and the second half of a pair) at the front of `rest`; takes it off.
std::uint32_t take_unicode(std::string_view& rest) {
  const std::uint32_t high = hex4(rest.substr(2));
  rest.remove_prefix(6);
  if (high < 0xD800 || high > 0xDFFF) return high;
  if (high < 0xDC00 && rest.starts_with("\\u")) {
    const std::uint32_t low = hex4(rest.substr(2));
    if (low >= 0xDC00 && low <= 0xDFFF) {
      rest.remove_prefix(6);
      return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
  }
  return 0xFFFD;  // half a pair
}

// The text of a checked string without its quotes.
std::string unescape(std::string_view rest) {
  std::string out;
  out.reserve(rest.size());
  while (!rest.empty()) {
    const std::size_t plain = std::min(rest.find('\\'), rest.size());
    out.append(rest.substr(0, plain));
    rest.remove_prefix(plain);
    if (rest.empty()) break;
    switch (rest[1]) {
      case 'u': append_utf8(out, take_unicode(rest)); continue;
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      default: out += rest[1]; break;
    }
    rest.remove_prefix(2);
  }
  return out;
}

}  // namespace

std::optional<JsonValue> JsonValue::parse(std::string_view text) {
  const Scanner scanner(text);
  const std::size_t begin = scanner.skip_blanks(0);
  const std::size_t end = scanner.skip_value(begin, max_depth);
  if (end == Scanner::bad || scanner.skip_blanks(end) != text.size()) return std::nullopt;
  return JsonValue(text.substr(begin, end - begin));
}

std::optional<JsonValue> JsonValue::member(std::string_view key) const {
  if (!is_object()) return std::nullopt;
  const Scanner scanner(text_);
  std::size_t at = scanner.skip_blanks(1);
  while (scanner.peek(at) == '"') {
    const std::size_t name_end = scanner.skip_string(at);
    const std::string_view name = text_.substr(at + 1, name_end - at - 2);
    const std::size_t value = scanner.skip_blanks(scanner.skip_blanks(name_end) + 1);
    const std::size_t value_end = scanner.skip_value(value, max_depth);
    const bool escaped = name.find('\\') != std::string_view::npos;
    if (escaped ? unescape(name) == key : name == key) return JsonValue(text_.substr(value, value_end - value));
    at = scanner.skip_blanks(scanner.skip_blanks(value_end) + 1);
  }
  return std::nullopt;
}

std::optional<std::string> JsonValue::string() const {
  if (text_.front() != '"') return std::nullopt;
  return unescape(text_.substr(1, text_.size() - 2));
}

std::optional<std::int64_t> JsonValue::integer() const {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
  if (error != std::errc() || end != text_.data() + text_.size()) return std::nullopt;
  return value;
}

std::optional<bool> JsonValue::boolean() const {
  if (text_ == "true") return true;
  if (text_ == "false") return false;
  return std::nullopt;
}

std::optional<JsonValue> JsonValue::first_element(std::string_view& rest) const {
  rest = {};
  if (text_.front() != '[') return std::nullopt;
  rest = text_.substr(Scanner(text_).skip_blanks(1));
  return next_element(rest);
}

std::optional<JsonValue> JsonValue::next_element(std::string_view& rest) {
  if (rest.empty() || rest.front() == ']') return std::nullopt;
  const Scanner scanner(rest);
  const std::size_t end = scanner.skip_value(0, max_depth);
  const JsonValue value(rest.substr(0, end));
  const std::size_t separator = scanner.skip_blanks(end);
  rest.remove_prefix(scanner.peek(separator) == ',' ? scanner.skip_blanks(separator + 1) : separator);
  return value;
}

}  // namespace hcrc

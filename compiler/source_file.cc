#include "compiler/source_file.h"

#include <array>
#include <cstring>
#include <utility>

namespace hcrc::compiler {

SourceFile::SourceFile(std::string path, std::string text) : path_(std::move(path)), text_(std::move(text)) {
  if (text_.starts_with("\xEF\xBB\xBF")) begin_ = 3;
}

std::string_view SourceFile::line(std::uint32_t number) const {
  if (number == 0) return {};
  std::string_view rest = text();
  for (std::uint32_t i = 1; i < number; ++i) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end + 1);
  }
  std::string_view line = rest.substr(0, rest.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

CodePoint next_code_point(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {.value = lead, .bytes = 1, .valid = true};
  const std::uint32_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  const CodePoint invalid{.value = lead, .bytes = 1, .valid = false};
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return invalid;
  std::uint32_t value = lead & (0x7Fu >> bytes);
  for (std::uint32_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return invalid;
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::array<std::uint32_t, 5> lowest{0, 0, 0x80, 0x800, 0x10000};
  if (value < lowest[bytes] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return invalid;
  return {.value = static_cast<char32_t>(value), .bytes = bytes, .valid = true};
}

namespace {

// Most texts are ASCII all through, and these are quickly told.
bool is_ascii(std::string_view text) {
  std::uint64_t all = 0;
  std::size_t at = 0;
  for (std::uint64_t word; text.size() - at >= sizeof word; at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    all |= word;
  }
  for (; at < text.size(); ++at) all |= static_cast<std::uint8_t>(text[at]);
  return (all & 0x8080808080808080u) == 0;
}

}  // namespace

Place first_bad_utf8(std::string_view text, std::uint32_t file) {
  if (is_ascii(text)) return {.file = file};
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  while (!text.empty()) {
    const CodePoint point = next_code_point(text);
    if (!point.valid) return {.file = file, .line = line, .column = column, .length = 1};
    text.remove_prefix(point.bytes);
    if (point.value == U'\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  return {.file = file};
}

}  // namespace hcrc::compiler

#include "core/present/table.h"

#include <algorithm>

namespace hcrc::present {

namespace {

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

}  // namespace

std::string visible(std::string_view text) {
  std::string result(text);
  std::ranges::replace_if(result, [](char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F; }, '?');
  return result;
}

void put_wrapped(std::string& out, std::string_view text, std::size_t indent) {
  const std::size_t line = out.rfind('\n');
  std::size_t at = width_of(std::string_view(out).substr(line == std::string::npos ? 0 : line + 1));
  bool begun = false;  // a word stands on this line
  const auto new_line = [&] {
    out += '\n';
    out.append(indent, ' ');
    at = indent;
    begun = false;
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
    const std::size_t width = width_of(word);
    if (begun && at + 1 + width > columns) new_line();
    if (begun) out += ' ', ++at;
    begun = true;
    for (const char byte : word) {
      if (begins_character(byte)) {
        if (at >= columns) new_line(), begun = true;
        ++at;
      }
      out += byte;
    }
  }
}

void put_cell(std::string& out, std::string_view text, std::size_t width) {
  out += text;
  const std::size_t taken = width_of(text);
  out.append(taken + 2 <= width ? width - taken : 2, ' ');
}

std::string listed(const std::vector<std::string_view>& names, std::size_t most) {
  if (names.empty()) return "nothing";
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) {
    if (i > 0) text += ", ";
    text += names[i];
  }
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

}  // namespace hcrc::present

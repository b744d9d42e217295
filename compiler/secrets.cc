#include "compiler/secrets.h"

#include <algorithm>
#include <array>
#include <string>

namespace hcrc::compiler {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return static_cast<unsigned char>(c) <= 0x20; }

bool holds_key(std::string_view text) { return text.find("PRIVATE KEY-----") != std::string_view::npos; }

bool is_switch(std::string_view value) {
  constexpr std::array<std::string_view, 10> words{"true", "false", "yes",  "no",      "on",
                                                   "off",  "none",  "auto", "enabled", "disabled"};
  std::string lower(value);
  std::ranges::transform(lower, lower.begin(), [](char c) { return is_letter(c) ? static_cast<char>(c | 0x20) : c; });
  return std::ranges::find(words, lower) != words.end();
}

}  // namespace

bool looks_secret(std::string_view name, std::string_view value) {
  if (holds_key(value)) return true;
  constexpr std::array<std::string_view, 8> hints{"PASSWORD", "PASSWD",      "PASSPHRASE", "SECRET",
                                                  "TOKEN",    "PRIVATE_KEY", "API_KEY",    "CREDENTIAL"};
  const bool named = std::ranges::any_of(hints, [&](std::string_view hint) { return name.find(hint) != name.npos; });
  constexpr std::array<std::string_view, 7> about{"_FILE", "_PATH", "_DIR", "_URL", "_TTL", "_TIMEOUT", "_NAME"};
  const bool elsewhere = std::ranges::any_of(about, [&](std::string_view end) { return name.ends_with(end); });
  if (!named || elsewhere || value.size() < 4 || value.starts_with('/')) return false;
  return !is_switch(value) && !std::ranges::all_of(value, is_digit);
}

bool looks_secret(std::string_view text) {
  if (holds_key(text)) return true;
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  if (text.size() < 8 || std::ranges::any_of(text, is_blank) || text.starts_with('/')) return false;
  return std::ranges::any_of(text, is_letter) && !std::ranges::all_of(text, is_letter);
}

}  // namespace hcrc::compiler

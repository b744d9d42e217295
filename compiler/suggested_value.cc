#include "compiler/suggested_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "compiler/toml_text.h"
#include "core/service.h"
#include "core/units.h"

namespace hcrc::compiler {

namespace {

constexpr std::size_t longest = 60;  // of a text that is repeated

bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= 18 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Of a text or a number: as a text.
std::optional<std::string> plain(const SyntaxNode& node) {
  if (node.kind == NodeKind::text && !node.text.empty() && node.text.size() <= longest) return node.text;
  if (node.kind == NodeKind::integer) return std::to_string(node.integer);
  if (node.kind == NodeKind::boolean) return node.boolean ? "true" : "false";
  return std::nullopt;
}

std::optional<std::string> boolean(const SyntaxNode& node) {
  constexpr std::array<std::string_view, 4> yes{"true", "yes", "on", "1"}, no{"false", "no", "off", "0"};
  const auto text = plain(node);
  if (text && std::ranges::find(yes, *text) != yes.end()) return "true";
  if (text && std::ranges::find(no, *text) != no.end()) return "false";
  return std::nullopt;
}

// The words of a command as a shell would find them; the shell itself where only it understands them.
std::optional<std::string> words(const SyntaxNode& node) {
  if (node.kind != NodeKind::text || node.text.size() > longest) return std::nullopt;
  if (node.text.find_first_of("'\"\\|&;<>()$`*?[#~") != std::string::npos) {
    return fmt::format("[\"/bin/sh\", \"-c\", {}]", toml_text(node.text));
  }
  std::string list;
  std::string_view rest = node.text;
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (rest.empty()) break;
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    list.append(list.empty() ? "" : ", ").append(toml_text(rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  if (list.empty()) return std::nullopt;
  return fmt::format("[{}]", list);
}

// The only element of a list.
const SyntaxNode* only_element(const SyntaxTree& tree, const SyntaxNode& node) {
  return node.kind == NodeKind::array && node.children == 1 ? &tree.children(node).front() : nullptr;
}

std::optional<std::string> quoted(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return toml_text(*text);
}

std::optional<std::string> list_of(const std::optional<std::string>& element) {
  if (!element) return std::nullopt;
  return fmt::format("[{}]", *element);
}

std::optional<std::string> number(const SyntaxNode& node) {
  if (node.kind == NodeKind::text && is_number(node.text)) return node.text;
  return std::nullopt;
}

std::optional<std::string> decimal(const SyntaxNode& node) {
  const std::size_t point = node.text.find('.');
  if (node.kind != NodeKind::text || point == std::string::npos) return number(node);
  const std::string_view text = node.text;
  const bool both = is_number(text.substr(0, point)) && is_number(text.substr(point + 1)) && text[point + 1] != '-';
  return both ? std::optional(node.text) : std::nullopt;
}

// 22 was meant as octal digits.
std::optional<std::string> octal(const SyntaxNode& node) {
  const auto text = plain(node);
  if (node.kind != NodeKind::integer || text->size() > 3 || text->find_first_not_of("01234567") != std::string::npos) {
    return std::nullopt;
  }
  return fmt::format("\"{:0>3}\"", *text);
}

// Numbers and the words behind them, without blanks, each word as `unit` says it; empty where there is anything else.
template <typename Unit>
std::string with_units(std::string_view text, const Unit& unit) {
  std::string out, word;
  const auto end_word = [&] {
    if (word.empty()) return true;
    const std::string_view known = unit(word);
    out.append(known);
    word.clear();
    return !known.empty();
  };
  for (const char c : text.substr(0, longest)) {
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (low >= 'a' && low <= 'z') {
      word.push_back(low);
    } else if (c == ' ' || c == '\t' || c == ',') {
      continue;
    } else if (c < '0' || c > '9' || !end_word()) {
      return {};
    } else {
      out.push_back(c);
    }
  }
  return end_word() ? out : std::string();
}

std::string_view time_unit(std::string_view word) {
  if (word == "ms" || word == "msec" || word == "millis" || word.starts_with("millisec")) return "ms";
  if (word == "s" || word == "sec" || word == "secs" || word == "second" || word == "seconds") return "s";
  if (word == "m" || word == "min" || word == "mins" || word == "minute" || word == "minutes") return "m";
  if (word == "h" || word == "hr" || word == "hrs" || word == "hour" || word == "hours") return "h";
  if (word == "d" || word == "day" || word == "days") return "d";
  return {};
}

std::string_view size_unit(std::string_view word) {
  constexpr std::string_view letters = "BKMGT", lower = "bkmgt";
  const std::size_t at = lower.find(word.front());
  if (at == std::string_view::npos || (word.size() > 1 && word.substr(1) != "b" && word.substr(1) != "ib")) return {};
  return letters.substr(at, 1);
}

}  // namespace

std::optional<std::string> suggested_duration(std::string_view text) {
  std::string plain = with_units(text, time_unit);
  if (text.size() > longest || !parse_duration(plain)) return std::nullopt;
  return plain;
}

std::optional<std::string> suggested_size(std::string_view text) {
  std::string plain = with_units(text, size_unit);
  if (text.size() > longest || !parse_size(plain)) return std::nullopt;
  return plain;
}

std::optional<std::string> suggested_value(const KeyRow& row, const SyntaxTree& tree, const SyntaxNode& node) {
  switch (row.kind) {
    case ValueKind::boolean: return boolean(node);
    case ValueKind::integer:
    case ValueKind::count: return number(node);
    case ValueKind::decimal: return decimal(node);
    case ValueKind::octal: return octal(node);
    case ValueKind::codes: return list_of(node.kind == NodeKind::integer ? plain(node) : number(node));
    case ValueKind::words: return words(node);
    case ValueKind::signal:
      if (node.kind != NodeKind::integer || node.integer < 1 || node.integer > signals::highest) return std::nullopt;
      if (const std::string_view name = signal_name(static_cast<int>(node.integer)); !name.empty()) return toml_text(name);
      return std::nullopt;
    case ValueKind::paths:
    case ValueKind::accounts:
    case ValueKind::services:
    case ValueKind::instances:
    case ValueKind::variable_names:
    case ValueKind::capabilities: return list_of(quoted(plain(node)));
    case ValueKind::text:
    case ValueKind::path:
    case ValueKind::account:
    case ValueKind::service:
      if (const SyntaxNode* element = only_element(tree, node)) return quoted(plain(*element));
      return quoted(plain(node));
    case ValueKind::choice:
    case ValueKind::duration:
    case ValueKind::path_or_paths:
    case ValueKind::tcp_address:
    case ValueKind::http_address:
    case ValueKind::variables:
    case ValueKind::literals:
    case ValueKind::limit:
    case ValueKind::size:
    case ValueKind::cpu_share: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace hcrc::compiler

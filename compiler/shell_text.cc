#include "compiler/shell_text.h"

#include <algorithm>
#include <array>
#include <string>

#include "compiler/template_text.h"
#include "compiler/toml_text.h"

namespace hcrc::compiler {

namespace {

// The last part of a path without variables.
std::string_view program(const Item& word) {
  const std::string* text = literal_text(word.text);
  return text == nullptr ? std::string_view() : std::string_view(*text).substr(text->rfind('/') + 1);
}

bool is_shell(std::string_view name) {
  constexpr std::array<std::string_view, 6> shells{"sh", "bash", "dash", "ash", "ksh", "zsh"};
  return std::ranges::find(shells, name) != shells.end();
}

}  // namespace

ShellVariable variable_in_shell_text(const Items& words) {
  std::size_t at = 0;
  if (at < words.size() && program(words[at]) == "busybox") ++at;
  if (at == words.size() || !is_shell(program(words[at]))) return {};
  // `-c` may stand behind other options, or among them: `-e -c`, `-ec`.
  for (++at; at + 1 < words.size(); ++at) {
    const std::string* option = literal_text(words[at].text);
    if (option == nullptr || option->size() < 2 || (*option)[0] != '-') return {};
    if ((*option)[1] == '-' || option->find('c') == std::string::npos) continue;
    const Item& text = words[at + 1];
    const auto is_variable = [](const TemplatePiece& piece) { return piece.kind != TemplatePiece::Kind::literal; };
    const auto found = std::ranges::find_if(text.text.pieces, is_variable);
    if (found == text.text.pieces.end()) return {};
    return {.name = found->text, .source = template_source({.pieces = {*found}}), .place = text.place};
  }
  return {};
}

}  // namespace hcrc::compiler

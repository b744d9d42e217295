#include "compiler/toml_bounds.h"

#include <algorithm>

namespace hcrc::compiler {

namespace {

class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  // Where it is too deep; npos where it is not.
  std::size_t run();

 private:
  bool at(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  void skip_comment() { at_ = std::min(text_.find('\n', at_), text_.size()); }
  void skip_text(char quote);
  void skip_line_text(char quote);

  std::string_view text_;
  std::size_t at_ = 0;
};

// A text in one line ends at its line's end at the latest: what is not closed there is a syntax error.
void Scan::skip_line_text(char quote) {
  for (++at_; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == '\n') return;
    if (c == quote) {
      ++at_;
      return;
    }
    if (c == '\\' && quote == '"') ++at_;
  }
  at_ = text_.size();
}

void Scan::skip_text(char quote) {
  const char fence[] = {quote, quote, quote};
  const std::string_view three(fence, 3);
  if (!at(three)) return skip_line_text(quote);
  for (at_ += 3; at_ < text_.size(); ++at_) {
    if (at(three)) {
      at_ += 3;
      // Up to two quotes may stand before the three that end it.
      for (int more = 0; more < 2 && at_ < text_.size() && text_[at_] == quote; ++more) ++at_;
      return;
    }
    if (text_[at_] == '\\' && quote == '"') ++at_;
  }
  at_ = text_.size();
}

std::size_t Scan::run() {
  std::uint32_t dots = 0;
  std::uint32_t depth = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '#') {
      skip_comment();
      continue;
    }
    if (c == '"' || c == '\'') {
      skip_text(c);
      continue;
    }
    if (c == '.') {
      if (++dots >= most_key_parts) return at_;
    } else if (c == '[' || c == '{') {
      dots = 0;
      if (++depth > most_nested) return at_;
    } else if (c == ']' || c == '}') {
      dots = 0;
      if (depth > 0) --depth;
    } else if (c == '=' || c == ',' || c == '\n') {
      dots = 0;
    }
    ++at_;
  }
  return std::string_view::npos;
}

}  // namespace

std::optional<Place> too_deep_place(std::string_view text, std::uint32_t file) {
  const std::size_t at = Scan(text).run();
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, at);
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  std::uint32_t column = 1;
  for (std::string_view line = before.substr(line_start); !line.empty(); ++column) {
    line.remove_prefix(next_code_point(line).bytes);
  }
  const auto lines = std::ranges::count(before, '\n');
  return Place{.file = file, .line = static_cast<std::uint32_t>(lines) + 1, .column = column, .length = 1};
}

}  // namespace hcrc::compiler

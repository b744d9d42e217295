#include "tests/stand_in/yaml.h"

#include <cstddef>
#include <vector>

namespace stand_in {
namespace {

constexpr int nesting_bound = 32;

struct Line {
  std::size_t number;
  std::size_t indent;
  std::string_view text;  // without indentation, comment and trailing blanks
};

struct Failure {
  std::size_t line;
  std::string what;
};
using Done = std::expected<void, Failure>;

std::unexpected<Failure> failure(std::size_t line, std::string what) {
  return std::unexpected(Failure{line, std::move(what)});
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Up to a `#` that begins a comment: outside quotes, at the start or after a blank.
std::string_view without_comment(std::string_view text) {
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == quote) quote = 0;
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text[i] == '#' && (i == 0 || is_blank(text[i - 1]))) {
      return text.substr(0, i);
    }
  }
  return text;
}

std::expected<std::vector<Line>, Failure> split_lines(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    std::size_t indent = 0;
    while (indent < line.size() && line[indent] == ' ') ++indent;
    line = without_comment(line.substr(indent));
    const bool tab = line.starts_with('\t');
    line = trim(line);
    if (line.empty() || line == "---") continue;
    if (tab) return failure(number, "a tab where blanks should indent");
    lines.push_back({number, indent, line});
  }
  return lines;
}

// Where the key of a block mapping's line ends: the first `:` outside quotes and brackets that a blank or the end follows.
std::size_t key_end(std::string_view text) {
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == quote) quote = 0;
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text[i] == '{' || text[i] == '[') {
      return std::string_view::npos;
    } else if (text[i] == ':' && (i + 1 == text.size() || is_blank(text[i + 1]))) {
      return i;
    }
  }
  return std::string_view::npos;
}

bool is_item(std::string_view text) { return text == "-" || text.starts_with("- "); }

class Parser {
 public:
  explicit Parser(std::vector<Line> lines) : lines_(std::move(lines)) {}

  std::expected<YamlScalars, Failure> parse() {
    if (!lines_.empty()) {
      if (Done done = block("", lines_.front().indent, 0); !done) return std::unexpected(done.error());
    }
    if (next_ < lines_.size()) return failure(lines_[next_].number, "indentation that fits nothing above it");
    return std::move(scalars_);
  }

 private:
  static std::string join(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : path + '.' + std::string(name);
  }

  // Everything at exactly `indent` from here on.
  Done block(const std::string& path, std::size_t indent, int depth) {
    if (depth > nesting_bound) return failure(lines_[next_].number, "nested too deeply");
    std::size_t index = 0;
    while (next_ < lines_.size() && lines_[next_].indent == indent) {
      Line& line = lines_[next_];
      if (is_item(line.text)) {
        if (Done done = item(join(path, std::to_string(index++)), indent, depth); !done) return done;
        continue;
      }
      const std::size_t colon = key_end(line.text);
      if (colon == std::string_view::npos) {
        ++next_;
        if (Done done = value(path, line.text, line.number); !done) return done;
        continue;
      }
      const std::string key = join(path, unquoted(trim(line.text.substr(0, colon))));
      const std::string_view rest = trim(line.text.substr(colon + 1));
      ++next_;
      if (!rest.empty()) {
        if (Done done = value(key, rest, line.number); !done) return done;
      } else if (Done done = below(key, indent, depth); !done) {
        return done;
      }
    }
    return {};
  }

  // "- key: value" is a mapping that begins two columns further in, whose first line lost its dash.
  Done item(const std::string& path, std::size_t indent, int depth) {
    Line& line = lines_[next_];
    const std::string_view rest = trim(line.text.substr(1));
    if (rest.empty()) {
      ++next_;
      return below(path, indent, depth);
    }
    const std::size_t inner = indent + static_cast<std::size_t>(rest.data() - line.text.data());
    line.indent = inner;
    line.text = rest;
    return block(path, inner, depth + 1);
  }

  // What lies deeper than a key or dash without a value; a sequence may stand at its key's own depth.
  Done below(const std::string& path, std::size_t indent, int depth) {
    if (next_ == lines_.size()) return {};
    const Line& line = lines_[next_];
    if (line.indent > indent || (line.indent == indent && is_item(line.text) && !path.empty() && !in_sequence(path))) {
      return block(path, line.indent, depth + 1);
    }
    return {};
  }

  static bool in_sequence(const std::string& path) { return path.back() >= '0' && path.back() <= '9'; }

  // A value on one line, or a flow collection that may go on over the next lines.
  Done value(const std::string& path, std::string_view text, std::size_t number) {
    if (text.front() != '{' && text.front() != '[') {
      if ((text.front() == '"' || text.front() == '\'') && (text.size() < 2 || text.back() != text.front())) {
        return failure(number, "a quote that is never closed");
      }
      scalars_[path] = unquoted(text);
      return {};
    }
    std::string flow(text);
    while (!closed(flow)) {
      if (next_ == lines_.size()) return failure(number, "a bracket that is never closed");
      flow += ' ';
      flow += lines_[next_++].text;
    }
    std::string_view rest = flow;
    if (Done done = flow_value(path, rest, number, 0); !done) return done;
    return trim(rest).empty() ? Done{} : failure(number, "text after the closing bracket");
  }

  static bool closed(std::string_view flow) {
    int open = 0;
    char quote = 0;
    for (char c : flow) {
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '{' || c == '[') {
        ++open;
      } else if (c == '}' || c == ']') {
        --open;
      }
    }
    return open <= 0;
  }

  Done flow_value(const std::string& path, std::string_view& rest, std::size_t number, int depth) {
    if (depth > nesting_bound) return failure(number, "nested too deeply");
    rest = trim(rest);
    if (rest.empty()) return failure(number, "a value is missing");
    if (rest.front() == '{' || rest.front() == '[') return flow_collection(path, rest, number, depth);
    scalars_[path] = unquoted(take_scalar(rest, ",}]"));
    return {};
  }

  Done flow_collection(const std::string& path, std::string_view& rest, std::size_t number, int depth) {
    const bool mapping = rest.front() == '{';
    const char end = mapping ? '}' : ']';
    rest.remove_prefix(1);
    for (std::size_t index = 0;; ++index) {
      rest = trim(rest);
      if (rest.empty()) return failure(number, "a bracket that is never closed");
      if (rest.front() == end) break;
      std::string name = std::to_string(index);
      if (mapping) {
        name = unquoted(take_scalar(rest, ":,}"));
        if (rest.empty() || rest.front() != ':') return failure(number, "`" + name + "` has no value");
        rest.remove_prefix(1);
      }
      if (Done done = flow_value(join(path, name), rest, number, depth + 1); !done) return done;
      rest = trim(rest);
      if (!rest.empty() && rest.front() == ',') rest.remove_prefix(1);
    }
    rest.remove_prefix(1);
    return {};
  }

  // A plain or quoted scalar up to one of `ends`; a `:` inside, as in a URL, does not end a value.
  static std::string_view take_scalar(std::string_view& rest, std::string_view ends) {
    rest = trim(rest);
    std::size_t size = 0;
    if (!rest.empty() && (rest.front() == '"' || rest.front() == '\'')) {
      size = rest.find(rest.front(), 1);
      size = size == std::string_view::npos ? rest.size() : size + 1;
    }
    while (size < rest.size() && !ends.contains(rest[size])) ++size;
    const std::string_view scalar = trim(rest.substr(0, size));
    rest.remove_prefix(size);
    return scalar;
  }

  static std::string unquoted(std::string_view text) {
    if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front()) {
      text = text.substr(1, text.size() - 2);
    }
    return std::string(text);
  }

  std::vector<Line> lines_;
  std::size_t next_ = 0;
  YamlScalars scalars_;
};

}  // namespace

std::expected<YamlScalars, std::string> parse_yaml(std::string_view text) {
  auto describe = [](const Failure& failed) { return "line " + std::to_string(failed.line) + ": " + failed.what; };
  auto lines = split_lines(text);
  if (!lines) return std::unexpected(describe(lines.error()));
  auto scalars = Parser(std::move(*lines)).parse();
  if (!scalars) return std::unexpected(describe(scalars.error()));
  return std::move(*scalars);
}

}  // namespace stand_in

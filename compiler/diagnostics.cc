#include "compiler/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace hcrc::compiler {

namespace {

bool comes_before(const Diagnostic& a, const Diagnostic& b) {
  return std::tie(a.place, a.code, a.message) < std::tie(b.place, b.code, b.message);
}

}  // namespace

void Diagnostics::add(Code code, Place place, std::string message, std::vector<Note> notes) {
  Kept& kind = severity(code) == Severity::error ? errors_ : warnings_;
  ++kind.count;
  Diagnostic diagnostic{.code = code, .place = place, .message = std::move(message), .notes = std::move(notes)};
  if (kind.heap.size() == kept) {
    if (!comes_before(diagnostic, kind.heap.front())) return;
    std::ranges::pop_heap(kind.heap, comes_before);
    kind.heap.pop_back();
  }
  kind.heap.push_back(std::move(diagnostic));
  std::ranges::push_heap(kind.heap, comes_before);
}

void Diagnostics::add_all(Diagnostics&& others) {
  for (Kept* kind : {&others.errors_, &others.warnings_}) {
    (kind == &others.errors_ ? errors_ : warnings_).count += kind->count - kind->heap.size();
    for (Diagnostic& one : kind->heap) add(one.code, one.place, std::move(one.message), std::move(one.notes));
  }
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<Diagnostic> all = errors_.heap;
  all.insert(all.end(), warnings_.heap.begin(), warnings_.heap.end());
  std::ranges::sort(all, comes_before);
  return all;
}

namespace {

constexpr std::size_t quoted_points = 72;  // of a text in a message
constexpr std::size_t shown_points = 120;  // of a line, around the caret
constexpr std::ptrdiff_t shown_notes = 2;  // with their lines; where there are more, only the places are told

void append_escaped(std::string& out, std::string_view bytes, const CodePoint& point) {
  if (point.valid && !is_hidden(point.value)) {
    out.append(bytes.substr(0, point.bytes));
  } else if (point.value == U'\n') {
    out.append("\\n");
  } else if (point.value == U'\t') {
    out.append("\\t");
  } else if (!point.valid || point.value < 0x80) {
    out.append(fmt::format("\\x{:02x}", static_cast<unsigned>(point.value)));
  } else {
    out.append(fmt::format("\\u{{{:x}}}", static_cast<unsigned>(point.value)));
  }
}

struct Colours {
  std::string_view bold, error, warning, note, caret, end;
};
constexpr Colours no_colours{};
constexpr Colours terminal_colours{.bold = "\x1b[1m",
                                   .error = "\x1b[1;31m",
                                   .warning = "\x1b[1;35m",
                                   .note = "\x1b[1;36m",
                                   .caret = "\x1b[1;32m",
                                   .end = "\x1b[0m"};

std::string place_text(const Place& place, const Sources& sources) {
  if (place.file == Place::no_file) return {};
  const std::string path = harmless(sources[place.file].path());
  return fmt::format("{}:{}:{}: ", path, std::max(place.line, 1u), std::max(place.column, 1u));
}

// The line, and below it the caret. Every code point takes one column, so a tab and what is hidden are shown as one. Of a
// long line only what lies around the caret is shown.
std::string excerpt(const Place& place, std::string_view line, const Colours& colours) {
  const std::size_t column = place.column == 0 ? 1 : place.column;
  const std::size_t first = column > shown_points * 3 / 4 ? column - shown_points / 2 : 1;
  std::string shown;
  std::size_t at = 1;
  for (; !line.empty() && at < first + shown_points; ++at) {
    const CodePoint point = next_code_point(line);
    if (at >= first) {
      if (point.value == U'\t') {
        shown.push_back(' ');
      } else if (!point.valid || is_hidden(point.value)) {
        shown.append("\uFFFD");
      } else {
        shown.append(line.substr(0, point.bytes));
      }
    }
    line.remove_prefix(point.bytes);
  }
  const std::string_view before = first > 1 ? "..." : "";
  const std::size_t room = at > column ? at - column : 1;
  const std::size_t tildes = std::min<std::size_t>(std::max<std::size_t>(place.length, 1), room) - 1;
  return fmt::format("{:>5} | {}{}{}\n      | {}{}^{}{}\n", place.line, before, shown, line.empty() ? "" : "...",
                     std::string(before.size() + column - first, ' '), colours.caret, std::string(tildes, '~'), colours.end);
}

std::string diagnostic_text(const Diagnostic& diagnostic, const Sources& sources, const Colours& colours) {
  const bool is_error = severity(diagnostic.code) == Severity::error;
  const Place& place = diagnostic.place;
  std::string text = fmt::format("{}{}{}{}:{} {} [{}]\n", colours.bold, place_text(place, sources),
                                 is_error ? colours.error : colours.warning, is_error ? "error" : "warning", colours.end,
                                 diagnostic.message, row(diagnostic.code).id);
  if (place.file != Place::no_file && place.line != 0) {
    text.append(excerpt(place, sources[place.file].line(place.line), colours));
  }
  const auto has_line = [](const Note& note) { return note.place.file != Place::no_file && note.place.line != 0; };
  const bool few = std::ranges::count_if(diagnostic.notes, has_line) <= shown_notes;
  for (const Note& note : diagnostic.notes) {
    text.append(fmt::format("  {}{}note:{} {}\n", place_text(note.place, sources), colours.note, colours.end, note.text));
    if (few && has_line(note) && note.place != place)
      text.append(excerpt(note.place, sources[note.place.file].line(note.place.line), colours));
  }
  return text;
}

}  // namespace

// Unicode's bidirectional controls, zero-width characters, line and paragraph separators, the byte order mark, private
// noncharacters.
bool is_hidden(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0xAD || (point >= 0x200B && point <= 0x200F) ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2060 && point <= 0x206F) || point == 0xFEFF ||
         (point >= 0xFFF9 && point <= 0xFFFB) || (point >= 0xE0000 && point <= 0xE0FFF);
}

std::string harmless(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const CodePoint point = next_code_point(text);
    append_escaped(out, text, point);
    text.remove_prefix(point.bytes);
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (std::size_t points = 0; !text.empty(); ++points) {
    if (points == quoted_points) {
      out.append("...");
      break;
    }
    const CodePoint point = next_code_point(text);
    append_escaped(out, text, point);
    text.remove_prefix(point.bytes);
  }
  return out.append("\"");
}

std::string diagnostics_text(const Diagnostics& diagnostics, const Sources& sources, bool colours) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics.sorted()) {
    text.append(diagnostic_text(diagnostic, sources, colours ? terminal_colours : no_colours));
  }
  const auto more = [&](std::size_t count, std::string_view what) {
    if (count > Diagnostics::kept) text.append(fmt::format("{} more {} are not shown\n", count - Diagnostics::kept, what));
  };
  more(diagnostics.errors(), "errors");
  more(diagnostics.warnings(), "warnings");
  return text;
}

}  // namespace hcrc::compiler

// What was found in the definitions, collected from all files and stages of one run.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diagnostic_codes.h"
#include "compiler/source_file.h"

namespace hcrc::compiler {

// What would be right, or another place that belongs to the matter.
struct Note {
  std::string text;
  Place place = {};  // of no file: about no place
};

struct Diagnostic {
  Code code{};
  Place place;
  std::string message;
  std::vector<Note> notes = {};
};

// Keeps the first `kept` errors and as many warnings, by file and line, whatever the order in which they come; the others
// are counted. So hostile definitions cost no memory beyond their own.
class Diagnostics {
 public:
  static constexpr std::size_t kept = 1'000;

  void add(Code code, Place place, std::string message, std::vector<Note> notes = {});

  // What another part of the same run found.
  void add_all(Diagnostics&& others);

  std::size_t errors() const { return errors_.count; }
  std::size_t warnings() const { return warnings_.count; }
  // Those that were kept, errors and warnings together, sorted by file, line and column.
  std::vector<Diagnostic> sorted() const;

 private:
  struct Kept {
    std::vector<Diagnostic> heap;  // the last one by place on top
    std::size_t count = 0;
  };
  Kept errors_;
  Kept warnings_;
};

// The diagnostics as text, ready for the console:
//
//     services.d/web.toml:3:1: error: there is no key "comand" [E020]
//         3 | comand = ["web"]
//           | ^~~~~~
//       note: did you mean "command"?
//
// A note about another place shows its line too, where there are few of them.
// Whatever the definitions hold, the text has no control character but line ends and the colours that were asked for.
std::string diagnostics_text(const Diagnostics& diagnostics, const Sources& sources, bool colours);

// A text of the user's in quotes, for a message: cut where it is long, and without anything that a terminal would take for a
// command or that hides what is there.
std::string in_quotes(std::string_view text);
// The same without quotes.
std::string harmless(std::string_view text);
// Controls, and what reorders, hides or breaks a line of a terminal.
bool is_hidden(char32_t point);

}  // namespace hcrc::compiler

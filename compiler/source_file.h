// What the user wrote: files, and places in them. Every value that the compiler reads keeps its place from here to the last
// diagnostic that may be about it.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hcrc::compiler {

// A stretch of one line of one file. Lines and columns count from 1, columns in code points (a byte order mark is none).
struct Place {
  static constexpr std::uint32_t no_file = UINT32_MAX;

  std::uint32_t file = no_file;  // index into Sources
  std::uint32_t line = 0;        // 0: the file as a whole; shown as 1:1, without a line
  std::uint32_t column = 0;
  std::uint32_t length = 0;  // in code points; 0 where it is not known or goes beyond the line

  friend auto operator<=>(const Place&, const Place&) = default;
};

class SourceFile {
 public:
  // `path` is the file as the user would name it: the folder that was given, and the name in it. The text may be any bytes.
  SourceFile(std::string path, std::string text);

  const std::string& path() const { return path_; }
  // Without the byte order mark.
  std::string_view text() const { return std::string_view(text_).substr(begin_); }
  // Without its end; empty where there is no such line. Looks through the text: for diagnostics, whose number is bounded.
  std::string_view line(std::uint32_t number) const;

 private:
  std::string path_;
  std::string text_;
  std::size_t begin_ = 0;
};

using Sources = std::vector<SourceFile>;

// The place of the first byte of `text` that is no UTF-8 (RFC 3629: no overlong forms, no surrogates), with `file` in it;
// or one with line 0 where all of it is.
Place first_bad_utf8(std::string_view text, std::uint32_t file);

// One code point, or one byte that begins none. Needs a text that is not empty.
struct CodePoint {
  char32_t value = 0;
  std::uint32_t bytes = 1;
  bool valid = false;
};
CodePoint next_code_point(std::string_view text);

}  // namespace hcrc::compiler

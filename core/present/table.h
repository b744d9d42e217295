// Text for a terminal of 100 columns. Widths count code points.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hcrc::present {

inline constexpr std::size_t columns = 100;

// Makes text harmless on a terminal: control characters become "?".
std::string visible(std::string_view text);

// Appends `text`, broken at blanks so that no line passes the last column; lines after the first begin with `indent` blanks.
// The first begins where `out` ends. A word that is longer than a line is broken anywhere.
void put_wrapped(std::string& out, std::string_view text, std::size_t indent);

// Appends `text`, then blanks up to `width`; at least two.
void put_cell(std::string& out, std::string_view text, std::size_t width);

// "a, b, c and 4 more", of at most `most` names; "nothing" where there are none.
std::string listed(const std::vector<std::string_view>& names, std::size_t most);

}  // namespace hcrc::present

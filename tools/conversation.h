// One request to a runtime and its answer: connect, send a line, take lines until the result. A connection serves one
// request. The peer's bytes are not trusted: lines are bounded and must be JSON objects.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "tools/runtime_search.h"

namespace hcrc {

struct Patience {
  using Clock = std::chrono::steady_clock;
  Clock::time_point until = Clock::time_point::max();  // for the whole
  std::chrono::milliseconds silence{0};                // without a byte of answer; 0: any
};

struct Ending {
  enum class Kind : std::uint8_t {
    answered,     // with the result's code and text
    unreachable,  // no runtime: the text says where was looked and why not
    lost,         // the runtime went away before it answered
    timed_out,
    broken,  // what came is no answer
  };
  Kind kind = Kind::answered;
  std::uint8_t code = 0;  // for exit()
  std::string text;
};

// Called with each line before the result.
using TakeLine = std::function<void(const JsonValue& line)>;

// `request` without its newline.
Ending converse(const RuntimeSearch& search, std::string_view request, const Patience& patience, const TakeLine& take);

}  // namespace hcrc

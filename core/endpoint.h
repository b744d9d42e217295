// The address of a tcp or http check: `HOST:PORT[/PATH]`, HOST a name, an IPv4 address, or an IPv6 address in brackets.
// Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace hcrc {

struct Endpoint {
  std::string_view host{};  // without the brackets
  bool bracketed = false;
  std::uint16_t port = 0;
  std::string_view path{};  // with its `/`; empty where there is none
};

// Views of `text`. An error is a sentence that says what is missing.
[[nodiscard]] std::expected<Endpoint, std::string_view> parse_endpoint(std::string_view text);

}  // namespace hcrc

#include "core/endpoint.h"

#include <algorithm>
#include <charconv>

namespace hcrc {

std::expected<Endpoint, std::string_view> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::unexpected("the ] of the address is missing");
    endpoint.host = text.substr(1, close - 1);
    endpoint.bracketed = true;
    text.remove_prefix(close + 1);
  } else {
    const std::size_t end = std::min(text.find_first_of(":/"), text.size());
    endpoint.host = text.substr(0, end);
    text.remove_prefix(end);
  }
  if (endpoint.host.empty()) return std::unexpected("the host is missing: HOST:PORT");
  if (!text.starts_with(':')) return std::unexpected("the port is missing: HOST:PORT");

  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view port = text.substr(1, slash - 1);
  endpoint.path = text.substr(slash);
  if (!endpoint.bracketed && port.find(':') != std::string_view::npos) {
    return std::unexpected("an IPv6 address stands in brackets: [::1]:PORT");
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size() || endpoint.port == 0) {
    return std::unexpected("the port is a number from 1 to 65535");
  }
  // What would not stand in a request line as it is.
  const auto stray = [](char character) { return static_cast<unsigned char>(character) <= 0x20 || character == 0x7F; };
  if (std::any_of(endpoint.path.begin(), endpoint.path.end(), stray)) {
    return std::unexpected("the path holds a blank or a control character");
  }
  return endpoint;
}

}  // namespace hcrc

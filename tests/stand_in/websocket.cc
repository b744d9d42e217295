#include "tests/stand_in/websocket.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace stand_in {
namespace {

using Digest = std::array<std::uint8_t, 20>;

// SHA-1 (FIPS 180-4); the handshake demands it.
Digest sha1(std::string message) {
  const std::uint64_t bits = message.size() * 8;
  message += '\x80';
  while (message.size() % 64 != 56) message += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) message += static_cast<char>(bits >> shift & 0xff);
  std::array<std::uint32_t, 5> h{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  for (std::size_t block = 0; block < message.size(); block += 64) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 64; ++i) w[i / 4] = w[i / 4] << 8 | static_cast<std::uint8_t>(message[block + i]);
    for (std::size_t i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = h;
    for (std::size_t i = 0; i < 80; ++i) {
      std::uint32_t f = b ^ c ^ d;
      std::uint32_t k = i < 40 ? 0x6ed9eba1 : 0xca62c1d6;
      if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999;
      if (i >= 40 && i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
      const std::uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
      e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  Digest digest{};
  for (std::size_t i = 0; i < 20; ++i) digest[i] = static_cast<std::uint8_t>(h[i / 4] >> (24 - i % 4 * 8) & 0xff);
  return digest;
}

std::string base64(const Digest& bytes) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (i + j < bytes.size() ? bytes[i + j] : 0U);
    for (int shift = 18; shift >= 0; shift -= 6) text += letters[group >> shift & 63];
  }
  text.back() = '=';  // twenty bytes leave one place of the last group empty
  return text;
}

bool same_letters(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// The value of a header field, empty where there is none.
std::string_view header(std::string_view request, std::string_view name) {
  while (!request.empty()) {
    const std::size_t end = request.find('\n');
    std::string_view line = request.substr(0, end);
    request.remove_prefix(end == std::string_view::npos ? request.size() : end + 1);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !same_letters(line.substr(0, colon), name)) continue;
    line.remove_prefix(colon + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    return line;
  }
  return {};
}

}  // namespace

std::string handshake_answer(std::string_view request) {
  if (!request.starts_with("GET ") || !same_letters(header(request, "Upgrade"), "websocket")) return {};
  if (header(request, "Origin").empty()) return "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
  const std::string key(header(request, "Sec-WebSocket-Key"));
  return "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: " +
         base64(sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) + "\r\n\r\n";
}

}  // namespace stand_in

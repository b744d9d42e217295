// FNV-1a, 64 bits (the constants are those of its authors, http://www.isthe.com/chongo/tech/comp/fnv/). It notices damage
// and tells contents apart; it is no signature: whoever wants to can make two contents with the same hash.
//
// Why every single changed byte is noticed: a step takes the state h to (h ^ byte) * prime modulo 2^64. For a fixed byte
// that is one-to-one, since the prime is odd; so two states that differ stay different through all steps that follow. And
// for a fixed h, two different bytes give two different results. Two inputs of one length that differ in a single byte thus
// have the same state before it, different ones behind it, and different ones at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace hcrc {

class Fnv1a64 {
 public:
  void bytes(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) step(static_cast<std::uint8_t>(byte));
  }
  // Eight bytes, lowest first, so that the hash does not depend on the machine.
  void number(std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8) step(static_cast<std::uint8_t>(number >> shift));
  }
  // Its length goes first, so that "ab", "c" is another input than "a", "bc".
  void text(std::string_view text) {
    number(text.size());
    bytes(std::as_bytes(std::span(text)));
  }
  std::uint64_t value() const { return state_; }

 private:
  void step(std::uint8_t byte) { state_ = (state_ ^ byte) * 0x100000001b3; }

  std::uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace hcrc

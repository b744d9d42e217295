// Text without allocation: a string of bounded length, and a writer that puts pieces into a bounded buffer. What does not
// fit is cut off at the end; both stay valid text and never fail.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace hcrc {

// A string that lives inside its owner: at most `capacity` bytes.
template <std::size_t capacity>
class FixedText {
 public:
  FixedText() = default;
  FixedText(std::string_view text) { assign(text); }

  void assign(std::string_view text) {
    length_ = text.size() < capacity ? text.size() : capacity;
    if (length_ != 0) std::memcpy(bytes_.data(), text.data(), length_);
  }
  void clear() { length_ = 0; }
  std::string_view view() const { return {bytes_.data(), length_}; }
  bool empty() const { return length_ == 0; }
  friend bool operator==(const FixedText& a, const FixedText& b) { return a.view() == b.view(); }

 private:
  std::array<char, capacity> bytes_{};
  std::size_t length_ = 0;
};

// Takes off what is before the next separator, and that one; all where there is none.
inline std::string_view take_until(char separator, std::string_view& text) {
  const std::size_t end = text.find(separator);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

// Puts pieces one behind the other into a buffer that somebody else owns.
class TextWriter {
 public:
  explicit TextWriter(std::span<char> buffer) : buffer_(buffer) {}

  TextWriter& put(std::string_view text) {
    const std::size_t room = buffer_.size() - length_;
    const std::size_t taken = text.size() < room ? text.size() : room;
    if (taken != 0) std::memcpy(buffer_.data() + length_, text.data(), taken);
    length_ += taken;
    cut_ = cut_ || taken < text.size();
    return *this;
  }
  TextWriter& put(char character) { return put(std::string_view(&character, 1)); }
  template <std::integral Number>
  TextWriter& number(Number value) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return put(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  }

  std::string_view view() const { return {buffer_.data(), length_}; }
  bool cut() const { return cut_; }

 private:
  std::span<char> buffer_;
  std::size_t length_ = 0;
  bool cut_ = false;
};

}  // namespace hcrc

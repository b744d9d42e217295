// The stand-in's keystore: nothing secret in it, only what tells whether the same passphrase came again.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace stand_in {

// One line from `fd`, without its newline or a carriage return before it; the end of the stream ends it, too. At most 512
// bytes are taken. Reads no byte past the newline.
std::string read_passphrase(int fd);

// Makes the keystore at the first start, afterwards compares. An error is a sentence.
[[nodiscard]] std::expected<void, std::string> open_keystore(const std::string& folder, std::string_view passphrase);

}  // namespace stand_in

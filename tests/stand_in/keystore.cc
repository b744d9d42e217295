#include "tests/stand_in/keystore.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "tests/stand_in/files.h"

namespace stand_in {
namespace {

// FNV-1a, many times over: this guards no secret, it recognises a line.
std::string mark(std::string_view salt, std::string_view passphrase) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto take = [&hash](std::string_view bytes) {
    for (char c : bytes) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  };
  for (int round = 0; round < 1000; ++round) {
    take(salt);
    take(passphrase);
  }
  return std::to_string(hash);
}

}  // namespace

std::string read_passphrase(int fd) {
  constexpr std::size_t most = 512;
  std::string line;
  for (char c = 0; line.size() < most;) {
    const ssize_t size = read(fd, &c, 1);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 || c == '\n') break;
    line += c;
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::expected<void, std::string> open_keystore(const std::string& folder, std::string_view passphrase) {
  // The real one's socket lies here; sockaddr_un holds 108 bytes.
  if (folder.size() + std::strlen("/socket") > 107) {
    return std::unexpected(folder + ": path must be shorter than SUN_LEN");
  }
  if (!make_folders(folder, 0755)) return std::unexpected(folder + ": " + std::strerror(errno));
  const std::string path = folder + "/stand-in-passphrase";
  const auto kept = read_file(path);
  if (!kept) {
    if (errno != ENOENT) return std::unexpected(path + ": " + std::strerror(errno));
    const std::string salt = std::to_string(getpid()) + '-' + std::to_string(reinterpret_cast<std::uintptr_t>(&path));
    if (write_file(path, salt + ' ' + mark(salt, passphrase) + '\n', 0600)) return {};
    return std::unexpected(path + ": " + std::strerror(errno));
  }
  const std::string salt = kept->substr(0, kept->find(' '));
  if (*kept == salt + ' ' + mark(salt, passphrase) + '\n') return {};
  return std::unexpected(std::string(R"(Failed to spawn Lair keystore in process: {"error":"Other","message":"internal"})"));
}

}  // namespace stand_in

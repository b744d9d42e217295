#include "core/runtime/database_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/bounds.h"
#include "core/runtime/fork_memory.h"
#include "core/system/descriptor.h"

namespace hcrc {

namespace {

std::string failed(const std::string& path, int error) { return fmt::format("{}: {}", path, std::strerror(error)); }

}  // namespace

std::expected<Database, std::string> read_database(const std::string& path) {
  // O_NONBLOCK: a FIFO must not keep us waiting for a writer.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) {
    const int error = errno;
    if (error == ENOENT)
      return std::unexpected(fmt::format("{}: there is no database: compile one with hcrc-compile -o {}", path, path));
    return std::unexpected(failed(path, error));
  }
  struct stat facts{};
  if (fstat(file.get(), &facts) != 0) return std::unexpected(failed(path, errno));
  if (!S_ISREG(facts.st_mode)) return std::unexpected(fmt::format("{}: is no regular file", path));
  if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return std::unexpected(fmt::format("{}: group or others may write it: chmod go-w it", path));
  }
  if (facts.st_uid != 0 && facts.st_uid != geteuid()) {
    return std::unexpected(
        fmt::format("{}: belongs to uid {}, neither root nor the runtime's own: chown it", path, facts.st_uid));
  }
  if (facts.st_size > static_cast<off_t>(bounds::database_bytes)) {
    return std::unexpected(
        fmt::format("{}: {} bytes, but a database has at most {}", path, facts.st_size, bounds::database_bytes));
  }
  Database::Bytes bytes(static_cast<std::size_t>(facts.st_size), &shared_memory());
  std::size_t length = 0;
  while (length < bytes.size()) {
    const ssize_t got = read(file.get(), bytes.data() + length, bytes.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(failed(path, errno));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  bytes.resize(length);
  auto database = Database::load(std::move(bytes));
  if (!database) return std::unexpected(fmt::format("{}: {}", path, database.error().sentence));
  return std::move(*database);
}

}  // namespace hcrc

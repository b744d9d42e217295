// Small files, read and written whole; and lines to a descriptor.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace stand_in {

// Up to 1 MiB; nothing where it cannot be read (errno says why).
std::optional<std::string> read_file(const std::string& path);

// False with errno. write_file makes or empties the file first.
bool write_file(const std::string& path, std::string_view text, mode_t mode);
bool append_file(const std::string& path, std::string_view text);

// Writes it all, waiting as long as the reader makes it wait, as the real conductor does.
bool write_all(int fd, std::string_view text);

// Makes a folder and those above it; false with errno.
bool make_folders(const std::string& path, mode_t mode);

void say(std::string_view line);       // stdout
void complain(std::string_view line);  // stderr

}  // namespace stand_in

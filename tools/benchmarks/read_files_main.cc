// read-files DIR: reads every file of a folder and does nothing with it. What reading alone takes is the measure of what
// reads the same files and works on them.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

int main(int argc, char** argv) {
  DIR* folder = argc == 2 ? ::opendir(argv[1]) : nullptr;
  if (folder == nullptr) {
    std::fprintf(stderr, "read-files: give it a folder\n");
    return 100;
  }
  static char buffer[1 << 16];
  long long bytes = 0;
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    const int file = ::openat(::dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 111;
    while (true) {
      const ssize_t got = ::read(file, buffer, sizeof buffer);
      if (got <= 0) break;
      bytes += got;
    }
    ::close(file);
  }
  std::printf("%lld bytes\n", bytes);
  return 0;
}

#include "core/runtime/run_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include "core/run_places.h"
#include "core/system/same_file.h"

namespace hcrc {

namespace {

constexpr mode_t folder_mode = 0755;

RunDirError unavailable(std::string sentence) {
  return {.kind = RunDirError::Kind::unavailable, .pid = 0, .sentence = std::move(sentence)};
}

std::unexpected<RunDirError> no_folder(const std::string& path, std::string_view why) {
  return std::unexpected(unavailable(path + ": " + std::string(why)));
}

std::unexpected<RunDirError> no_folder(const std::string& path, int error) { return no_folder(path, std::strerror(error)); }

bool is_link(int folder, const std::string& name) {
  struct stat status{};
  return fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

struct Folder {
  Descriptor descriptor;
  bool made = false;
};

// Opens one step of a path through no link, after making it where that is asked for and there is none.
std::expected<Folder, RunDirError> step(int above, const std::string& name, bool make, int flags, const std::string& path) {
  Folder folder;
  folder.made = make && mkdirat(above, name.c_str(), folder_mode) == 0;
  const int make_error = make && !folder.made ? errno : EEXIST;
  folder.descriptor.reset(openat(above, name.c_str(), flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (folder.descriptor) return folder;
  const int error = errno;
  if (is_link(above, name)) return no_folder(path, "a link, and a run dir is reached through none: name the folder itself");
  return no_folder(path, error == ENOENT ? (make_error == EEXIST ? ENOENT : make_error) : error);
}

std::expected<Folder, RunDirError> open_folder(const std::string& path, bool make_parents) {
  Folder folder{.descriptor = Descriptor(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)), .made = false};
  if (!folder.descriptor) return no_folder("/", errno);
  std::size_t at = 0;
  while ((at = path.find_first_not_of('/', at)) != std::string::npos) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const bool last = path.find_first_not_of('/', end) == std::string::npos;
    auto next = step(folder.descriptor.get(), path.substr(at, end - at), last || make_parents, last ? O_RDONLY : O_PATH,
                     path.substr(0, end));
    if (!next) return next;
    folder = std::move(*next);
    at = end;
  }
  return folder;
}

bool exists(int folder, std::string_view name) {
  struct stat status{};
  return fstatat(folder, std::string(name).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

bool is_empty(int folder) {
  Descriptor listing(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* entries = listing ? fdopendir(listing.get()) : nullptr;
  if (entries == nullptr) return false;
  listing.release();  // closedir() closes it
  bool empty = true;
  while (const dirent* entry = readdir(entries)) {
    const std::string_view name = entry->d_name;
    empty = empty && (name == "." || name == "..");
  }
  closedir(entries);
  return empty;
}

// Ours, and nobody else can put anything into it. A folder that was there already gets its mode only where it is a run dir
// or empty: who names /tmp or a home keeps them as they are.
std::expected<void, RunDirError> claim(const Folder& folder, const std::string& path) {
  const int fd = folder.descriptor.get();
  struct stat status{};
  if (fstat(fd, &status) != 0) return no_folder(path, errno);
  if (status.st_uid != geteuid()) {
    return no_folder(path, "belongs to uid " + std::to_string(status.st_uid) + ", not to this runtime's");
  }
  if ((status.st_mode & 07777) == folder_mode) return {};
  if (!folder.made && !exists(fd, run_dir_file::lock) && !is_empty(fd)) {
    return no_folder(path, "holds other things, and its mode is not 0755: name a folder that is for hcrc alone");
  }
  if (fchmod(fd, folder_mode) != 0) return no_folder(path, errno);
  return {};
}

pid_t pid_in(int lock) {
  std::array<char, 16> text;
  const ssize_t length = pread(lock, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (length > 0) std::from_chars(text.data(), text.data() + length, pid);
  return pid;
}

RunDirError occupied(const std::string& path, pid_t pid, pid_t written) {
  std::string who = "another runtime lives in " + path;
  if (pid > 0) {
    who += ", pid " + std::to_string(pid);
  } else if (written > 0) {
    who += ", pid " + std::to_string(written) + " of another PID namespace";
  }
  return {.kind = RunDirError::Kind::occupied,
          .pid = pid > 0 ? pid : written,
          .sentence = who + ": stop it, or name another run dir"};
}

// Whether RUN_DIR/lock is still the file that was opened.
bool still_there(int folder, int lock) { return still_names(folder, std::string(run_dir_file::lock).c_str(), lock); }

std::expected<Descriptor, RunDirError> open_lock(int folder, const std::string& path) {
  const std::string file = path + '/' + std::string(run_dir_file::lock);
  Descriptor lock(openat(folder, std::string(run_dir_file::lock).c_str(),
                         O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
  if (!lock) return no_folder(file, errno == ELOOP ? "a link, which is never followed: remove it" : std::strerror(errno));
  struct stat status{};
  if (fstat(lock.get(), &status) != 0) return no_folder(file, errno);
  if (!S_ISREG(status.st_mode)) return no_folder(file, "no regular file: remove it");
  return lock;
}

std::expected<Descriptor, RunDirError> lock_folder(int folder, const std::string& path) {
  // More than one round only where another runtime goes, or somebody clears the folder, at this very moment.
  for (int round = 0; round < 10; ++round) {
    auto lock = open_lock(folder, path);
    if (!lock) return lock;
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (fcntl(lock->get(), F_SETLK, &whole) == 0) {
      if (!still_there(folder, lock->get())) continue;
      const std::string pid = std::to_string(getpid()) + '\n';
      // The lock is what counts; where the disk is full nobody can read who holds it.
      if (ftruncate(lock->get(), 0) == 0) [[maybe_unused]]
        const ssize_t written = pwrite(lock->get(), pid.data(), pid.size(), 0);
      return lock;
    }
    if (errno != EAGAIN && errno != EACCES) return no_folder(path, errno);
    if (fcntl(lock->get(), F_GETLK, &whole) == 0 && whole.l_type == F_UNLCK) continue;
    return std::unexpected(occupied(path, whole.l_pid, pid_in(lock->get())));
  }
  return no_folder(path, "its lock changes hands all the time");
}

std::expected<std::string, RunDirError> absolute(std::string_view named) {
  std::string path(named);
  if (!path.starts_with('/')) {
    std::array<char, PATH_MAX> here;
    if (getcwd(here.data(), here.size()) == nullptr) return no_folder(path, errno);
    path = std::string(here.data()) + '/' + path;
  }
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

struct Taken {
  Descriptor folder;
  Descriptor lock;
};

std::expected<Taken, RunDirError> take_place(const std::string& path, bool make_parents) {
  auto folder = open_folder(path, make_parents);
  if (!folder) return std::unexpected(folder.error());
  if (auto ours = claim(*folder, path); !ours) return std::unexpected(ours.error());
  auto lock = lock_folder(folder->descriptor.get(), path);
  if (!lock) return std::unexpected(lock.error());
  return Taken{.folder = std::move(folder->descriptor), .lock = std::move(*lock)};
}

}  // namespace

std::expected<RunDir, RunDirError> RunDir::take(const Wish& wish) {
  if (!wish.named.empty()) {
    auto path = absolute(wish.named);
    if (!path) return std::unexpected(path.error());
    auto taken = take_place(*path, true);
    if (!taken) return std::unexpected(taken.error());
    return RunDir(std::move(*path), std::move(taken->folder), std::move(taken->lock));
  }
  std::string reasons = "no run dir can be had";
  for (RunPlace& place : run_places(geteuid(), wish.xdg_runtime_dir)) {
    // A place too long for its sockets is no use; one that is named is taken all the same, for its records.
    const std::string too_long = socket_path_too_long(place.path + '/' + std::string(run_dir_file::control));
    auto taken = too_long.empty() ? take_place(place.path, place.make_parents) : std::unexpected(unavailable(too_long));
    if (taken) return RunDir(std::move(place.path), std::move(taken->folder), std::move(taken->lock));
    if (taken.error().kind == RunDirError::Kind::occupied) return std::unexpected(taken.error());
    reasons += (reasons.ends_with("had") ? ": " : "; ") + taken.error().sentence;
  }
  return std::unexpected(unavailable(std::move(reasons)));
}

}  // namespace hcrc

#include "tools/runtime_search.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "core/run_places.h"

namespace hcrc {

namespace {

bool is_folder_of(const std::string& path, uid_t uid) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == uid;
}

std::optional<uid_t> number(std::string_view text) {
  uid_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The users' numbers in the names of a folder's entries, ascending: `PREFIX<uid>`.
std::vector<uid_t> users_in(const std::string& folder, std::string_view prefix) {
  std::vector<uid_t> users;
  DIR* entries = opendir(folder.c_str());
  if (entries == nullptr) return users;
  while (const dirent* entry = readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(prefix)) continue;
    if (const auto uid = number(name.substr(prefix.size()))) users.push_back(*uid);
  }
  closedir(entries);
  std::sort(users.begin(), users.end());
  return users;
}

}  // namespace

std::vector<std::string> run_dirs_to_ask(const RuntimeSearch& search) {
  if (!search.named.empty()) return {search.named};
  std::vector<std::string> places;
  const auto add = [&](std::string path) {
    if (std::find(places.begin(), places.end(), path) == places.end()) places.push_back(std::move(path));
  };
  const std::string shared_prefix = search.shared_memory + "/hcrc-";
  for (RunPlace& place : run_places(search.uid, search.xdg_runtime_dir)) {
    if (!place.path.starts_with("/dev/shm/")) add(std::move(place.path));
  }
  const std::string own = shared_prefix + std::to_string(search.uid);
  struct stat status{};
  if (lstat(own.c_str(), &status) != 0 || is_folder_of(own, search.uid)) add(own);  // a missing one is at least named
  for (const uid_t uid : users_in(search.user_folders, "")) {
    std::string path = search.user_folders + '/' + std::to_string(uid) + "/hcrc";
    if (is_folder_of(path, uid)) add(std::move(path));
  }
  for (const uid_t uid : users_in(search.shared_memory, "hcrc-")) {
    std::string path = shared_prefix + std::to_string(uid);
    if (is_folder_of(path, uid)) add(std::move(path));
  }
  return places;
}

}  // namespace hcrc

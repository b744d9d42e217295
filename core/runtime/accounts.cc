#include "core/runtime/accounts.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <memory>

namespace hcrc {

namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// An image without the file has no names; null then.
std::expected<File, int> open_accounts(const char* path) {
  File file(std::fopen(path, "re"));
  if (!file && errno != ENOENT && errno != ENOTDIR) return std::unexpected(errno);
  return file;
}

// An id in decimal. The highest number is no id: it stands for "none" in setresuid(2).
std::optional<std::uint32_t> id_of(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id == UINT32_MAX) return std::nullopt;
  return id;
}

UserAccount account_of(const passwd& entry) {
  return {.uid = entry.pw_uid, .gid = entry.pw_gid, .name = entry.pw_name, .home = *entry.pw_dir != 0 ? entry.pw_dir : "/"};
}

}  // namespace

std::expected<std::optional<UserAccount>, int> find_user(const AccountFiles& files, std::string_view text) {
  auto file = open_accounts(files.passwd);
  if (!file) return std::unexpected(file.error());
  const auto id = id_of(text);
  std::optional<UserAccount> by_id;
  while (*file != nullptr) {
    errno = 0;
    const passwd* entry = fgetpwent(file->get());
    if (entry == nullptr) {
      if (std::ferror(file->get()) != 0) return std::unexpected(errno != 0 ? errno : EIO);
      break;
    }
    if (text == entry->pw_name) return account_of(*entry);
    if (id && !by_id && entry->pw_uid == *id) by_id = account_of(*entry);
  }
  if (by_id || !id) return by_id;
  return UserAccount{.uid = *id, .gid = *id, .name = std::to_string(*id), .home = "/"};
}

std::expected<std::optional<gid_t>, int> find_group(const AccountFiles& files, std::string_view text) {
  auto file = open_accounts(files.group);
  if (!file) return std::unexpected(file.error());
  while (*file != nullptr) {
    errno = 0;
    const group* entry = fgetgrent(file->get());
    if (entry == nullptr) {
      if (std::ferror(file->get()) != 0) return std::unexpected(errno != 0 ? errno : EIO);
      break;
    }
    if (text == entry->gr_name) return entry->gr_gid;
  }
  return id_of(text);
}

std::expected<std::vector<gid_t>, int> groups_of(const AccountFiles& files, const UserAccount& user) {
  auto file = open_accounts(files.group);
  if (!file) return std::unexpected(file.error());
  std::vector<gid_t> groups{user.gid};
  while (*file != nullptr) {
    errno = 0;
    const group* entry = fgetgrent(file->get());
    if (entry == nullptr) {
      if (std::ferror(file->get()) != 0) return std::unexpected(errno != 0 ? errno : EIO);
      break;
    }
    for (char* const* member = entry->gr_mem; *member != nullptr; ++member) {
      if (user.name == *member) groups.push_back(entry->gr_gid);
    }
  }
  std::ranges::sort(groups);
  const auto twice = std::ranges::unique(groups);
  groups.erase(twice.begin(), twice.end());
  return groups;
}

}  // namespace hcrc

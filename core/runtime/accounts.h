// Users and groups from the image's own /etc/passwd and /etc/group (passwd(5), group(5)), read file by file: no name service
// is asked, so a static program needs none. Reads disk: for children only.
//
// A text is a name first, and a number only where no name is so. A user's number that no line has is a user all the same:
// its group has the same number, its name is the number, its home `/`.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hcrc {

struct AccountFiles {
  const char* passwd = "/etc/passwd";
  const char* group = "/etc/group";
};

struct UserAccount {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
  std::string home;
};

// Nothing where there is no such user or group; errno where the file is there and cannot be read.
[[nodiscard]] std::expected<std::optional<UserAccount>, int> find_user(const AccountFiles& files, std::string_view text);
[[nodiscard]] std::expected<std::optional<gid_t>, int> find_group(const AccountFiles& files, std::string_view text);
// The user's group and those that list it as a member, sorted, each once.
[[nodiscard]] std::expected<std::vector<gid_t>, int> groups_of(const AccountFiles& files, const UserAccount& user);

}  // namespace hcrc

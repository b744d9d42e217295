#include "core/runtime/identity.h"

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace hcrc {

namespace {

// What the service asks for, with its variables filled in and looked up.
struct Asked {
  std::optional<UserAccount> user;
  std::optional<gid_t> gid;
  std::optional<std::vector<gid_t>> groups;
  std::vector<std::string> words;  // "user nonroot", for the line that says they are ignored
};

class Resolver {
 public:
  Resolver(const Database& database, const format::ServiceRecord& service, const Variables& variables,
           const AccountFiles& files, bool root)
      : database_(database), service_(service), variables_(variables), files_(files), root_(root) {}

  OrFailure<Identity> resolve();

 private:
  OrFailure<std::optional<std::string>> text_of(format::OptionalTemplate index) const;
  OrFailure<void> ask_user(Asked& asked);
  OrFailure<void> ask_group(Asked& asked);
  OrFailure<void> ask_groups(Asked& asked);
  OrFailure<gid_t> group_named(Stage stage, const std::string& text) const;
  void take(Identity& identity, Asked asked) const;
  void capabilities(Identity& identity) const;

  const Database& database_;
  const format::ServiceRecord& service_;
  const Variables& variables_;
  const AccountFiles& files_;
  const bool root_;
};

// Supplementary groups of this process, sorted.
std::vector<gid_t> own_groups() {
  const int count = getgroups(0, nullptr);
  std::vector<gid_t> groups(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (count > 0 && getgroups(count, groups.data()) < 0) groups.clear();
  std::ranges::sort(groups);
  return groups;
}

void sort_each_once(std::vector<gid_t>& groups) {
  std::ranges::sort(groups);
  const auto twice = std::ranges::unique(groups);
  groups.erase(twice.begin(), twice.end());
}

OrFailure<std::optional<std::string>> Resolver::text_of(format::OptionalTemplate index) const {
  const auto pieces = database_.pieces_of(index);
  if (!pieces) return std::nullopt;
  auto text = expand(database_, *pieces, variables_);
  if (!text) return std::unexpected(std::move(text.error()));
  return std::move(*text);
}

OrFailure<gid_t> Resolver::group_named(Stage stage, const std::string& text) const {
  const auto gid = find_group(files_, text);
  if (!gid) return failed(stage, gid.error(), files_.group);
  if (!*gid) return failed(stage, 0, shown(text) + ": there is no such group in " + files_.group, true);
  return **gid;
}

OrFailure<void> Resolver::ask_user(Asked& asked) {
  auto text = text_of(service_.user);
  if (!text) return std::unexpected(std::move(text.error()));
  if (!*text) return {};
  auto user = find_user(files_, **text);
  if (!user) return failed(Stage::user, user.error(), files_.passwd);
  if (!*user && root_) return failed(Stage::user, 0, shown(**text) + ": there is no such user in " + files_.passwd, true);
  if (!*user || (!root_ && (*user)->uid != geteuid())) {
    asked.words.push_back("user " + shown(**text));
    return {};
  }
  if (root_) {
    asked.gid = (*user)->gid;
    auto groups = groups_of(files_, **user);
    if (!groups) return failed(Stage::groups, groups.error(), files_.group);
    asked.groups = std::move(*groups);
  }
  asked.user = std::move(**user);
  return {};
}

OrFailure<void> Resolver::ask_group(Asked& asked) {
  const auto text = text_of(service_.group);
  if (!text) return std::unexpected(text.error());
  if (!*text) return {};
  const auto gid = group_named(Stage::group, **text);
  if (root_) {
    if (!gid) return std::unexpected(gid.error());
    asked.gid = *gid;
  } else if (!gid || *gid != getegid()) {
    asked.words.push_back("group " + shown(**text));
  }
  return {};
}

OrFailure<void> Resolver::ask_groups(Asked& asked) {
  if (service_.groups_set == 0) return {};
  const auto texts = expand_all(database_, service_.groups, variables_);
  if (!texts) return std::unexpected(texts.error());
  std::vector<gid_t> groups;
  bool known = true;
  for (const std::string& text : *texts) {
    const auto gid = group_named(Stage::groups, text);
    if (!gid && root_) return std::unexpected(gid.error());
    if (gid) groups.push_back(*gid);
    known = known && gid.has_value();
  }
  if (root_) {
    asked.groups = std::move(groups);
    return {};
  }
  // Whether a process's own group is listed among the others, too, makes no difference.
  std::vector<gid_t> own = own_groups();
  for (std::vector<gid_t>* list : {&own, &groups}) {
    list->push_back(getegid());
    sort_each_once(*list);
  }
  if (!known || groups != own) asked.words.push_back("groups");
  return {};
}

// What is so already is left alone: it then needs no capability.
void Resolver::take(Identity& identity, Asked asked) const {
  if (asked.user) {
    identity.variables = UserVariables{.home = asked.user->home, .name = asked.user->name};
    identity.user = asked.user->name;
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    const uid_t uid = asked.user->uid;
    if (getresuid(&real, &effective, &saved) != 0 || real != uid || effective != uid || saved != uid) identity.uid = uid;
  }
  if (asked.gid) {
    gid_t real = 0;
    gid_t effective = 0;
    gid_t saved = 0;
    const gid_t gid = *asked.gid;
    if (getresgid(&real, &effective, &saved) != 0 || real != gid || effective != gid || saved != gid) identity.gid = gid;
  }
  if (asked.groups) {
    sort_each_once(*asked.groups);
    if (*asked.groups != own_groups()) identity.groups = std::move(asked.groups);
  }
  if (asked.words.empty()) return;
  std::string line;
  for (const std::string& word : asked.words) line += (line.empty() ? "" : ", ") + word;
  identity.notes.push_back(line + ": ignored, since the runtime is not root");
}

void Resolver::capabilities(Identity& identity) const {
  if (service_.capabilities_set != 0) identity.bounding = service_.capabilities;
  const uid_t uid = identity.uid.value_or(geteuid());
  if (service_.capabilities_set != 0) {
    identity.permitted = service_.capabilities;
  } else if (service_.user != format::none && uid != 0) {
    identity.permitted = 0;
  }
}

OrFailure<Identity> Resolver::resolve() {
  Asked asked;
  for (const auto ask : {&Resolver::ask_user, &Resolver::ask_group, &Resolver::ask_groups}) {
    if (auto done = (this->*ask)(asked); !done) return std::unexpected(std::move(done.error()));
  }
  Identity identity;
  take(identity, std::move(asked));
  capabilities(identity);
  return identity;
}

// EPERM is told as the capability that is not there; what the kernel refuses for good (an id that this user namespace does
// not have) does not get better either.
std::unexpected<StartFailure> refused(Stage stage, int error, const std::string& what, unsigned number) {
  CapabilitySets sets;
  const bool missing = error == EPERM && get_capabilities(sets) == 0 && (sets.effective & capability(number)) == 0;
  const std::string name = shown(what);
  if (missing) {
    return failed(stage, 0, name + ": the runtime has no " + std::string(capability_name(number)) + " to become it", true);
  }
  return failed(stage, error, name, error == EPERM || error == EINVAL);
}

OrFailure<void> bound(Identity& identity) {
  if (!identity.bounding) return {};
  const int error = bound_capabilities(*identity.bounding);
  if (error == 0) return {};
  if (geteuid() == 0) return refused(Stage::capabilities, error, "bounding set", cap_setpcap);
  identity.notes.push_back("capabilities: the bounding set stays as it is, since the runtime is not root");
  return {};
}

// Permitted, effective, inheritable and ambient sets. Behind the change of user: what is kept needs no raise any more.
OrFailure<void> keep_capabilities(Identity& identity) {
  if (!identity.permitted) return {};
  CapabilitySets sets;
  int error = get_capabilities(sets);
  if (error == 0) error = clear_ambient();
  if (error != 0) return failed(Stage::capabilities, error, {});
  const CapabilitySet kept = *identity.permitted & sets.permitted;
  const bool root = geteuid() == 0;
  if (const CapabilitySet missing = *identity.permitted & ~sets.permitted; missing != 0) {
    identity.notes.push_back("capabilities: " + capability_names(missing) + ": the runtime has none to keep");
  }
  // Root gets at its exec what bounding and inheritable sets let it have, and needs no ambient ones.
  error = set_capabilities({.effective = kept, .permitted = kept, .inheritable = root ? kept & sets.inheritable : kept});
  if (error == 0 && !root) error = raise_ambient(kept);
  if (error != 0) return failed(Stage::capabilities, error, capability_names(kept));
  return {};
}

}  // namespace

OrFailure<Identity> resolve_identity(const Database& database, const format::ServiceRecord& service,
                                     const Variables& variables, const AccountFiles& files) {
  return Resolver(database, service, variables, files, geteuid() == 0).resolve();
}

OrFailure<void> assume_identity(Identity& identity) {
  if (auto done = bound(identity); !done) return done;
  if (identity.groups && setgroups(identity.groups->size(), identity.groups->data()) != 0) {
    return refused(Stage::groups, errno, identity.user.empty() ? std::string("of the service") : "of user " + identity.user,
                   cap_setgid);
  }
  if (identity.gid && setresgid(*identity.gid, *identity.gid, *identity.gid) != 0) {
    return refused(Stage::group, errno, std::to_string(*identity.gid), cap_setgid);
  }
  if (identity.uid) {
    if (identity.permitted.value_or(0) != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
      return failed(Stage::capabilities, errno, {});
    }
    if (setresuid(*identity.uid, *identity.uid, *identity.uid) != 0) {
      return refused(Stage::user, errno, identity.user, cap_setuid);
    }
  }
  return keep_capabilities(identity);
}

}  // namespace hcrc

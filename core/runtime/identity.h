// Who a service's processes are: user, group, supplementary groups, capabilities.
//
//   runtime   service has      becomes
//   root      user             that user, with its own groups alone (`groups` takes their place) and no capability but those
//                              of [security] capabilities
//   root      group, groups    what is written; the rest stays the runtime's
//   other     user, ...        ignored with one line, none where they are the runtime's own already; capabilities go all the
//                              same, since letting go needs no privilege
//
// Resolving reads /etc/passwd and /etc/group and changes nothing; assuming changes everything or fails.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/database.h"
#include "core/runtime/accounts.h"
#include "core/runtime/capabilities.h"
#include "core/runtime/environment.h"
#include "core/runtime/expand.h"
#include "core/runtime/spawn_answer.h"

namespace hcrc {

struct Identity {
  // What is to be changed; nothing where it stays as it is.
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<std::vector<gid_t>> groups;
  std::optional<UserVariables> variables;  // of `user`, where it is not ignored
  std::optional<CapabilitySet> bounding;   // [security] capabilities
  std::optional<CapabilitySet> permitted;  // and ambient, of a user that is not root
  std::string user;                        // as it was asked for, for messages
  std::vector<std::string> notes;
};

// A user or group that does not exist is a permanent failure.
[[nodiscard]] OrFailure<Identity> resolve_identity(const Database& database, const format::ServiceRecord& service,
                                                   const Variables& variables, const AccountFiles& files);

// A missing capability is a permanent failure that names it. Adds to the notes.
[[nodiscard]] OrFailure<void> assume_identity(Identity& identity);

}  // namespace hcrc

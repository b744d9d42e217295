// What an update from one graph to another does (contract, section 8). One plan, for the supervisor that carries it out, for
// `hcrc update` and for `hcrc-compile --diff`.
//
// A service is known by its name. What changes how it runs restarts it, and along with it whatever requires it or is bound
// to it, directly or through others; what changes how it is looked after is taken over in place. The database's two hashes
// decide. A bundle is a name that never runs: a service that becomes one is removed, one that was one is added.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/database.h"

namespace hcrc {

// What a service goes by: a record of a database, which lives as long as anybody goes by it.
struct Definition {
  std::shared_ptr<const Database> database;
  const format::ServiceRecord* record = nullptr;  // none: there is no service
  std::uint32_t index = 0;                        // in the database
};

// How `index` of `database` is defined.
Definition definition_of(const std::shared_ptr<const Database>& database, std::uint32_t index);

enum class Fate : std::uint8_t {
  kept,       // nothing changes
  in_place,   // looked after anew
  restarted,  // if it runs; what has ended for good is tried anew
  along,      // restarted because something that it requires, or is bound to, is
  added,
  removed,  // stopped
  stopped,  // it is there, and not wanted any more
  started,  // it was there, and is wanted now
};
inline constexpr std::size_t fates = 8;
std::string_view text(Fate fate);  // as it stands in JSON: "restarted-along"

struct UpdatePlan {
  struct Service {
    Fate fate = Fate::added;
    bool same_run = false;                    // its process may stay as it is
    std::optional<std::uint32_t> before;      // its place in `now`; of a bundle that becomes a service, and back, too
    std::optional<std::uint32_t> along_with;  // one that it depends on directly, by its place in the new database
    // Of what is kept, in place or along: parts of how it is looked after that are not the same any more.
    bool conditions = false;
    bool health = false;
    bool schedule = false;
  };
  std::vector<Service> services;       // by place in the new database
  std::vector<std::uint32_t> removed;  // places in `now`, ascending; with those that have become bundles
};

// `now` is what services go by, each name at most once. Linear, but for the sorting of names. Edges of the new database
// decide what is restarted along: they are in force from the update on.
UpdatePlan plan_update(std::span<const Definition> now, const Database& next);

// What these and all that they start make wanted, by place; of a bundle, its contents.
std::vector<bool> wanted_from(const Database& database, std::vector<std::uint32_t> roots);
// What starts at boot where no target is named.
std::vector<std::uint32_t> roots_of(const Database& database);
// Tells in the plan what is wanted no more, or now. `was` is by place in what was, `will_be` by place in the new database.
void judge_wanted(UpdatePlan& plan, const Database& next, const std::vector<bool>& was, const std::vector<bool>& will_be);

}  // namespace hcrc

// Conditions on the environment ([when] env-set, env-unset, env, env-not), judged in the runtime's own environment. It does
// not change while the runtime lives, so they are judged once.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/database.h"

namespace hcrc {

// `environment` is NAME=VALUE entries. By service: true where a condition does not hold.
std::vector<bool> conditions_that_fail(const Database& database, std::span<const std::string_view> environment);

}  // namespace hcrc

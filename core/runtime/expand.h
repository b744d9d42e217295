// Filling in the variables of a template. The compiler has parsed `${VAR}` and `${VAR:-default}` into pieces; here they are
// put together: looked up in the service's environment, then in the runtime's own (HCRC_* too). ${INSTANCE} of an instance
// is its name, whatever an environment says.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/database.h"
#include "core/runtime/environment.h"
#include "core/runtime/spawn_answer.h"

namespace hcrc {

// Where variables are looked up; refers to its parts.
struct Variables {
  const Environment& service;
  const Environment& runtime;
  std::string_view instance;  // empty: ${INSTANCE} is a variable as any other

  std::optional<std::string_view> find(std::string_view name) const;
};

// A variable that is not set and has no default is a failure that names it. An empty one is set; `:-` takes its default for
// an empty one too.
[[nodiscard]] OrFailure<std::string> expand(const Database& database, std::span<const format::PieceRecord> pieces,
                                            const Variables& variables);
// An argv, or another list of templates.
[[nodiscard]] OrFailure<std::vector<std::string>> expand_all(const Database& database, format::Range arguments,
                                                             const Variables& variables);

bool has_variables(std::span<const format::PieceRecord> pieces);

}  // namespace hcrc

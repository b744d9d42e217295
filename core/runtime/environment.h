// A process's environment, and how a service's is composed:
//
//   the container's (none with env-clear), without HCRC_* and what an outer manager told the runtime alone,
//   then HOME, USER, LOGNAME of the service's user, then env-files, then [env].
//
// Composing reads files: it is done by the child, never by the runtime.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/database.h"
#include "core/runtime/spawn_answer.h"

namespace hcrc {

// Variables by name. A name is not empty and holds no `=`; a value may be anything without a NUL. What it is made of stays
// where it is: with the entries of the runtime's own environment nothing is copied.
class Environment {
 public:
  Environment() = default;
  // Of NAME=VALUE entries with a NUL behind each, which outlive this and its copies: the first of a name counts, as for
  // getenv(3); what is no such entry is left out.
  explicit Environment(std::span<const std::string_view> entries);

  void set(std::string_view name, std::string_view value);
  std::optional<std::string_view> find(std::string_view name) const;
  void erase_if_not_passed_on();

  // NAME=VALUE entries, sorted by name, and a null behind the last: for execve(2), as long as this is as it is.
  std::vector<const char*> entries() const;

 private:
  struct Variable {
    std::string own;  // the entry; empty: it is somebody else's
    std::string_view borrowed;
    std::size_t name_bytes;
    std::string_view entry() const { return own.empty() ? borrowed : std::string_view(own); }
    std::string_view name() const { return entry().substr(0, name_bytes); }
    std::string_view value() const { return entry().substr(name_bytes + 1); }
  };
  std::vector<Variable> variables_;  // sorted by name
};

// Whether a variable of the runtime's is its own: HCRC_*, and what a service manager around it has told it alone. Never
// passed on to services.
bool own_to_the_runtime(std::string_view name);

// Takes the lines of an environment file in the form of Docker's --env-file: NAME=VALUE, all literal, blanks before the name
// dropped; `#` begins a comment; a NAME alone passes on the runtime's own variable where that is set. LF or CRLF, with or
// without BOM. The error is the line's number and what is wrong with it.
struct EnvironmentFileError {
  std::size_t line;
  std::string_view what;
};
[[nodiscard]] std::expected<void, EnvironmentFileError> add_environment_file(Environment& environment,
                                                                             std::string_view content,
                                                                             const Environment& runtime);

// HOME, USER and LOGNAME.
struct UserVariables {
  std::string home;
  std::string name;
};

// What a service's environment has become, and the first thing that went wrong: what can be said is there all the same.
struct ComposedEnvironment {
  Environment environment;
  std::optional<StartFailure> failure;
};

// Reads a whole file.
using FileReader = std::function<OrFailure<std::string>(const std::string& path)>;

// `user` may be null. A service's variables are looked up in its environment as it has become so far, then in the runtime's.
ComposedEnvironment compose_environment(const Database& database, const format::ServiceRecord& service,
                                        const Environment& runtime, const UserVariables* user, const FileReader& read);

}  // namespace hcrc

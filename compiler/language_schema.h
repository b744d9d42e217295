// docs/service.schema.json and docs/node.schema.json: the language for editors, as JSON Schema (draft 7, which TOML
// extensions know), made from the key table. A schema knows types, names, ranges and which type of service has which keys;
// what connects keys and services is hcrc-compile's to say.
#pragma once

#include <string>

namespace hcrc::compiler {

std::string service_schema();
std::string node_schema();

}  // namespace hcrc::compiler

// The part of YAML that conductor configurations are written in: mappings and sequences in block and flow form, plain and
// quoted scalars, comments. No anchors, tags, block scalars or several documents.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>

namespace stand_in {

// Scalars by path: "keystore.type" -> "lair_server_in_proc", "admin_interfaces.0.driver.port" -> "4444".
using YamlScalars = std::map<std::string, std::string>;

// An error is a sentence with its line.
[[nodiscard]] std::expected<YamlScalars, std::string> parse_yaml(std::string_view text);

}  // namespace stand_in

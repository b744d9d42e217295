#include "compiler/language_schema.h"

#include <fmt/format.h>

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/key_table.h"
#include "core/bounds.h"
#include "core/capability_names.h"

namespace hcrc::compiler {

namespace {

// Texts of the table hold quotes and backslashes at most.
std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out.append("\"");
}

using Member = std::pair<std::string_view, std::string>;  // a name, and JSON

std::string object(const std::vector<Member>& members) {
  std::string out = "{";
  for (const auto& [name, value] : members) {
    if (value.empty()) continue;
    if (out.size() > 1) out.append(",");
    out.append(json_text(name)).append(":").append(value);
  }
  return out.append("}");
}

template <typename Range>
std::string array(const Range& elements) {
  std::string out = "[";
  for (const auto& element : elements) {
    if (out.size() > 1) out.append(",");
    out.append(element);
  }
  return out.append("]");
}

template <typename Range>
std::string texts(const Range& elements) {
  std::vector<std::string> quoted;
  for (const std::string_view element : elements) quoted.push_back(json_text(element));
  return array(quoted);
}

std::string any_of(std::initializer_list<std::string> schemas) { return object({{"anyOf", array(schemas)}}); }

std::string filled() { return R"({"type":"string","minLength":1})"; }
std::string matching(std::string_view pattern) { return object({{"type", "\"string\""}, {"pattern", json_text(pattern)}}); }
std::string list_of(std::string element) {
  return object({{"type", "\"array\""}, {"items", std::move(element)}, {"uniqueItems", "true"}});
}
std::string number(std::string_view type, double least, double most) {
  return object({{"type", json_text(type)}, {"minimum", fmt::format("{}", least)}, {"maximum", fmt::format("{}", most)}});
}
std::string integer(std::int64_t least, std::int64_t most) {
  return object({{"type", "\"integer\""}, {"minimum", std::to_string(least)}, {"maximum", std::to_string(most)}});
}

// Names that may go without what they begin with: completed whole, taken either way.
template <typename Range>
std::string names(const Range& known, std::size_t prefix) {
  std::vector<std::string_view> tails;
  for (const std::string_view name : known) tails.push_back(name.substr(prefix));
  return any_of({object({{"enum", texts(known)}}), object({{"enum", texts(tails)}})});
}

std::string signals() {
  std::vector<std::string_view> known;
  for (int i = 1; i <= hcrc::signals::highest; ++i) {
    if (!signal_name(i).empty()) known.push_back(signal_name(i));
  }
  return names(known, 3);
}

constexpr std::string_view service_name = "^[A-Za-z0-9][A-Za-z0-9_.-]*(@[A-Za-z0-9_.-]*)?$";
constexpr std::string_view variable_name = R"(^[^=\u0000-\u0020\u007f]+$)";

std::string limit() {
  const std::string one =
      any_of({R"({"type":"integer","minimum":0})", R"({"const":"unlimited"})", matching("^[0-9]+[BKMGT]$")});
  const std::string both = object({{"type", "\"object\""},
                                   {"properties", object({{"soft", one}, {"hard", one}})},
                                   {"required", R"(["soft","hard"])"},
                                   {"additionalProperties", "false"}});
  return any_of({one, both});
}

std::string account() { return any_of({filled(), integer(0, UINT32_MAX - std::int64_t{1})}); }

std::string variables() {
  return object({{"type", "\"object\""},
                 {"propertyNames", object({{"pattern", json_text(variable_name)}})},
                 {"additionalProperties", R"({"type":"string"})"}});
}

std::string value_schema(const KeyRow& row) {
  switch (row.kind) {
    case ValueKind::boolean: return R"({"type":"boolean"})";
    case ValueKind::choice: return object({{"enum", texts(row.choices)}});
    case ValueKind::text:
      return object({{"type", "\"string\""}, {"maxLength", row.most == 0 ? "" : std::to_string(row.most)}});
    case ValueKind::octal: return matching("^0?[0-7]{1,3}$");
    case ValueKind::integer: return integer(row.least, row.most);
    case ValueKind::decimal:
      return number("number", static_cast<double>(row.least) / 1'000, static_cast<double>(row.most) / 1'000);
    case ValueKind::count: return any_of({integer(row.least, row.most), R"({"const":"unlimited"})"});
    case ValueKind::duration:
      return object({{"type", "\"string\""},
                     {"minLength", "2"},
                     {"pattern", "\"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$\""}});
    case ValueKind::codes: return list_of(integer(row.least, row.most));
    case ValueKind::signal: return signals();
    case ValueKind::path:
    case ValueKind::tcp_address:
    case ValueKind::http_address: return filled();
    case ValueKind::paths: return list_of(filled());
    case ValueKind::path_or_paths: return any_of({filled(), list_of(filled())});
    case ValueKind::words: {
      const bool may_be_empty = row.key == Key::cleanup || row.key == Key::stop_command;
      return object({{"type", "\"array\""}, {"items", R"({"type":"string"})"}, {"minItems", may_be_empty ? "" : "1"}});
    }
    case ValueKind::account: return account();
    case ValueKind::accounts: return list_of(account());
    case ValueKind::service: return matching(service_name);
    case ValueKind::services: return list_of(matching(service_name));
    case ValueKind::instances: return list_of(matching(fmt::format("^[A-Za-z0-9_.-]{{1,{}}}$", bounds::name_bytes)));
    case ValueKind::variable_names: return list_of(matching(variable_name));
    case ValueKind::variables:
    case ValueKind::literals: return variables();
    case ValueKind::limit: return limit();
    case ValueKind::size: return any_of({R"({"const":"unlimited"})", matching("^[0-9]+[BKMGT]$")});
    case ValueKind::cpu_share: return any_of({R"({"const":"unlimited"})", matching("^([0-9]+%|[0-9]+ [0-9]+)$")});
    case ValueKind::capabilities: return list_of(names(all_capability_names, 4));
  }
  return "{}";
}

// The schema of one key: what it takes, what it is, what stands for it where it is not written.
std::string key_schema(const KeyRow& row) {
  std::string schema = value_schema(row);
  schema.pop_back();
  schema.append(",\"description\":").append(json_text(row.help));
  // The defaults of the table are written alike in TOML and JSON.
  if (!row.fallback.empty()) schema.append(",\"default\":").append(row.fallback);
  return schema.append("}");
}

std::string properties(bool node, std::string_view table) {
  std::vector<Member> members;
  for (const KeyRow& row : key_table()) {
    if (row.definitions.node() == node && row.table == table) members.emplace_back(row.name, key_schema(row));
  }
  if (table.empty()) {
    for (const std::string_view name : table_names(node)) {
      if (find_key(node, "", name) != nullptr) continue;
      members.emplace_back(
          name, object({{"type", "\"object\""}, {"properties", properties(node, name)}, {"additionalProperties", "false"}}));
    }
  }
  return object(members);
}

// Keys and tables that a type of service does not have.
std::string without_foreign_keys(ServiceType type) {
  std::vector<Member> members;
  for (const std::string_view name : key_names(false, "")) {
    if (!find_key(false, "", name)->definitions.has(type)) members.emplace_back(name, "false");
  }
  for (const std::string_view table : table_names(false)) {
    if (find_key(false, "", table) != nullptr) continue;
    std::vector<Member> foreign;
    const auto all = key_names(false, table);
    for (const std::string_view name : all) {
      if (!find_key(false, table, name)->definitions.has(type)) foreign.emplace_back(name, "false");
    }
    if (foreign.empty()) continue;
    members.emplace_back(table, foreign.size() == all.size() ? "false" : object({{"properties", object(foreign)}}));
  }
  return object(members);
}

std::string is(std::string_view key, std::string_view value) {
  return object({{"properties", object({{key, object({{"const", json_text(value)}})}})},
                 {"required", array(std::vector{json_text(key)})}});
}

// A definition that changes an earlier one may leave out what that says.
std::string rules() {
  const std::string merges = is("override", "merge");
  const std::string by_default = object({{"not", any_of({R"({"required":["type"]})", merges})}});
  std::vector<std::string> all;
  const auto add = [&](std::string when, std::string then) {
    all.push_back(object({{"if", std::move(when)}, {"then", std::move(then)}}));
  };
  for (const ServiceType type : {ServiceType::longrun, ServiceType::oneshot, ServiceType::periodic, ServiceType::bundle}) {
    const std::string written = is("type", text(type));
    const std::string when = type == ServiceType::longrun ? any_of({written, by_default}) : written;
    add(when, object({{"properties", without_foreign_keys(type)}}));
    const std::string needs = type == ServiceType::bundle ? R"({"required":["contents"]})" : R"({"required":["command"]})";
    add(object({{"allOf", array(std::vector{when, object({{"not", merges}})})}}), needs);
  }
  return array(all);
}

// Indented, so that people can read it and differences stay small; what fits a line stays in one.
class Pretty {
 public:
  explicit Pretty(std::string_view json) : json_(json) {}

  std::string run() {
    value(0);
    return out_.append("\n");
  }

 private:
  static constexpr std::size_t width = 116;

  // The end of the value that begins here.
  std::size_t end() const {
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t i = at_; i < json_.size(); ++i) {
      const char c = json_[i];
      if (quoted && c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (!quoted && (c == '{' || c == '[')) {
        ++depth;
      } else if (!quoted && (c == '}' || c == ']')) {
        if (depth == 0) return i;
        if (--depth == 0) return i + 1;
      } else if (!quoted && c == ',' && depth == 0) {
        return i;
      }
    }
    return json_.size();
  }
  std::string in_one_line(std::string_view json) const {
    std::string line;
    bool quoted = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
      const char c = json[i];
      line.push_back(c);
      if (quoted && c == '\\') line.push_back(json[++i]);
      if (c == '"') quoted = !quoted;
      if (!quoted && (c == ':' || c == ',')) line.push_back(' ');
    }
    return line;
  }
  // The nesting is that of the schema, which this file makes.
  void value(std::size_t indent) {
    const std::size_t stop = end();
    const std::string_view text = json_.substr(at_, stop - at_);
    const std::string line = in_one_line(text);
    const bool nested = text.starts_with('{') || text.starts_with('[');
    if (!nested || indent + line.size() <= width || text.size() == 2) {
      out_.append(line);
      at_ = stop;
      return;
    }
    out_.push_back(json_[at_++]);
    while (json_[at_] != '}' && json_[at_] != ']') {
      out_.append("\n").append(indent + 2, ' ');
      if (text.starts_with('{')) {
        const std::size_t colon = json_.find("\":", at_) + 2;
        out_.append(json_.substr(at_, colon - at_)).append(" ");
        at_ = colon;
      }
      value(indent + 2);
      if (json_[at_] == ',') out_.push_back(json_[at_++]);
    }
    out_.append("\n").append(indent, ' ').push_back(json_[at_++]);
  }

  std::string_view json_;
  std::size_t at_ = 0;
  std::string out_;
};

std::string schema(std::string_view title, bool node, std::string rules) {
  const std::string whole =
      object({{"$schema", "\"http://json-schema.org/draft-07/schema#\""},
              {"$comment", "\"Made from compiler/key_table.cc by HCRC_GOLDEN_UPDATE=1 compiler-tests: change it there.\""},
              {"title", json_text(title)},
              {"type", "\"object\""},
              {"properties", properties(node, "")},
              {"additionalProperties", "false"},
              {"allOf", std::move(rules)}});
  return Pretty(whole).run();
}

}  // namespace

std::string service_schema() { return schema("A service of hcrc: NAME.toml", false, rules()); }
std::string node_schema() { return schema("The node's settings of hcrc: node.toml", true, ""); }

}  // namespace hcrc::compiler

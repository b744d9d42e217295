#include "compiler/value_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "compiler/suggested_value.h"
#include "compiler/template_text.h"
#include "compiler/toml_text.h"
#include "compiler/value_kinds.h"
#include "core/bounds.h"
#include "core/endpoint.h"
#include "core/units.h"

namespace hcrc::compiler {

namespace {

std::string_view node_text(NodeKind kind) {
  switch (kind) {
    case NodeKind::text: return "a text";
    case NodeKind::integer: return "a whole number";
    case NodeKind::real: return "a number that is not whole";
    case NodeKind::boolean: return "true or false";
    case NodeKind::moment: return "a date or time";
    case NodeKind::array: return "a list";
    case NodeKind::table: return "a table";
  }
  return "";
}

// An element of the user's own naming is called by its name: HOME of [env].
std::string subject(const KeyRow& row, const SyntaxNode& node) {
  const bool own = row.kind == ValueKind::variables || row.kind == ValueKind::literals;
  if (!own || node.key.empty() || node.key == row.name) return text(row);
  return fmt::format("{} of {}", harmless(node.key), row.table.empty() ? "[env]" : text(row));
}

constexpr std::string_view duration_note = R"(write "5s" for seconds; "5ms", "5m", "5h" and "1h30m" are other durations)";

// The number that was written, with a unit.
std::string unit_note(const KeyRow& row, const SyntaxNode& node) {
  const std::string number = node.kind == NodeKind::text ? node.text : std::to_string(node.integer);
  if (node.kind == NodeKind::real || number.size() > 12 || number.starts_with('-')) return std::string(duration_note);
  return fmt::format("write {} = \"{}s\" for seconds, \"{}ms\" for milliseconds; \"5m\", \"24h\" and \"1h30m\" are others",
                     row.name, number, number);
}

}  // namespace

void ValueReader::wrong_type(const KeyRow& row, const SyntaxNode& node) {
  const auto [name, what, example, explanation] = kind_text(row.kind);
  const auto suggestion = suggested_value(row, tree_, node);
  std::vector<Note> notes;
  if (row.table.empty() && row.kind == ValueKind::variables && node.key != row.name) {
    // A value of [env].
    if (find_key(false, "", node.key) != nullptr && (node.kind == NodeKind::array || node.kind == NodeKind::table)) {
      notes.push_back({fmt::format("\"{}\" is a key of the service itself: it stands above the first [table]", node.key)});
    } else {
      const bool plain = node.kind == NodeKind::integer || node.kind == NodeKind::boolean;
      const std::string value =
          node.kind == NodeKind::boolean ? (node.boolean ? "true" : "false") : std::to_string(node.integer);
      notes.push_back({"the value of a variable is a text in quotes" +
                       (plain ? fmt::format(": {} = \"{}\"", toml_key(node.key), value) : "")});
    }
    diagnostics_.add(Code::wrong_type, node.place,
                     fmt::format("{} takes a text, and this is {}", subject(row, node), node_text(node.kind)), notes);
    return;
  }
  if (node.key.empty() && node.key_place.line == 0) {
    const bool number = row.kind == ValueKind::codes;
    const bool either = row.kind == ValueKind::accounts;
    notes.push_back({fmt::format("write {} = {}: {}", row.name, suggestion.value_or(std::string(example)), row.help)});
    diagnostics_.add(Code::wrong_type, node.place,
                     fmt::format("{} is a list of {}, and this is {}", text(row),
                                 number   ? "whole numbers"
                                 : either ? "texts or whole numbers"
                                          : "texts",
                                 node_text(node.kind)),
                     notes);
    return;
  }
  if (row.kind == ValueKind::choice) {
    notes.push_back({suggestions_.choice(row, "")});
  } else if (suggestion || !example.empty()) {
    notes.push_back({fmt::format("write {} = {}: {}", row.name, suggestion.value_or(std::string(example)), row.help)});
  } else {
    notes.push_back({std::string(row.help)});
  }
  diagnostics_.add(Code::wrong_type, node.place,
                   fmt::format("{} takes {}, and this is {}", subject(row, node), what, node_text(node.kind)), notes);
}

Value ValueReader::read(const KeyRow& row, const SyntaxNode& node) {
  Template text;
  switch (row.kind) {
    case ValueKind::boolean:
      if (node.kind == NodeKind::boolean) return node.boolean;
      wrong_type(row, node);
      return {};
    case ValueKind::integer: return integer(row, node);
    case ValueKind::decimal: return decimal(row, node);
    case ValueKind::count: return count(row, node);
    case ValueKind::choice: return choice(row, node);
    case ValueKind::octal: return octal(row, node);
    case ValueKind::duration: return duration(row, node);
    case ValueKind::signal: return signal(row, node);
    case ValueKind::text: return plain(row, node);
    case ValueKind::path: return path(row, node, text) ? Value(std::move(text)) : Value();
    case ValueKind::account: return account(row, node, text) ? Value(std::move(text)) : Value();
    case ValueKind::tcp_address:
    case ValueKind::http_address: return address(row, node, text) ? Value(std::move(text)) : Value();
    case ValueKind::words: return words(row, node);
    case ValueKind::variables:
    case ValueKind::literals: return variables(row, node);
    case ValueKind::limit: return limit(row, node);
    case ValueKind::size: return size(row, node);
    case ValueKind::cpu_share: return cpu_share(row, node);
    case ValueKind::service: {
      Item item{.name = node.text, .text = {}, .place = node.place, .name_place = {}};
      return filled_text(row, node) ? Value(Items{std::move(item)}) : Value();
    }
    case ValueKind::path_or_paths:
      if (node.kind != NodeKind::text) return list(row, node);
      if (!path(row, node, text)) return {};
      return Items{Item{.name = node.text, .text = std::move(text), .place = node.place, .name_place = {}}};
    case ValueKind::codes:
    case ValueKind::paths:
    case ValueKind::accounts:
    case ValueKind::services:
    case ValueKind::instances:
    case ValueKind::variable_names:
    case ValueKind::capabilities: return list(row, node);
  }
  return {};
}

bool ValueReader::in_range(const KeyRow& row, const SyntaxNode& node, std::int64_t value) {
  if (value >= row.least && value <= row.most) return true;
  const auto shown = [&](std::int64_t number) {
    if (row.kind == ValueKind::duration) return format_duration(Milliseconds(number));
    if (row.kind == ValueKind::decimal) return fmt::format("{}", static_cast<double>(number) / 1'000);
    return fmt::format("{}", number);
  };
  diagnostics_.add(Code::out_of_range, node.place, fmt::format("{} is out of range", text(row)),
                   {{fmt::format("it is from {} to {}", shown(row.least), shown(row.most))}});
  return false;
}

Value ValueReader::integer(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind != NodeKind::integer) {
    wrong_type(row, node);
    return {};
  }
  return in_range(row, node, node.integer) ? Value(node.integer) : Value();
}

Value ValueReader::decimal(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind != NodeKind::integer && node.kind != NodeKind::real) {
    wrong_type(row, node);
    return {};
  }
  const double number = node.kind == NodeKind::integer ? static_cast<double>(node.integer) : node.real;
  // Everything far out of range, and what is no number at all, is one below the least.
  const bool near = number >= -1e6 && number <= 1e6;
  const std::int64_t thousandths = near ? std::llround(number * 1'000) : row.least - 1;
  if (!in_range(row, node, thousandths)) return {};
  if (std::fabs(number * 1'000 - static_cast<double>(thousandths)) > 1e-6) {
    diagnostics_.add(Code::out_of_range, node.place, fmt::format("{} has more than 3 decimals", text(row)),
                     {{fmt::format("{} is the nearest", static_cast<double>(thousandths) / 1'000)}});
    return {};
  }
  return thousandths;
}

Value ValueReader::count(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind == NodeKind::integer) return integer(row, node);
  if (node.kind == NodeKind::text && node.text == "unlimited") return std::int64_t{-1};
  if (node.kind == NodeKind::text) {
    diagnostics_.add(Code::unknown_choice, node.place, fmt::format("{} cannot be {}", text(row), in_quotes(node.text)),
                     {{fmt::format(R"(write {} = {}: a whole number without quotes, or "unlimited")", row.name,
                                   suggested_value(row, tree_, node).value_or("5"))}});
  } else {
    wrong_type(row, node);
  }
  return {};
}

Value ValueReader::choice(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind != NodeKind::text) {
    wrong_type(row, node);
    return {};
  }
  const auto found = std::ranges::find(row.choices, node.text);
  if (found != row.choices.end()) return static_cast<std::int64_t>(found - row.choices.begin());
  diagnostics_.add(Code::unknown_choice, node.place, fmt::format("{} cannot be {}", text(row), in_quotes(node.text)),
                   {{suggestions_.choice(row, node.text)}});
  return {};
}

Value ValueReader::octal(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind != NodeKind::text) {
    wrong_type(row, node);
    return {};
  }
  std::int64_t value = 0;
  const bool digits = !node.text.empty() && node.text.size() <= 4 &&
                      std::ranges::all_of(node.text, [](char c) { return c >= '0' && c <= '7'; });
  for (const char c : digits ? node.text : std::string()) value = value * 8 + (c - '0');
  if (digits && value >= row.least && value <= row.most) return value;
  diagnostics_.add(Code::bad_umask, node.place, fmt::format("{} is no umask", in_quotes(node.text)),
                   {{R"(it has octal digits and is at most "0777", as "022" or "077")"}});
  return {};
}

Value ValueReader::duration(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind == NodeKind::integer || node.kind == NodeKind::real) {
    diagnostics_.add(Code::missing_unit, node.place, fmt::format("{} has no unit", text(row)), {{unit_note(row, node)}});
    return {};
  }
  if (node.kind != NodeKind::text) {
    wrong_type(row, node);
    return {};
  }
  const auto parsed = parse_duration(node.text);
  if (parsed) return in_range(row, node, parsed->count()) ? Value(parsed->count()) : Value();
  switch (parsed.error()) {
    case UnitError::empty:
      diagnostics_.add(Code::empty_value, node.place, fmt::format("{} is empty", text(row)), {{std::string(duration_note)}});
      break;
    case UnitError::bare_number:
      diagnostics_.add(Code::missing_unit, node.place, fmt::format("{} has no unit", text(row)), {{unit_note(row, node)}});
      break;
    case UnitError::malformed:
      if (const auto meant = suggested_duration(node.text)) {
        diagnostics_.add(Code::bad_quantity, node.place, fmt::format("{} is no duration", in_quotes(node.text)),
                         {{fmt::format("write {} = \"{}\"", row.name, *meant)}});
        break;
      }
      diagnostics_.add(Code::bad_quantity, node.place, fmt::format("{} is no duration", in_quotes(node.text)),
                       {{std::string(duration_note)}});
      break;
    case UnitError::too_large: in_range(row, node, row.most + 1); break;
  }
  return {};
}

Value ValueReader::signal(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind != NodeKind::text) {
    wrong_type(row, node);
    return {};
  }
  if (const auto number = signal_number(node.text)) return std::int64_t{*number};
  diagnostics_.add(Code::bad_signal, node.place, fmt::format("there is no signal {}", in_quotes(node.text)),
                   {{suggestions_.signal(node.text)}});
  return {};
}

Value ValueReader::plain(const KeyRow& row, const SyntaxNode& node) {
  if (!usable_text(row, node)) return {};
  const auto most = static_cast<std::size_t>(row.most);
  if (most != 0 && node.text.size() > most) {
    diagnostics_.add(Code::out_of_range, node.place,
                     fmt::format("{} has {} bytes, and may have {}", text(row), node.text.size(), most));
    return {};
  }
  return node.text;
}

// A text of any length without a NUL.
bool ValueReader::usable_text(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind != NodeKind::text) {
    wrong_type(row, node);
    return false;
  }
  if (node.text.find('\0') == std::string::npos) return true;
  diagnostics_.add(Code::unusable_text, node.place, fmt::format("{} holds the character NUL", subject(row, node)),
                   {{"no text of a process can hold one"}});
  return false;
}

// One that is not empty, either.
bool ValueReader::filled_text(const KeyRow& row, const SyntaxNode& node) {
  if (!usable_text(row, node)) return false;
  if (!node.text.empty()) return true;
  diagnostics_.add(Code::empty_value, node.place, fmt::format("{} is empty", text(row)),
                   {{fmt::format("{}: {}", row.name, row.help)}});
  return false;
}

bool ValueReader::template_text(const SyntaxNode& node, Template& text) {
  auto parsed = parse_template(node.text);
  if (!parsed) {
    diagnostics_.add(Code::bad_variable, node.place, std::move(parsed.error().message), {{std::move(parsed.error().note)}});
    return false;
  }
  text = std::move(*parsed);
  return true;
}

bool ValueReader::path(const KeyRow& row, const SyntaxNode& node, Template& text) {
  return filled_text(row, node) && template_text(node, text);
}

bool ValueReader::account(const KeyRow& row, const SyntaxNode& node, Template& text) {
  if (node.kind != NodeKind::integer) return filled_text(row, node) && template_text(node, text);
  // The highest number stands for "none" wherever the kernel takes one (setresuid(2)).
  if (node.integer < 0 || node.integer >= UINT32_MAX) {
    diagnostics_.add(Code::out_of_range, node.place, fmt::format("{} is out of range", hcrc::compiler::text(row)),
                     {{"a number of a user or group is from 0 to 4294967294"}});
    return false;
  }
  text = literal_template(std::to_string(node.integer));
  return true;
}

// What has variables in it is looked at when they are filled in.
bool ValueReader::address(const KeyRow& row, const SyntaxNode& node, Template& text) {
  if (!filled_text(row, node) || !template_text(node, text)) return false;
  const std::string* literal = literal_text(text);
  if (literal == nullptr) return true;
  const auto bad = [&](std::string_view why) {
    diagnostics_.add(Code::bad_address, node.place, fmt::format("{} is no address", in_quotes(*literal)),
                     {{std::string(why)}});
    return false;
  };
  if (const std::size_t scheme = literal->find("://"); scheme != std::string::npos) {
    return bad(fmt::format("write {} = {}: HOST:PORT alone, without a scheme in front", row.name,
                           toml_text(std::string_view(*literal).substr(scheme + 3, 80))));
  }
  const auto endpoint = parse_endpoint(*literal);
  if (!endpoint) return bad(endpoint.error());
  if (row.kind == ValueKind::tcp_address && !endpoint->path.empty()) return bad("a connection has no path; http has one");
  return true;
}

}  // namespace hcrc::compiler

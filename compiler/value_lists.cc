// The values that have elements: lists, tables of the user's own names, limits.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "compiler/suggested_value.h"
#include "compiler/template_text.h"
#include "compiler/value_reader.h"
#include "core/bounds.h"
#include "core/capability_names.h"
#include "core/units.h"

namespace hcrc::compiler {

namespace {

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_instance_name(std::string_view name) {
  return name.size() <= bounds::name_bytes &&
         std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

constexpr std::string_view cpu_share_note =
    R"(it is a percentage of one processor, "50%" or "250%", or microseconds in each period, "50000 100000")";

// The number that was written, with a unit.
std::string unit_of_size(const KeyRow& row, std::string_view number) {
  if (number.empty() || number.size() > 12 || number.starts_with('-')) return R"(write "512M" or "2G")";
  return fmt::format("write {} = \"{}M\" for mebibytes; \"{}K\", \"{}G\" and \"{}B\" are other sizes", row.name, number,
                     number, number, number);
}

// What a size is written as; a limit may be a number, too.
std::string size_note(const KeyRow& row, std::string_view text, bool bare) {
  if (row.kind == ValueKind::limit) {
    return bare ? "a number stands without quotes; a size has a unit: \"16K\", \"16M\", \"1G\""
                : "it is a number without quotes, a size such as \"16M\", or \"unlimited\"";
  }
  return bare ? unit_of_size(row, text) : "it is a size such as \"16M\", or \"unlimited\"";
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && std::ranges::none_of(name, [](char c) {
    return c == '=' || static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) == 0x7F;
  });
}

}  // namespace

bool ValueReader::exit_code(const KeyRow& row, const SyntaxNode& node, Item& item) {
  if (node.kind != NodeKind::integer) {
    wrong_type(row, node);
    return false;
  }
  item.number = static_cast<std::uint64_t>(node.integer);
  return in_range(row, node, node.integer);
}

bool ValueReader::element(const KeyRow& row, const SyntaxNode& node, Item& item) {
  if (row.kind == ValueKind::codes) return exit_code(row, node, item);
  if (row.kind == ValueKind::accounts) return account(row, node, item.text);
  if (row.kind == ValueKind::paths || row.kind == ValueKind::path_or_paths) return path(row, node, item.text);
  if (row.kind == ValueKind::variable_names) {
    if (!usable_text(row, node)) return false;
    if (is_variable_name(node.text)) return true;
    diagnostics_.add(Code::bad_variable_name, node.place,
                     fmt::format("{} cannot be a variable's name", in_quotes(node.text)),
                     {{R"(a condition on a value is written env = { NAME = "value" })"}});
    return false;
  }
  if (!filled_text(row, node)) return false;
  if (row.kind == ValueKind::instances && !is_instance_name(node.text)) {
    diagnostics_.add(Code::bad_instance_name, node.place,
                     fmt::format("{} cannot be an instance's name", in_quotes(node.text)),
                     {{fmt::format("it has letters, digits, _, . and -, and at most {} bytes", bounds::name_bytes)}});
    return false;
  }
  if (row.kind == ValueKind::capabilities) {
    const auto number = capability_number(node.text);
    item.number = number.value_or(0);
    if (number) return true;
    diagnostics_.add(Code::unknown_capability, node.place, fmt::format("there is no capability {}", in_quotes(node.text)),
                     {{suggestions_.capability(node.text)}});
    return false;
  }
  return true;
}

Value ValueReader::list(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind != NodeKind::array) {
    wrong_type(row, node);
    return {};
  }
  Items items;
  std::unordered_map<std::string, Place> seen;
  for (const SyntaxNode& child : tree_.children(node)) {
    Item item{.name = child.text, .text = {}, .place = child.place, .name_place = {}};
    if (!element(row, child, item)) continue;
    // Two ways to write one thing (CHOWN, CAP_CHOWN; 1, "1") are the same thing.
    std::string identity = child.text;
    if (row.kind == ValueKind::capabilities) identity = all_capability_names[item.number];
    if (child.kind == NodeKind::integer) identity = std::to_string(child.integer);
    const auto [first, is_new] = seen.emplace(std::move(identity), child.place);
    if (is_new) {
      items.push_back(std::move(item));
      continue;
    }
    diagnostics_.add(Code::duplicate, child.place,
                     fmt::format("{} is in {} twice",
                                 child.kind == NodeKind::integer ? first->first : in_quotes(first->first), text(row)),
                     {{"the first one stands here", first->second}});
  }
  if (row.kind == ValueKind::instances && tree_.children(node).empty()) {
    diagnostics_.add(Code::empty_value, node.place, fmt::format("{} is empty", text(row)),
                     {{"without an instance there is nothing to run; leave the key out for a single service"}});
    return {};
  }
  return items;
}

Value ValueReader::words(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind != NodeKind::array) {
    wrong_type(row, node);
    return {};
  }
  Items items;
  bool good = true;
  for (const SyntaxNode& child : tree_.children(node)) {
    Item item{.name = {}, .text = {}, .place = child.place, .name_place = {}};
    if (usable_text(row, child) && template_text(child, item.text)) {
      items.push_back(std::move(item));
    } else {
      good = false;
    }
  }
  if (!good) return {};
  if (!items.empty() && items[0].text.pieces.empty()) {
    diagnostics_.add(Code::empty_value, items[0].place, fmt::format("{} begins with an empty word", text(row)),
                     {{"the first word is the program"}});
    return {};
  }
  const bool needs_some = row.key == Key::ready_exec || row.key == Key::health_exec;
  if (items.empty() && needs_some) {
    diagnostics_.add(Code::empty_value, node.place, fmt::format("{} is empty", text(row)),
                     {{fmt::format("{}: {}", row.name, row.help)}});
    return {};
  }
  return items;
}

Value ValueReader::variables(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind != NodeKind::table) {
    wrong_type(row, node);
    return {};
  }
  Items items;
  for (const SyntaxNode& child : tree_.children(node)) {
    if (!is_variable_name(child.key)) {
      diagnostics_.add(Code::bad_variable_name, child.key_place,
                       fmt::format("{} cannot be a variable's name", in_quotes(child.key)),
                       {{"a name is not empty and has no =, no blank and no control character"}});
      continue;
    }
    if (!usable_text(row, child)) continue;
    Item item{.name = child.key, .text = {}, .place = child.place, .name_place = child.key_place};
    if (row.kind == ValueKind::literals) {
      item.text = literal_template(child.text);
    } else if (!template_text(child, item.text)) {
      continue;
    }
    items.push_back(std::move(item));
  }
  return items;
}

bool ValueReader::limit_number(const KeyRow& row, const SyntaxNode& node, Item& item) {
  if (node.kind == NodeKind::integer) {
    if (node.integer < 0) {
      diagnostics_.add(Code::out_of_range, node.place, fmt::format("{} is below 0", text(row)),
                       {{R"(no limit is written "unlimited")"}});
      return false;
    }
    item.number = static_cast<std::uint64_t>(node.integer);
    return true;
  }
  return size_number(row, node, item);
}

bool ValueReader::size_number(const KeyRow& row, const SyntaxNode& node, Item& item) {
  if (!filled_text(row, node)) return false;
  if (node.text == "unlimited") {
    item.number = Limit::unlimited;
    return true;
  }
  const auto size = parse_size(node.text);
  if (size) {
    item.number = *size;
    return true;
  }
  if (size.error() == UnitError::too_large) {
    diagnostics_.add(Code::out_of_range, node.place, fmt::format("{} is out of range", text(row)),
                     {{std::string(advice_for_size(size.error()))}});
    return false;
  }
  const bool bare = size.error() == UnitError::bare_number;
  if (const auto meant = bare ? std::nullopt : suggested_size(node.text)) {
    diagnostics_.add(Code::bad_quantity, node.place, fmt::format("{} is no size", in_quotes(node.text)),
                     {{fmt::format("write \"{}\": sizes are powers of two", *meant)}});
    return false;
  }
  diagnostics_.add(bare ? Code::missing_unit : Code::bad_quantity, node.place,
                   bare ? fmt::format("{} has no unit", text(row)) : fmt::format("{} is no size", in_quotes(node.text)),
                   {{size_note(row, node.text, bare)}});
  return false;
}

Value ValueReader::size(const KeyRow& row, const SyntaxNode& node) {
  if (node.kind == NodeKind::integer || node.kind == NodeKind::real) {
    const std::string number = node.kind == NodeKind::integer ? std::to_string(node.integer) : std::string();
    diagnostics_.add(Code::missing_unit, node.place, fmt::format("{} has no unit", text(row)),
                     {{unit_of_size(row, number)}});
    return {};
  }
  Item item{.name = {}, .text = {}, .place = node.place, .name_place = {}};
  if (!size_number(row, node, item)) return {};
  if (item.number > 0) return Items{std::move(item)};
  diagnostics_.add(Code::out_of_range, node.place, fmt::format("{} is out of range", text(row)),
                   {{"it is more than nothing; no limit is written \"unlimited\""}});
  return {};
}

Value ValueReader::cpu_share(const KeyRow& row, const SyntaxNode& node) {
  const auto no_unit = [&](const std::string& number) {
    diagnostics_.add(Code::missing_unit, node.place, fmt::format("{} has no unit", text(row)),
                     {{number.empty() ? std::string(cpu_share_note) : fmt::format("{}; {}", number, cpu_share_note)}});
    return Value();
  };
  if (node.kind == NodeKind::real && node.real > 0 && node.real < 1'000) {
    return no_unit(fmt::format("write {} = \"{}%\" for {} processors", row.name, std::llround(node.real * 100), node.real));
  }
  if (node.kind == NodeKind::integer || node.kind == NodeKind::real) return no_unit({});
  if (!filled_text(row, node)) return {};
  Item quota{.name = {}, .text = {}, .place = node.place, .name_place = {}};
  Item period = quota;
  const auto share = node.text == "unlimited" ? CpuShare{.quota_us = Resources::none} : parse_cpu_share(node.text);
  if (!share) {
    switch (share.error()) {
      case UnitError::empty:
      case UnitError::bare_number: return no_unit({});
      case UnitError::malformed:
        diagnostics_.add(Code::bad_quantity, node.place,
                         fmt::format("{} is no share of the processors", in_quotes(node.text)),
                         {{std::string(cpu_share_note)}});
        break;
      case UnitError::too_large:
        diagnostics_.add(
            Code::out_of_range, node.place, fmt::format("{} is out of range", text(row)),
            {{"the quota is from 1000 microseconds (1%) to 100000%, the period from 1000 to 1000000 microseconds"}});
        break;
    }
    return {};
  }
  quota.number = share->quota_us;
  period.number = share->period_us;
  return Items{std::move(quota), std::move(period)};
}

Value ValueReader::limit(const KeyRow& row, const SyntaxNode& node) {
  Item item{.name = {}, .text = {}, .place = node.place, .name_place = {}};
  if (node.kind != NodeKind::table) {
    if (node.kind != NodeKind::integer && node.kind != NodeKind::text) {
      wrong_type(row, node);
      return {};
    }
    return limit_number(row, node, item) ? Value(Items{std::move(item)}) : Value();
  }
  Items items;
  bool good = true;
  for (const SyntaxNode& child : tree_.children(node)) {
    item = {.name = child.key, .text = {}, .place = child.place, .name_place = child.key_place};
    if (child.key != "soft" && child.key != "hard") {
      diagnostics_.add(Code::unknown_key, child.key_place,
                       fmt::format("there is no key {} in a limit", in_quotes(child.key)), {{"a limit has soft and hard"}});
      good = false;
    } else if (limit_number(row, child, item)) {
      items.push_back(item);
    } else {
      good = false;
    }
  }
  return good ? Value(std::move(items)) : Value();
}

}  // namespace hcrc::compiler

#include "tests/compiler/random_definitions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "compiler/key_table.h"
#include "core/random.h"

namespace hcrc::compiler {

namespace {

struct Made {
  std::string name;
  ServiceType type{};
  std::vector<std::string> instances;
};

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::vector<TextFile> run(std::size_t count);

 private:
  std::uint64_t below(std::uint64_t bound) { return random_.upto(bound - 1); }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <typename Element>
  const Element& one_of(const std::vector<Element>& elements) {
    return elements[below(elements.size())];
  }

  TextFile definition(std::size_t number);
  void add_keys(const Made& made);
  bool fits(const KeyRow& row);
  std::string value(const KeyRow& row, const Made& made);
  std::string text();
  std::string list(std::size_t most, const std::vector<std::string>& elements);
  std::string names(const KeyRow& row, const Made& made);
  std::string limit();

  Random random_;
  std::vector<Made> made_;
  std::string top_, tables_, table_;
  std::set<std::string> groups_;  // of keys that exclude each other
  bool limited_ = false;          // whether attempts is a number
  bool last_ = false;             // one of the last definitions: its edges lead the other way, to those that come after it
};

const std::vector<std::string> texts{R"("")",
                                     R"("/usr/bin/x")",
                                     R"("${A}")",
                                     R"("a${B:-c}/d")",
                                     R"("$$$${A}$ $x$$")",
                                     R"("x$$${A:-$$}${B}")",
                                     R"('"\ ')",
                                     R"("\u0007\u202E\U0001F427\n\t\r\\")",
                                     "\"\"\"\n  two\nlines\"\"\"",
                                     R"("ä")",
                                     R"("${A:-$${b$}")"};

std::string Generator::text() { return one_of(texts); }

// Each element once.
std::string Generator::list(std::size_t most, const std::vector<std::string>& elements) {
  std::vector<std::string> taken;
  for (std::size_t i = below(most + 1); i > 0 && !elements.empty(); --i) {
    const std::string& element = one_of(elements);
    if (std::ranges::find(taken, element) == taken.end()) taken.push_back(element);
  }
  return fmt::format("[{}]", fmt::join(taken, ", "));
}

std::string Generator::names(const KeyRow& row, const Made& made) {
  std::vector<std::string> known;
  for (const Made& other : made_) {
    if (row.key == Key::log_to && other.type != ServiceType::longrun) continue;
    if (row.key != Key::log_to || other.instances.empty()) known.push_back(fmt::format("\"{}\"", other.name));
    for (const std::string& instance : other.instances) known.push_back(fmt::format("\"{}@{}\"", other.name, instance));
    const bool all = std::ranges::all_of(made.instances, [&](const std::string& instance) {
      return std::ranges::find(other.instances, instance) != other.instances.end();
    });
    if (!made.instances.empty() && !other.instances.empty() && all) known.push_back(fmt::format("\"{}@\"", other.name));
  }
  if (row.key == Key::log_to) return known.empty() ? "" : one_of(known);
  return list(4, known);
}

std::string Generator::limit() {
  const std::vector<std::string> numbers{"0", "7", R"("3B")", R"("16M")", "4096"};
  if (chance(50)) return chance(20) ? R"("unlimited")" : chance(10) ? R"("8388608T")" : one_of(numbers);
  return chance(50) ? R"({ soft = "1K", hard = "unlimited" })" : R"({ soft = 5, hard = 1025 })";
}

std::string Generator::value(const KeyRow& row, const Made& made) {
  // What one key asks for and another forbids must differ.
  const bool negative = row.name.ends_with("not") || row.name.ends_with("unset");
  const std::string mark = negative ? "N" : "P";
  const std::vector<std::string> paths{fmt::format("\"/a {}\"", mark), fmt::format("\"${{{}:-/x}}/y\"", mark),
                                       fmt::format("\"${{{}}}\"", mark), fmt::format("\"{}\"", mark)};
  const std::vector<std::string> accounts{"5", R"("adm")", R"("${U:-tty}")", "0"};
  const std::vector<std::string> variables{fmt::format("\"{}\"", mark), fmt::format("\"{}-c\"", mark),
                                           fmt::format("\"{}ö\"", mark)};
  switch (row.kind) {
    case ValueKind::boolean: return chance(50) ? "true" : "false";
    case ValueKind::choice: return fmt::format("\"{}\"", row.choices[below(row.choices.size())]);
    case ValueKind::text: return text();
    case ValueKind::octal: return fmt::format("\"{:o}\"", below(0777));
    case ValueKind::integer:
      // Below 500 may be the descriptors of logs.
      if (row.key == Key::ready_fd) return std::to_string(500 + below(500));
      return std::to_string(row.least +
                            static_cast<std::int64_t>(below(static_cast<std::uint64_t>(row.most - row.least + 1))));
    case ValueKind::decimal: {
      const auto number = row.least + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(row.most - row.least + 1)));
      return fmt::format("{}.{:03}", number / 1'000, number % 1'000);
    }
    case ValueKind::count: {
      const bool limited = chance(50);
      if (row.key == Key::restart_attempts) limited_ = limited;
      return limited ? std::to_string(row.least + static_cast<std::int64_t>(below(8))) : R"("unlimited")";
    }
    case ValueKind::size: return one_of<std::string>({R"("1B")", R"("16M")", R"("unlimited")", R"("8388607T")"});
    case ValueKind::cpu_share: return one_of<std::string>({R"("1%")", R"("250%")", R"("unlimited")", R"("1001 1000000")"});
    case ValueKind::duration:
      if (row.key == Key::restart_max_delay) return fmt::format("\"{}s\"", 1 + below(100));
      return fmt::format("\"{}ms\"", 1 + below(chance(50) ? 1'000 : 10'000'000));
    case ValueKind::codes:
      return row.key == Key::restart_success_codes ? list(3, {"0", "1", "2"}) : list(3, {"3", "128", "255"});
    case ValueKind::signal: return one_of<std::string>({R"("INT")", R"("SIGTERM")", R"("SIGRTMIN+3")", R"("HUP")"});
    case ValueKind::path: return one_of(paths);
    case ValueKind::path_or_paths: return chance(50) ? one_of(paths) : list(3, paths);
    case ValueKind::paths: return list(3, paths);
    case ValueKind::words: return fmt::format("[\"hcrc-log\", {}, {}]", text(), text());
    case ValueKind::account: return one_of(accounts);
    case ValueKind::accounts: return list(3, accounts);
    case ValueKind::tcp_address: return one_of<std::string>({R"("[::1]:80")", R"("a:${P:-1}")", R"("b:65535")"});
    case ValueKind::http_address: return one_of<std::string>({R"("[::1]:80/x")", R"("a:${P:-1}")", R"("b:65535/")"});
    case ValueKind::service:
    case ValueKind::services: return names(row, made);
    case ValueKind::instances: return fmt::format("[\"{}\"]", fmt::join(made.instances, "\", \""));
    case ValueKind::variable_names: return list(3, variables);
    case ValueKind::variables: return fmt::format("{{ A = {}, \"b.c\" = {}, \"\\\"\" = \"\" }}", text(), text());
    case ValueKind::literals: return fmt::format("{{ \"{}.B\" = {}, {} = {} }}", mark, text(), mark, text());
    case ValueKind::limit: return limit();
    case ValueKind::capabilities: return list(3, {R"("CHOWN")", R"("CAP_NET_RAW")", R"("CAP_BPF")"});
  }
  return "";
}

// Whether the key may stand beside those that are there: what contradicts each other is the tests' of diagnostics.
bool Generator::fits(const KeyRow& row) {
  const auto one_of_these = [&](std::initializer_list<Key> keys) { return std::ranges::find(keys, row.key) != keys.end(); };
  // delay may be above max-delay.
  if (one_of_these({Key::override_, Key::type, Key::instances, Key::restart_delay})) return false;
  if (row.key == Key::restart_exhausted) return limited_;
  if (row.key == Key::before) return last_;
  if (one_of_these({Key::requires_, Key::wants, Key::after, Key::binds_to, Key::log_to})) return !last_;
  if (one_of_these({Key::ready_notify, Key::ready_fd, Key::ready_tcp, Key::ready_http, Key::ready_exec})) {
    return groups_.insert("ready").second;
  }
  if (one_of_these({Key::health_tcp, Key::health_http, Key::health_exec})) return groups_.insert("health").second;
  return true;
}

void Generator::add_keys(const Made& made) {
  for (const KeyRow& row : key_table()) {
    if (!row.definitions.has(made.type)) continue;
    const bool must = row.key == Key::command || row.key == Key::contents;
    if (!must && (!chance(25) || !fits(row))) continue;
    const std::string text = value(row, made);
    if (text.empty()) continue;
    std::string& out = row.table.empty() ? top_ : tables_;
    if (!row.table.empty() && row.table != table_) out.append(fmt::format("[{}]\n", row.table));
    table_ = row.table;
    out.append(fmt::format("{} = {}\n", row.name, text));
  }
}

TextFile Generator::definition(std::size_t number) {
  Made made{.name = fmt::format("{}{}", one_of<std::string>({"s", "S-", "a.b", "z_"}), number),
            .type = static_cast<ServiceType>(below(5) % 4),
            .instances = {}};
  top_.clear(), tables_.clear(), table_.clear(), groups_.clear(), limited_ = false;
  if (made.type != ServiceType::bundle && chance(35)) {
    for (const char* instance : {"x", "1", "y-", "2"}) {
      if (chance(60)) made.instances.push_back(instance);
    }
  }
  top_.append(fmt::format("type = \"{}\"\n", hcrc::text(made.type)));
  if (!made.instances.empty()) top_.append(fmt::format("instances = [\"{}\"]\n", fmt::join(made.instances, "\", \"")));
  add_keys(made);
  made_.push_back(made);
  return {.name = made.name, .text = top_ + tables_};
}

std::vector<TextFile> Generator::run(std::size_t count) {
  std::vector<TextFile> files;
  for (std::size_t i = 0; i < count; ++i) {
    last_ = i >= count - count / 4;
    files.push_back(definition(i));
  }
  return files;
}

}  // namespace

std::vector<TextFile> random_definitions(std::uint64_t seed, std::size_t count) { return Generator(seed).run(count); }

}  // namespace hcrc::compiler

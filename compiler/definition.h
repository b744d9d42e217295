// A service definition as it was written: the keys that are there, each with its value and its place. Nothing is filled in
// and nothing is compared with other definitions yet.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/key_table.h"
#include "compiler/source_file.h"
#include "core/graph.h"

namespace hcrc::compiler {

// An element of a list or of a table of the user's own names.
struct Item {
  std::string name;  // the name it is in a table or list of names; "soft", "hard" or "" of a limit
  Template text;     // the value, of lists and tables of texts
  std::uint64_t number = 0;
  Place place;       // of the element; in a table of its value
  Place name_place;  // in a table
};
using Items = std::vector<Item>;

// What a key's ValueKind is read into:
//   bool                 boolean
//   std::int64_t         choice (its index), octal, integer, decimal, count (-1: unlimited), duration, signal
//   std::string          text
//   Template             path, account, tcp_address, http_address
//   Items                everything else: lists and tables; `service` and `size` are lists of one, `cpu_share` is quota and
//                        period
//   std::monostate       the value is wrong, which has been said: whoever looks at the key knows that it was meant to be
//   there
using Value = std::variant<std::monostate, bool, std::int64_t, std::string, Template, Items>;

struct Setting {
  Key key{};
  Place key_place;
  Place place;  // of the value
  Value value;
};

struct Definition {
  std::string name;
  Place place;                    // the file as a whole
  std::vector<Setting> settings;  // sorted by key, each once
  std::vector<Key> meant;         // keys that a mistyped one was probably meant to be
  bool incomplete = false;        // a file that it comes from could not be read: nothing is said about what is missing

  const Setting* find(Key key) const {
    const auto at = std::ranges::lower_bound(settings, key, {}, &Setting::key);
    return at == settings.end() || at->key != key ? nullptr : &*at;
  }
  // The value of a key that is there and right.
  template <typename Type>
  const Type* value(Key key) const {
    const Setting* setting = find(key);
    return setting == nullptr ? nullptr : std::get_if<Type>(&setting->value);
  }
  bool has(Key key) const { return find(key) != nullptr; }
  // Whether the user meant to write it: nobody is told that what they mistyped is missing.
  bool means(Key key) const { return has(key) || std::ranges::find(meant, key) != meant.end(); }
};

// What a choice of `override` is read into.
enum class Override : std::uint8_t { merge, replace };

// The type that is written, or longrun; none where what is written is wrong, or the definition incomplete and without a
// type.
std::optional<ServiceType> service_type(const Definition& definition);

}  // namespace hcrc::compiler

#include "compiler/connections.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "compiler/nearest.h"

namespace hcrc::compiler {

namespace {

constexpr std::array<std::pair<Key, ConnectionKind>, 7> lists{{{Key::requires_, ConnectionKind::requires_},
                                                               {Key::wants, ConnectionKind::wants},
                                                               {Key::after, ConnectionKind::after},
                                                               {Key::before, ConnectionKind::before},
                                                               {Key::binds_to, ConnectionKind::binds_to},
                                                               {Key::log_to, ConnectionKind::log_to},
                                                               {Key::contents, ConnectionKind::contents}}};

class Connector {
 public:
  Connector(std::span<const Definition> definitions, const NameTable& names, const Limits& limits, Diagnostics& diagnostics)
      : definitions_(definitions), names_(names), limits_(limits), diagnostics_(diagnostics), nearest_(all_names(names)) {}

  Connections run();

 private:
  static std::vector<std::string_view> all_names(const NameTable& names) {
    std::vector<std::string_view> all;
    for (std::uint32_t i = 0; i < names.size(); ++i) all.push_back(names[i].text);
    return all;
  }

  // False where there are too many connections.
  bool connect_definition(std::uint32_t definition);
  bool connect_item(std::uint32_t definition, ConnectionKind kind, const Item& item);
  bool add(std::uint32_t owner, std::uint32_t target, ConnectionKind kind, Place place);
  // The instance of `base` that has the same name as `owner`; reports where there is none.
  std::optional<std::uint32_t> same_instance(std::uint32_t owner, std::string_view base, const Item& item);
  // Where a service says its instances; nowhere where it does not.
  Place instances_place(std::string_view base) const;
  bool reads_logs(std::uint32_t target, const Item& item);
  void unknown(const Item& item);

  std::span<const Definition> definitions_;
  const NameTable& names_;
  const Limits& limits_;
  Diagnostics& diagnostics_;
  NearestName nearest_;
  Connections result_;
};

void Connector::unknown(const Item& item) {
  std::vector<Note> notes;
  if (const auto near = nearest_.find(item.name)) {
    notes.push_back({fmt::format("did you mean \"{}\"?", *near)});
  } else {
    notes.push_back({"a service NAME is defined by a file NAME.toml in one of the folders"});
  }
  diagnostics_.add(Code::unknown_service, item.place, fmt::format("there is no service {}", in_quotes(item.name)), notes);
}

bool Connector::add(std::uint32_t owner, std::uint32_t target, ConnectionKind kind, Place place) {
  if (result_.all.size() == limits_.connections) {
    diagnostics_.add(Code::too_large, place, "there are too many connections between services from here on",
                     {{fmt::format("a database has room for {}", limits_.connections)}});
    result_.complete = false;
    return false;
  }
  result_.all.push_back({.owner = owner, .target = target, .kind = kind, .place = place});
  return true;
}

Place Connector::instances_place(std::string_view base) const {
  const auto definition = names_.definition_of(base);
  const Setting* setting = definition ? definitions_[*definition].find(Key::instances) : nullptr;
  return setting == nullptr ? Place() : setting->place;
}

std::optional<std::uint32_t> Connector::same_instance(std::uint32_t owner, std::string_view base, const Item& item) {
  const std::string_view instance = names_[owner].instance;
  if (instance.empty()) {
    diagnostics_.add(
        Code::no_such_instances, item.place,
        fmt::format("{} has no instances, so {} names none", harmless(names_[owner].text), in_quotes(item.name)),
        {{fmt::format("one instance is called {}@INSTANCE, all of them {}", harmless(base), harmless(base))}});
    return std::nullopt;
  }
  const auto target = names_.find(fmt::format("{}@{}", base, instance));
  if (target) return target;
  diagnostics_.add(
      Code::no_such_instances, item.place,
      fmt::format("there is no {}@{} for {}", harmless(base), instance, harmless(names_[owner].text)),
      {{fmt::format("{} needs an instance of the same name: instances = [\"{}\", ...]", harmless(base), instance),
        instances_place(base)}});
  return std::nullopt;
}

// Reports what cannot receive a log; a definition without a known type may.
bool Connector::reads_logs(std::uint32_t target, const Item& item) {
  const Definition& definition = definitions_[names_[target].definition];
  const auto type = service_type(definition);
  std::string why;
  Note note{"log-to names one longrun"};
  if (type && *type != ServiceType::longrun) {
    why = fmt::format("a {}", text(*type));
    note = {"its type stands here, and log-to names a longrun", definition.find(Key::type)->place};
  } else if (names_[target].bundle) {
    why = "the name of several instances";
    // None is left where all of them are wrong.
    const auto instances = names_.services_of(names_[target].definition);
    if (!instances.empty()) {
      note.text = fmt::format("log-to names one longrun: write log-to = \"{}\", or another instance",
                              names_[instances.front()].text);
    }
  } else {
    return true;
  }
  diagnostics_.add(Code::bad_log_target, item.place,
                   fmt::format("{} cannot receive a log: it is {}", in_quotes(item.name), why), {std::move(note)});
  return false;
}

bool Connector::connect_item(std::uint32_t definition, ConnectionKind kind, const Item& item) {
  const std::string_view name = item.name;
  const auto named = names_.definition_of(name);
  const bool same = name.ends_with('@');
  const auto plain = same ? std::nullopt : names_.find(name);
  if (!named || (!same && !plain)) {
    // What instances a file that could not be read has is not known.
    if (!(named && definitions_[*named].incomplete)) unknown(item);
    return true;
  }
  if (same && definitions_[*named].incomplete) return true;
  if (plain && kind == ConnectionKind::log_to && !reads_logs(*plain, item)) return true;
  // The contents of a bundle are its name's; everything else is each service's.
  const std::uint32_t own = names_.own_name(definition);
  const std::span<const std::uint32_t> owners =
      kind == ConnectionKind::contents ? std::span(&own, 1) : names_.services_of(definition);
  for (const std::uint32_t owner : owners) {
    const auto target = same ? same_instance(owner, name.substr(0, name.size() - 1), item) : plain;
    if (!target) return true;
    if (same && kind == ConnectionKind::log_to && !reads_logs(*target, item)) return true;
    if (*target == owner || *target == own) {
      diagnostics_.add(Code::depends_on_itself, item.place, fmt::format("{} names itself", harmless(names_[owner].text)),
                       {{"a service cannot wait for itself; leave its name out of the list"}});
      return true;
    }
    if (!add(owner, *target, kind, item.place)) return false;
  }
  return true;
}

bool Connector::connect_definition(std::uint32_t definition) {
  const std::uint32_t own = names_.own_name(definition);
  if (definitions_[definition].has(Key::instances)) {
    for (const std::uint32_t service : names_.services_of(definition)) {
      const ServiceName& name = names_[service];
      if (!name.instance.empty() && !add(own, service, ConnectionKind::contents, name.instance_place)) return false;
    }
  }
  const auto type = service_type(definitions_[definition]);
  for (const auto& [key, kind] : lists) {
    // A key of another type is reported, and then left out.
    if (type && !row(key).definitions.has(*type)) continue;
    const Items* items = definitions_[definition].value<Items>(key);
    if (items == nullptr) continue;
    for (const Item& item : *items) {
      if (!connect_item(definition, kind, item)) return false;
    }
  }
  return true;
}

Connections Connector::run() {
  for (std::uint32_t i = 0; i < definitions_.size() && connect_definition(i); ++i) {
  }
  return std::move(result_);
}

}  // namespace

Connections connect(std::span<const Definition> definitions, const NameTable& names, const Limits& limits,
                    Diagnostics& diagnostics) {
  if (!names.complete()) return {.all = {}, .complete = false};
  return Connector(definitions, names, limits, diagnostics).run();
}

}  // namespace hcrc::compiler

#include "compiler/reach_check.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace hcrc::compiler {

namespace {

class ReachCheck {
 public:
  ReachCheck(std::span<const Definition> definitions, const NameTable& names, std::span<const Connection> connections,
             Diagnostics& diagnostics)
      : definitions_(definitions),
        names_(names),
        connections_(connections),
        diagnostics_(diagnostics),
        reached_(names.size()) {}

  void run() {
    unused_bundles();
    reach();
    orders_without_effect();
  }

 private:
  const Definition& definition(std::uint32_t name) const { return definitions_[names_[name].definition]; }
  bool is_defined_bundle(std::uint32_t name) const { return service_type(definition(name)) == ServiceType::bundle; }
  bool starts_at_boot(std::uint32_t name) const {
    const bool* written = definition(name).value<bool>(Key::autostart);
    return written == nullptr || *written;
  }
  // A bundle can be named from outside: `--target`, `hcrc start`.
  bool is_root(std::uint32_t name) const { return names_[name].bundle ? is_defined_bundle(name) : starts_at_boot(name); }

  void unused_bundles();
  void reach();
  void orders_without_effect();

  std::span<const Definition> definitions_;
  const NameTable& names_;
  std::span<const Connection> connections_;
  Diagnostics& diagnostics_;
  std::vector<bool> reached_;  // of names: something starts it, or all or some of what is in it
};

void ReachCheck::unused_bundles() {
  std::vector<bool> named(names_.size());
  for (const Connection& connection : connections_) named[connection.target] = true;
  for (std::uint32_t i = 0; i < names_.size(); ++i) {
    if (!is_defined_bundle(i) || named[i] || definition(i).has(Key::autostart)) continue;
    diagnostics_.add(Code::unused_bundle, definition(i).find(Key::type)->key_place,
                     fmt::format("nothing names the bundle {}, and it is not started at boot", names_[i].text),
                     {{"write autostart = true to start at boot what is in it"},
                      {"write autostart = false where it is there for `hcrc start` and --target"}});
  }
}

// Everything that is started with something, from the roots on.
void ReachCheck::reach() {
  std::vector<std::vector<std::uint32_t>> starts(names_.size());
  for (const Connection& connection : connections_) {
    if (connection.kind == ConnectionKind::after || connection.kind == ConnectionKind::before) continue;
    starts[connection.owner].push_back(connection.target);
  }
  std::vector<std::uint32_t> open;
  const auto enter = [&](std::uint32_t name) {
    if (reached_[name]) return;
    reached_[name] = true;
    open.push_back(name);
  };
  for (std::uint32_t i = 0; i < names_.size(); ++i) {
    if (is_root(i)) enter(i);
  }
  while (!open.empty()) {
    const std::uint32_t name = open.back();
    open.pop_back();
    for (const std::uint32_t target : starts[name]) enter(target);
  }
  // The name of instances is reached where one of them is.
  for (const Connection& connection : connections_) {
    if (connection.kind == ConnectionKind::contents && reached_[connection.target]) reached_[connection.owner] = true;
  }
}

void ReachCheck::orders_without_effect() {
  Place last;
  for (const Connection& connection : connections_) {
    if (connection.kind != ConnectionKind::after && connection.kind != ConnectionKind::before) continue;
    if (!reached_[connection.owner] || reached_[connection.target]) continue;
    // Instances say the same several times.
    if (std::exchange(last, connection.place) == connection.place) continue;
    const std::string& target = names_[connection.target].text;
    const Definition& other = definition(connection.target);
    diagnostics_.add(
        Code::unreachable_order, connection.place, fmt::format("nothing starts {}, so this orders nothing", target),
        {{"it does not start at boot, and nothing requires, wants or contains it", other.find(Key::autostart)->key_place},
         {fmt::format("write wants = [\"{}\"] to start it along, or leave it out", target)}});
  }
}

}  // namespace

void check_reach(std::span<const Definition> definitions, const NameTable& names, std::span<const Connection> connections,
                 Diagnostics& diagnostics) {
  ReachCheck(definitions, names, connections, diagnostics).run();
}

}  // namespace hcrc::compiler

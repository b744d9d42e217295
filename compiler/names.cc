#include "compiler/names.h"

#include <fmt/format.h>

#include <algorithm>

namespace hcrc::compiler {

NameTable::NameTable(std::span<const Definition> definitions, const Limits& limits, Diagnostics& diagnostics) {
  for (std::uint32_t i = 0; i < definitions.size(); ++i) {
    const Definition& definition = definitions[i];
    const Items* instances = definition.value<Items>(Key::instances);
    const std::size_t count = 1 + (instances == nullptr ? 0 : instances->size());
    if (count > limits.services - names_.size()) {
      diagnostics.add(Code::too_many_services, {.file = definition.place.file, .line = 1, .column = 1},
                      "there are too many services from here on",
                      {{fmt::format("a node has at most {}, instances and bundles included", limits.services)}});
      complete_ = false;
      break;
    }
    const bool bundle = instances != nullptr || service_type(definition) == ServiceType::bundle;
    names_.push_back({.text = definition.name, .definition = i, .bundle = bundle});
    for (std::size_t at = 0; at + 1 < count; ++at) {
      const Item& instance = (*instances)[at];
      names_.push_back({.text = fmt::format("{}@{}", definition.name, instance.name),
                        .definition = i,
                        .instance = instance.name,
                        .instance_place = instance.place});
    }
  }
  std::ranges::sort(names_, {}, &ServiceName::text);

  own_.resize(definitions.size());
  services_begin_.resize(definitions.size() + 1);
  // Counted first, then put where they belong.
  const auto is_service = [](const ServiceName& name) { return !name.bundle; };
  for (const ServiceName& name : names_) {
    if (is_service(name)) ++services_begin_[name.definition + 1];
  }
  for (std::size_t i = 0; i < definitions.size(); ++i) services_begin_[i + 1] += services_begin_[i];
  services_.resize(services_begin_.back());
  std::vector<std::uint32_t> next(services_begin_.begin(), services_begin_.end());
  for (std::uint32_t i = 0; i < names_.size(); ++i) {
    const ServiceName& name = names_[i];
    index_.emplace(name.text, i);
    if (name.instance.empty()) own_[name.definition] = i;
    if (is_service(name)) services_[next[name.definition]++] = i;
  }
}

std::optional<std::uint32_t> NameTable::find(std::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

std::span<const std::uint32_t> NameTable::services_of(std::uint32_t definition) const {
  return std::span(services_).subspan(services_begin_[definition],
                                      services_begin_[definition + 1] - services_begin_[definition]);
}

std::optional<std::uint32_t> NameTable::definition_of(std::string_view name) const {
  const auto own = find(name.substr(0, name.find('@')));
  if (!own) return std::nullopt;
  return names_[*own].definition;
}

}  // namespace hcrc::compiler

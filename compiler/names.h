// Every name that an edge can lead to, in the order of the graph: each service, each instance, each bundle.
//
// A definition with `instances` stands for several services, NAME@a, NAME@b, and for a bundle of them that is called NAME.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/definition.h"
#include "compiler/diagnostics.h"
#include "compiler/limits.h"

namespace hcrc::compiler {

struct ServiceName {
  std::string text;
  std::uint32_t definition = 0;
  std::string_view instance = {};  // empty where it is none
  Place instance_place = {};       // in `instances`
  bool bundle = false;             // one that is defined, or the name of instances
};

class NameTable {
 public:
  // `definitions` is sorted by name and outlives the table. Reports when there are more names than there may be; the table
  // then has those of the definitions before.
  NameTable(std::span<const Definition> definitions, const Limits& limits, Diagnostics& diagnostics);

  std::size_t size() const { return names_.size(); }
  const ServiceName& operator[](std::uint32_t index) const { return names_[index]; }
  std::optional<std::uint32_t> find(std::string_view name) const;

  // The services of a definition: itself, or its instances.
  std::span<const std::uint32_t> services_of(std::uint32_t definition) const;
  // The name that stands for all of a definition.
  std::uint32_t own_name(std::uint32_t definition) const { return own_[definition]; }
  // The definition that a name of the form NAME, NAME@ or NAME@INSTANCE belongs to.
  std::optional<std::uint32_t> definition_of(std::string_view name) const;

  bool complete() const { return complete_; }

 private:
  std::vector<ServiceName> names_;  // sorted by text
  std::unordered_map<std::string_view, std::uint32_t> index_;
  std::vector<std::uint32_t> own_;
  std::vector<std::uint32_t> services_;        // of one definition after the other
  std::vector<std::uint32_t> services_begin_;  // per definition, and the end
  bool complete_ = true;
};

}  // namespace hcrc::compiler

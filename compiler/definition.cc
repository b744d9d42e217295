#include "compiler/definition.h"

namespace hcrc::compiler {

std::optional<ServiceType> service_type(const Definition& definition) {
  if (const auto* type = definition.value<std::int64_t>(Key::type)) return static_cast<ServiceType>(*type);
  if (definition.incomplete || definition.has(Key::type)) return std::nullopt;
  return ServiceType::longrun;
}

}  // namespace hcrc::compiler

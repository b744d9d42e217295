// Graphs for the tests of what reads or writes one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph.h"

namespace hcrc::samples {

// Marsaglia's xorshift64: the same numbers everywhere. The seed must not be 0.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

// A template from its source text: "a${B}c${D:-e}" is four pieces. Wants it well-formed; knows no "$$".
Template text(std::string_view source);
Arguments words(std::vector<std::string_view> sources);

// A service with a command and the defaults of its type.
Service service(std::string name, ServiceType type = ServiceType::longrun);

// The example of docs/database.md: `setup`, and `web` that requires it.
ServiceGraph documented();

// Five services and a bundle in which no field has its default.
ServiceGraph every_field();

// Each service requires the one before it.
ServiceGraph chain(std::size_t length);

// Anything that keeps the promises of core/graph.h.
ServiceGraph random(std::uint64_t seed, std::size_t services);

}  // namespace hcrc::samples

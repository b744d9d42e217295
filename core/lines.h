// Lines out of a stream of bytes. A newline ends a line; a line longer than the bound is cut into pieces of it. Nothing is
// allocated after construction. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hcrc {

class LineAssembler {
 public:
  explicit LineAssembler(std::size_t bound) : bound_(bound) { unfinished_.reserve(bound); }

  // Calls each(line) for every line that these bytes finish, without its newline. The view is valid during the call.
  template <typename Each>
  void feed(std::string_view bytes, Each each) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      std::string_view part = bytes.substr(0, end);
      const bool whole = end != std::string_view::npos;
      bytes.remove_prefix(whole ? end + 1 : bytes.size());
      if (whole && unfinished_.empty() && part.size() <= bound_) {  // most lines are not cut by a read
        each(part);
        continue;
      }
      while (unfinished_.size() + part.size() > bound_) {
        const std::size_t taken = bound_ - unfinished_.size();
        unfinished_.append(part.substr(0, taken));
        part.remove_prefix(taken);
        each(std::string_view(unfinished_));
        unfinished_.clear();
      }
      unfinished_.append(part);
      if (!whole) return;
      each(std::string_view(unfinished_));
      unfinished_.clear();
    }
  }

  // The stream has ended: what has no newline is a line, too.
  template <typename Each>
  void finish(Each each) {
    if (!unfinished_.empty()) each(std::string_view(unfinished_));
    unfinished_.clear();
  }

  bool unfinished() const { return !unfinished_.empty(); }

 private:
  std::size_t bound_;
  std::string unfinished_;
};

}  // namespace hcrc

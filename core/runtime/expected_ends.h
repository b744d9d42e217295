// Children that were told to end and are not reaped yet: asked for by number and in that order, they need no search. Who
// asks the kernel for any dead child has it look at all that live (waitid(2), P_ALL), from the oldest on, and a stop goes
// from the youngest to the oldest: that would be quadratic.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hcrc {

class ExpectedEnds {
 public:
  enum class Found : std::uint8_t { ended, lives, no_child };

  // Allocates; nothing else does.
  void make_room(std::size_t children) { pids_.reserve(children); }

  // One that finds no room is left out: it is found like others.
  void add(pid_t pid) {
    if (pids_.size() == pids_.capacity() || (!pids_.empty() && pids_.back() == pid)) return;
    pids_.push_back(pid);
  }

  // `ask(pid)` for each in turn until some in a row live: who was told later will hardly have ended first.
  template <typename Ask>
  void take(Ask ask) {
    constexpr std::size_t living_in_a_row = 4;
    std::size_t living = 0;
    std::size_t kept = 0;
    std::size_t next = 0;
    while (next < pids_.size() && living < living_in_a_row) {
      const pid_t pid = pids_[next++];
      const bool lives = ask(pid) == Found::lives;
      living = lives ? living + 1 : 0;
      if (lives) pids_[kept++] = pid;
    }
    pids_.erase(pids_.begin() + static_cast<std::ptrdiff_t>(kept), pids_.begin() + static_cast<std::ptrdiff_t>(next));
  }

  std::size_t size() const { return pids_.size(); }

 private:
  std::vector<pid_t> pids_;
};

}  // namespace hcrc

// A picture of the processes below one, and who of them is nobody's.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

namespace hcrc {

class ProcessTree {
 public:
  enum class Below : std::uint8_t {
    descendants,  // what has `root` for an ancestor
    everything,   // every process there is, what came into the namespace from outside too
  };

  // Looks at all of /proc once. Zombies, threads of the kernel and `root` itself are never orphans. Owned is what has its
  // pid, session or group in `spared`, and what descends from such a process. Where memory runs out, the picture is of those
  // that found room.
  ProcessTree(pid_t root, Below below, std::span<const pid_t> spared);

  // Calls `each` with pid and session of every orphan.
  template <typename Each>
  void each_orphan(Each each) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (entries_.get()[i].owner == Owner::nobody && entries_.get()[i].alive)
        each(entries_.get()[i].pid, entries_.get()[i].session);
    }
  }

 private:
  enum class Owner : std::uint8_t { unknown, asked, nobody, somebody, not_below };
  struct Entry {
    pid_t pid;
    pid_t parent;
    pid_t session;
    pid_t group;
    Owner owner;
    bool alive;
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  void look();
  void judge(std::size_t index);
  Entry* find(pid_t pid) const;
  bool spared(const Entry& entry) const;

  const pid_t root_;
  const Below below_;
  std::unique_ptr<pid_t, Free> spared_;  // sorted
  std::size_t spared_count_ = 0;
  std::unique_ptr<Entry, Free> entries_;  // by pid, ascending
  std::size_t count_ = 0;
};

}  // namespace hcrc

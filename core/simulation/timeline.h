// The timeline of a simulation: what the world told, and which state each service was in from when to when; as text, JSON
// and a picture. Pure: it makes strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/simulation/world.h"

namespace hcrc::simulation {

class Timeline : public Watcher {
 public:
  struct Line {
    Duration at;
    std::string text;
  };
  // A stretch of time in one state. `hangs`: its process hung, which its state does not show.
  struct Stretch {
    State state = State::down;
    bool hangs = false;
    Duration from{0};
    Duration to{0};
  };

  explicit Timeline(const Database& database);

  void told(Duration at, std::string_view line) override;
  void changed(Duration at, Slot slot, State from, State to) override;
  void hung(Duration at, Slot slot) override;
  // Nothing more comes: the last stretches end here.
  void finish(Duration at);

  const Database& database() const { return database_; }
  const std::vector<Line>& lines() const { return lines_; }
  // Of a service, in order, without gaps; what took no time is left out.
  const std::vector<Stretch>& stretches(Slot slot) const { return stretches_[slot]; }
  Duration end() const { return end_; }

 private:
  void close(Duration at, Slot slot);

  const Database& database_;
  std::vector<Line> lines_;
  std::vector<std::vector<Stretch>> stretches_;
  std::vector<Stretch> open_;
  Duration end_{0};
};

// How a simulation came out.
struct Verdict {
  bool recovered = false;                 // it runs, and all that is wanted is up or skipped, and answers
  std::optional<std::uint8_t> exit_code;  // the node has exited
  std::vector<std::string> problems;      // what is not so, a sentence each; empty where it recovered
};
Verdict judge(const World& world);
// The same without words.
bool recovered(const World& world);

// "    1.250s  holochain: ready after 5ms", a line each, and the verdict.
std::string as_text(const Timeline& timeline, const Verdict& verdict);
// The verdict alone: "after 10m everything wanted is up", or what is not.
std::string verdict_text(const Timeline& timeline, const Verdict& verdict);
// {"recovered":true,"exit_code":null,"seed":"1","end_ms":600000,"problems":[],"events":[{"at_ms":0,"line":"..."}],
//  "services":[{"name":"a","type":"longrun","states":[{"state":"up","from_ms":5,"to_ms":600000,"hangs":false}]}]}
std::string as_json(const Timeline& timeline, const Verdict& verdict, std::uint64_t seed);
// One bar a service, coloured by state, over an axis of time; one file, readable in light and dark.
std::string as_svg(const Timeline& timeline);

}  // namespace hcrc::simulation

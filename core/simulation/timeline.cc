#include "core/simulation/timeline.h"

#include <algorithm>
#include <array>

#include "core/json.h"
#include "core/story.h"

namespace hcrc::simulation {

namespace {

ServiceType type_of(const Database& database, Slot slot) { return static_cast<ServiceType>(database.service(slot).type); }

std::int64_t milliseconds(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration).count(); }

bool well(const World& world, Slot slot) {
  const Unit& unit = world.supervisor().unit(slot);
  if (!unit.wanted) return true;
  return (unit.state == State::up || unit.state == State::skipped) && !world.hangs(slot);
}

std::string problem(const World& world, Slot slot) {
  const Supervisor& supervisor = world.supervisor();
  std::string sentence(supervisor.name(slot));
  if (world.hangs(slot)) return sentence + " hangs, and nothing checks it or has found out yet ([health], watchdog)";
  sentence.append(" is ").append(state_in_words(supervisor.unit(slot)));
  std::array<char, bounds::story_line_bytes> bytes;
  TextWriter line(bytes);
  why(supervisor, slot, Instant(world.now()), line);
  if (!line.view().empty()) sentence.append(": ").append(line.view());
  return sentence;
}

// One JSON object or string at a time, in a buffer that holds the longest.
class JsonText {
 public:
  template <typename Fill>
  void object(Fill fill) {
    std::array<char, 6 * bounds::story_line_bytes + 256> bytes;
    JsonLine line(bytes);
    line.begin_object();
    fill(line);
    line.end_object();
    separate();
    text_ += line.view();
  }
  void open(std::string_view text) {
    separate();
    text_ += text;
    first_ = true;
  }
  void close(std::string_view text) {
    text_ += text;
    first_ = false;
  }
  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  std::string text_;
  bool first_ = true;
};

// The object's members, without its braces.
template <typename Fill>
std::string members(Fill fill) {
  JsonText json;
  json.object(fill);
  const std::string object = json.take();
  return object.substr(1, object.size() - 2);
}

}  // namespace

Timeline::Timeline(const Database& database)
    : database_(database), stretches_(database.size() + 1), open_(database.size() + 1) {}

void Timeline::told(Duration at, std::string_view line) { lines_.push_back({.at = at, .text = std::string(line)}); }

void Timeline::close(Duration at, Slot slot) {
  Stretch& open = open_[slot];
  open.to = at;
  if (open.to > open.from) stretches_[slot].push_back(open);
  open.from = at;
}

void Timeline::changed(Duration at, Slot slot, State, State to) {
  close(at, slot);
  open_[slot].state = to;
  // A process that hangs does so until it is gone.
  open_[slot].hangs = open_[slot].hangs && to == State::stopping;
}

void Timeline::hung(Duration at, Slot slot) {
  close(at, slot);
  open_[slot].hangs = true;
}

void Timeline::finish(Duration at) {
  end_ = at;
  for (Slot slot = 0; slot < open_.size(); ++slot) close(at, slot);
}

bool recovered(const World& world) {
  if (world.exited()) return false;
  for (Slot slot = 0; slot < world.supervisor().command_slot(); ++slot) {
    if (!well(world, slot)) return false;
  }
  return true;
}

Verdict judge(const World& world) {
  Verdict verdict{.recovered = recovered(world), .exit_code = world.exited(), .problems = {}};
  if (verdict.exit_code) {
    verdict.problems.push_back("the node has exited with " + std::to_string(*verdict.exit_code));
    return verdict;
  }
  for (Slot slot = 0; slot < world.supervisor().command_slot(); ++slot) {
    if (!well(world, slot)) verdict.problems.push_back(problem(world, slot));
  }
  return verdict;
}

std::string verdict_text(const Timeline& timeline, const Verdict& verdict) {
  std::array<char, 64> bytes;
  TextWriter end(bytes);
  put_duration(end, timeline.end());
  const std::string when = "after " + std::string(end.view());
  if (verdict.recovered) return when + " everything wanted is up\n";
  std::string text;
  for (const std::string& problem : verdict.problems) text += when + ' ' + problem + '\n';
  return text;
}

std::string as_text(const Timeline& timeline, const Verdict& verdict) {
  std::string text;
  for (const Timeline::Line& line : timeline.lines()) {
    const std::int64_t at = milliseconds(line.at);
    const std::string fraction = std::to_string(1'000 + at % 1'000).substr(1);
    const std::string time = std::to_string(at / 1'000) + '.' + fraction + 's';
    text.append(time.size() < 10 ? 10 - time.size() : 0, ' ').append(time).append("  ").append(line.text) += '\n';
  }
  return text + '\n' + verdict_text(timeline, verdict);
}

std::string as_json(const Timeline& timeline, const Verdict& verdict, std::uint64_t seed) {
  JsonText json;
  json.open("{" + members([&](JsonLine& line) {
              line.flag("recovered", verdict.recovered);
              if (verdict.exit_code) {
                line.number("exit_code", *verdict.exit_code);
              } else {
                line.null("exit_code");
              }
              line.text("seed", std::to_string(seed)).number("end_ms", milliseconds(timeline.end()));
            }));
  json.close("");
  json.open("\"problems\":[");
  for (const std::string& problem : verdict.problems) {
    // A member without a name is `"":"..."`: what follows the colon is the string.
    json.open(members([&](JsonLine& line) { line.text("", problem); }).substr(3));
    json.close("");
  }
  json.close("]");
  json.open("\"events\":[");
  for (const Timeline::Line& one : timeline.lines()) {
    json.object([&](JsonLine& line) { line.number("at_ms", milliseconds(one.at)).text("line", one.text); });
  }
  json.close("]");
  const Database& database = timeline.database();
  json.open("\"services\":[");
  for (Slot slot = 0; slot < database.size(); ++slot) {
    if (type_of(database, slot) == ServiceType::bundle) continue;
    json.open("{" + members([&](JsonLine& line) {
                line.text("name", database.name(slot)).text("type", text(type_of(database, slot)));
              }) +
              ",\"states\":[");
    for (const Timeline::Stretch& stretch : timeline.stretches(slot)) {
      json.object([&](JsonLine& line) {
        line.text("state", text(stretch.state)).number("from_ms", milliseconds(stretch.from));
        line.number("to_ms", milliseconds(stretch.to)).flag("hangs", stretch.hangs);
      });
    }
    json.close("]}");
  }
  json.close("]}\n");
  return json.take();
}

}  // namespace hcrc::simulation

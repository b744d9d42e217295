#include "compiler/stop_time_check.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "core/present/plan.h"
#include "core/units.h"

namespace hcrc::compiler {

namespace {

constexpr std::size_t most_steps = 32;  // of a path that is told

class StopTimeCheck {
 public:
  StopTimeCheck(const ServiceGraph& graph, const NameTable& names, std::span<const Definition> definitions,
                Diagnostics& diagnostics)
      : plan_(present::make_plan(graph)),
        graph_(graph),
        names_(names),
        definitions_(definitions),
        diagnostics_(diagnostics) {}

  void run();

 private:
  Milliseconds written(std::uint32_t service) const;
  Place place(std::uint32_t service) const {
    return definitions_[names_[service].definition].find(Key::stop_timeout)->place;
  }
  void report(std::uint32_t first, Milliseconds sum, Milliseconds room);

  const present::Plan plan_;
  const ServiceGraph& graph_;
  const NameTable& names_;
  std::span<const Definition> definitions_;
  Diagnostics& diagnostics_;
};

Milliseconds StopTimeCheck::written(std::uint32_t i) const {
  const StopRule& rule = graph_.services[i].stop;
  return rule.timeout_written && !plan_.stops[i].instant ? rule.timeout : Milliseconds(0);
}

void StopTimeCheck::report(std::uint32_t first, Milliseconds sum, Milliseconds room) {
  std::vector<Note> notes;
  std::size_t left_out = 0;
  for (std::uint32_t i = first; i != present::nobody; i = plan_.stops[i].next) {
    if (written(i) == Milliseconds(0)) continue;
    if (notes.size() == most_steps) {
      ++left_out;
    } else {
      notes.push_back({fmt::format("{} may take {}", names_[i].text, format_duration(written(i))), place(i)});
    }
  }
  if (left_out > 0) notes.push_back({fmt::format("... and {} more", left_out)});
  notes.push_back({fmt::format("{} are the stop-deadline, {}, less {} for the sweep and the loggers", format_duration(room),
                               format_duration(plan_.deadline), format_duration(plan_.reserve))});
  notes.push_back({"give them shorter timeouts, or node.toml a longer stop-deadline"});
  diagnostics_.add(
      Code::stop_too_long, place(first),
      fmt::format("stopping may take {} from here on, and there are {}", format_duration(sum), format_duration(room)),
      std::move(notes));
}

void StopTimeCheck::run() {
  const Milliseconds room = plan_.deadline - plan_.reserve;
  for (std::uint32_t i = 0; i < plan_.stops.size(); ++i) {
    const present::StopOfService& stop = plan_.stops[i];
    const bool first = written(i) > Milliseconds(0) && !stop.written_before && !stop.late;
    if (first && stop.written_from_here > room) report(i, stop.written_from_here, room);
  }
}

}  // namespace

void check_stop_times(const ServiceGraph& graph, const NameTable& names, std::span<const Definition> definitions,
                      Diagnostics& diagnostics) {
  StopTimeCheck(graph, names, definitions, diagnostics).run();
}

}  // namespace hcrc::compiler

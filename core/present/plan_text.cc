#include <algorithm>
#include <string_view>

#include "core/json.h"
#include "core/present/plan.h"
#include "core/present/table.h"
#include "core/units.h"

namespace hcrc::present {

namespace {

constexpr std::size_t most_names = 8;    // in one row
constexpr std::size_t most_steps = 32;   // of a path
constexpr std::size_t name_column = 30;  // the widest that it gets

enum class Side : std::uint8_t { start, stop };

// The rows of both tables: services by level, by name within one.
std::vector<std::uint32_t> by_level(const ServiceGraph& graph, const Plan& plan, Side side) {
  const auto level = [&](std::uint32_t i) {
    if (side == Side::start) return std::uint64_t{plan.starts[i].level};
    return std::uint64_t{plan.stops[i].step} + (plan.stops[i].late ? std::uint64_t{1} << 32 : 0);
  };
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < graph.services.size(); ++i) {
    const bool bundle = graph.services[i].type == ServiceType::bundle;
    if (!bundle && (side == Side::stop || plan.starts[i].at_boot)) rows.push_back(i);
  }
  std::ranges::stable_sort(rows, {}, level);
  return rows;
}

std::vector<std::vector<std::uint32_t>> dependents_of(const ServiceGraph& graph) {
  std::vector<std::vector<std::uint32_t>> dependents(graph.services.size());
  for (std::uint32_t i = 0; i < graph.services.size(); ++i) {
    for (const Edge& edge : graph.services[i].edges) dependents[edge.target].push_back(i);
  }
  return dependents;
}

std::string start_at_most(const StartOfService& start) {
  if (!start.bounded) return "no bound";
  return start.own == Milliseconds(0) ? "at once" : format_duration(start.own);
}

std::string why_start(const Service& service) {
  std::string why;
  if (service.type == ServiceType::oneshot) why = service.timeout ? "its timeout" : "a oneshot without a timeout";
  if (service.type == ServiceType::longrun && service.ready.kind != ReadyKind::spawned) why = "its ready timeout";
  if (service.cleanup.empty()) return why;
  return why.empty() ? "its cleanup" : why + " and its cleanup";
}

std::string why_stop(const Service& service, const StopOfService& stop) {
  const Milliseconds full = service.stop.timeout * (service.cleanup.empty() ? 1 : 2);
  const std::string what = format_duration(service.stop.timeout) + (service.cleanup.empty() ? "" : ", and its cleanup");
  if (service.stop.timeout_written) return "written: " + what + (stop.own < full ? ", but no more time is left" : "");
  return "default: " + what + (stop.own < full ? ", cut for what follows and for the deadline" : "");
}

// Writes both tables and what follows from them.
class PlanText {
 public:
  PlanText(const ServiceGraph& graph, const Plan& plan) : graph_(graph), plan_(plan) {
    for (const Service& service : graph.services) width_ = std::max(width_, std::min(name_column, service.name.size() + 2));
  }
  std::string all();

 private:
  static constexpr std::size_t level_width = 9, type_width = 10, time_width = 14;
  void title(std::string_view first, std::string_view third);
  void row(std::string_view level, std::uint32_t service, std::string_view time, const std::vector<std::string_view>& waits);
  void sentence(std::string_view text) {
    out_ += "  ";
    put_wrapped(out_, text, 4);
    out_ += '\n';
  }
  void steps(const std::vector<std::uint32_t>& path, auto time, auto why);
  void start();
  void stop();
  std::string_view name(std::uint32_t i) const { return graph_.services[i].name; }

  const ServiceGraph& graph_;
  const Plan& plan_;
  std::size_t width_ = 10;
  std::string out_;
};

void PlanText::title(std::string_view first, std::string_view third) {
  out_ += "  ";
  put_cell(out_, first, level_width);
  put_cell(out_, "service", width_);
  put_cell(out_, "type", type_width);
  put_cell(out_, "at most", time_width);
  out_ += third;
  out_ += '\n';
}

void PlanText::row(std::string_view level, std::uint32_t service, std::string_view time,
                   const std::vector<std::string_view>& waits) {
  out_ += "  ";
  put_cell(out_, level, level_width);
  put_cell(out_, name(service), width_);
  if (name(service).size() + 2 > width_) {
    out_.resize(out_.size() - 2);
    out_ += '\n';
    out_.append(2 + level_width + width_, ' ');
  }
  put_cell(out_, text(graph_.services[service].type), type_width);
  put_cell(out_, time, time_width);
  put_wrapped(out_, listed(waits, most_names), 2 + level_width + width_ + type_width + time_width);
  out_ += '\n';
}

void PlanText::steps(const std::vector<std::uint32_t>& path, auto time, auto why) {
  for (std::size_t i = 0; i < path.size() && i < most_steps; ++i) {
    out_.append(4, ' ');
    put_cell(out_, name(path[i]), width_);
    put_cell(out_, format_duration(time(path[i])), time_width);
    put_wrapped(out_, why(path[i]), 8);
    out_ += '\n';
  }
  if (path.size() > most_steps) out_ += "    ... and " + std::to_string(path.size() - most_steps) + " more\n";
}

void PlanText::start() {
  out_ += "start: what is wanted at boot; each waits for those named, and for nothing else\n\n";
  title("level", "waits for");
  std::uint32_t level = nobody;
  for (const std::uint32_t i : by_level(graph_, plan_, Side::start)) {
    std::vector<std::string_view> waits;
    for (const Edge& edge : graph_.services[i].edges) {
      if (plan_.starts[edge.target].at_boot) waits.push_back(name(edge.target));
    }
    const StartOfService& start = plan_.starts[i];
    row(start.level == level ? "" : std::to_string(start.level), i, start_at_most(start), waits);
    level = start.level;
  }
  out_ += '\n';
  std::vector<std::string_view> others, unbounded;
  for (std::uint32_t i = 0; i < graph_.services.size(); ++i) {
    if (!plan_.starts[i].at_boot && graph_.services[i].type != ServiceType::bundle) others.push_back(name(i));
  }
  for (const std::uint32_t i : plan_.unbounded) unbounded.push_back(name(i));
  if (!others.empty()) sentence("not at boot: " + listed(others, most_steps));
  const std::string besides = unbounded.empty() ? "" : ", and what has no bound: " + listed(unbounded, most_steps);
  sentence("worst start, first attempts: " + format_duration(plan_.start_time) + besides);
  steps(
      plan_.start_path, [&](std::uint32_t i) { return plan_.starts[i].own; },
      [&](std::uint32_t i) { return why_start(graph_.services[i]); });
}

void PlanText::stop() {
  out_ += "\nstop: the exact reverse; each waits for those named, and for all their processes\n\n";
  title("step", "waits for");
  const auto dependents = dependents_of(graph_);
  std::string before = "-";
  for (const std::uint32_t i : by_level(graph_, plan_, Side::stop)) {
    const StopOfService& stop = plan_.stops[i];
    std::vector<std::string_view> waits;
    for (const std::uint32_t dependent : dependents[i]) waits.push_back(name(dependent));
    const std::string step = stop.late ? "reserve" : std::to_string(stop.step);
    const std::string time = stop.instant ? "at once" : stop.late ? "the reserve" : format_duration(stop.own);
    row(step == before ? "" : step, i, time, waits);
    before = step;
  }
  const Milliseconds room = plan_.deadline - plan_.reserve;
  out_ += '\n';
  sentence("stop-deadline " + format_duration(plan_.deadline) + (graph_.node.stop_deadline ? " (node.toml)" : " (default)") +
           " less " + format_duration(plan_.reserve) + " for the sweep and the loggers: " + format_duration(room));
  sentence("worst stop: " + format_duration(plan_.stop_time) + " of these " + format_duration(room));
  steps(
      plan_.stop_path, [&](std::uint32_t i) { return plan_.stops[i].own; },
      [&](std::uint32_t i) { return why_stop(graph_.services[i], plan_.stops[i]); });
  if (plan_.fits()) {
    sentence("timeouts that are written down add up to " + format_duration(plan_.written_time) +
             " on the longest path: " + format_duration(room - plan_.written_time) + " to spare");
    return;
  }
  sentence("WARNING: timeouts that are written down add up to " + format_duration(plan_.written_time) + " on this path, " +
           format_duration(plan_.written_time - room) + " more than there are:");
  steps(
      plan_.written_path, [&](std::uint32_t i) { return graph_.services[i].stop.timeout; },
      [](std::uint32_t) { return std::string("written"); });
}

std::string PlanText::all() {
  start();
  stop();
  return std::move(out_);
}

void write_start(JsonLine& line, const ServiceGraph& graph, const Plan& plan) {
  line.begin_object("start").begin_array("services");
  for (const std::uint32_t i : by_level(graph, plan, Side::start)) {
    const StartOfService& start = plan.starts[i];
    line.begin_object().text("name", graph.services[i].name).number("level", start.level);
    if (start.bounded) {
      line.number("at_most_ms", start.own.count());
    } else {
      line.null("at_most_ms");
    }
    line.begin_array("waits_for");
    for (const Edge& edge : graph.services[i].edges) {
      if (plan.starts[edge.target].at_boot) line.element(graph.services[edge.target].name);
    }
    line.end_array().end_object();
  }
  line.end_array().begin_array("path");
  for (const std::uint32_t i : plan.start_path) line.element(graph.services[i].name);
  line.end_array().number("bounded_ms", plan.start_time.count()).begin_array("unbounded");
  for (const std::uint32_t i : plan.unbounded) line.element(graph.services[i].name);
  line.end_array().end_object();
}

void write_stop(JsonLine& line, const ServiceGraph& graph, const Plan& plan) {
  const auto dependents = dependents_of(graph);
  line.begin_object("stop").begin_array("services");
  for (const std::uint32_t i : by_level(graph, plan, Side::stop)) {
    const StopOfService& stop = plan.stops[i];
    line.begin_object().text("name", graph.services[i].name).number("step", stop.step).flag("in_reserve", stop.late);
    if (stop.late) {
      line.null("at_most_ms");
    } else {
      line.number("at_most_ms", stop.own.count());
    }
    line.flag("written", graph.services[i].stop.timeout_written).begin_array("waits_for");
    for (const std::uint32_t dependent : dependents[i]) line.element(graph.services[dependent].name);
    line.end_array().end_object();
  }
  line.end_array().begin_array("path");
  for (const std::uint32_t i : plan.stop_path) line.element(graph.services[i].name);
  line.end_array().number("longest_ms", plan.stop_time.count()).begin_array("written_path");
  for (const std::uint32_t i : plan.written_path) line.element(graph.services[i].name);
  line.end_array().number("written_ms", plan.written_time.count()).number("deadline_ms", plan.deadline.count());
  line.number("reserve_ms", plan.reserve.count()).flag("fits", plan.fits()).end_object();
}

}  // namespace

std::string plan_text(const ServiceGraph& graph, const Plan& plan) { return PlanText(graph, plan).all(); }

std::string plan_json(const ServiceGraph& graph, const Plan& plan) {
  std::string room(4'096, '\0');
  while (true) {
    JsonLine line(room);
    line.begin_object();
    write_start(line, graph, plan);
    write_stop(line, graph, plan);
    line.end_object();
    if (line.fits()) return std::string(line.view()) + '\n';
    room.resize(2 * room.size());
  }
}

}  // namespace hcrc::present

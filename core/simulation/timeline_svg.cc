// The timeline as a picture.
#include <algorithm>
#include <array>
#include <utility>

#include "core/simulation/timeline.h"
#include "core/units.h"

namespace hcrc::simulation {

namespace {

constexpr std::int64_t bar_width = 800;
constexpr std::int64_t row_height = 24;
constexpr std::int64_t bar_height = 16;
constexpr std::int64_t top = 44;  // legend, and the axis's labels
constexpr std::int64_t letter_width = 8;
constexpr std::int64_t most_ticks = 8;

// Each state's colour on light and on dark ground; `down` has none.
struct Colour {
  State state;
  const char* light;
  const char* dark;
};
constexpr std::array<Colour, 8> colours = {{{State::waiting, "#9ecae8", "#39627d"},
                                            {State::starting, "#f0d35b", "#b59a25"},
                                            {State::up, "#4ba866", "#3f9458"},
                                            {State::stopping, "#e8985e", "#b56a34"},
                                            {State::backoff, "#d9705b", "#b04a37"},
                                            {State::held, "#9a7bc7", "#7f62ab"},
                                            {State::failed, "#a3202c", "#d13c49"},
                                            {State::skipped, "#b8b8b8", "#666666"}}};

std::string number(std::int64_t value) { return std::to_string(value); }

std::string escaped(std::string_view text) {
  std::string out;
  for (const char character : text) {
    switch (character) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += character;
    }
  }
  return out;
}

std::string short_duration(Duration duration) { return format_duration(std::chrono::duration_cast<Milliseconds>(duration)); }

std::string style() {
  std::string light, dark;
  for (const Colour& colour : colours) {
    light.append(".").append(text(colour.state)).append("{fill:").append(colour.light).append("}");
    dark.append(".").append(text(colour.state)).append("{fill:").append(colour.dark).append("}");
  }
  return "<style>text{font:12px sans-serif;fill:#222}.ground{fill:#fff}.down{fill:none;stroke:#aaa}.axis{stroke:#ccc}" +
         light +
         ".hangs{fill:none;stroke:#d00;stroke-width:2}@media "
         "(prefers-color-scheme:dark){text{fill:#ddd}.ground{fill:#161616}"
         ".down{stroke:#555}.axis{stroke:#333}" +
         dark + ".hangs{stroke:#f66}}</style>\n";
}

// The step between ticks: the first of the round ones that gives few enough.
Duration tick_step(Duration end) {
  using namespace std::chrono_literals;
  constexpr std::array<Duration, 20> round = {1ms, 2ms, 5ms, 10ms, 20ms, 50ms, 100ms, 200ms, 500ms, 1s,
                                              2s,  5s,  10s, 30s,  1min, 2min, 5min,  10min, 30min, 1h};
  for (const Duration step : round) {
    if (end / step <= most_ticks) return step;
  }
  return 1h * ((end / 1h + most_ticks - 1) / most_ticks);
}

class Picture {
 public:
  explicit Picture(const Timeline& timeline) : timeline_(timeline), end_(std::max<Duration>(timeline.end(), Duration(1))) {
    const Database& database = timeline.database();
    std::size_t longest = 0;
    for (Slot slot = 0; slot < database.size(); ++slot) {
      if (static_cast<ServiceType>(database.service(slot).type) == ServiceType::bundle) continue;
      rows_.push_back(slot);
      longest = std::max(longest, database.name(slot).size());
    }
    left_ = static_cast<std::int64_t>(longest) * letter_width + 16;
    bottom_ = top + row_height * static_cast<std::int64_t>(rows_.size());
  }

  std::string draw() {
    const std::int64_t width = left_ + bar_width + 48;
    const std::int64_t height = bottom_ + 12;
    out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 " + number(width) + ' ' + number(height) +
           "\" width=\"" + number(width) + "\" height=\"" + number(height) + "\">\n<title>States of the services over " +
           short_duration(end_) + "</title>\n" + style();
    out_ += "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n";
    legend();
    axis();
    for (std::size_t row = 0; row < rows_.size(); ++row) bar(rows_[row], top + row_height * static_cast<std::int64_t>(row));
    return std::move(out_) + "</svg>\n";
  }

 private:
  std::int64_t at(Duration time) const {
    const double part = static_cast<double>(time.count()) / static_cast<double>(end_.count());
    return left_ + static_cast<std::int64_t>(part * bar_width);
  }
  void rect(std::string_view what, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
            std::string_view title) {
    out_ += "<rect class=\"" + std::string(what) + "\" x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" +
            number(width) + "\" height=\"" + number(height) + "\"";
    out_ += title.empty() ? "/>\n" : "><title>" + escaped(title) + "</title></rect>\n";
  }
  void words(std::int64_t x, std::int64_t y, std::string_view anchor, std::string_view text) {
    out_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + std::string(anchor) + "\">" +
            escaped(text) + "</text>\n";
  }
  void legend() {
    std::int64_t x = left_;
    for (const Colour& colour : colours) {
      rect(text(colour.state), x, 6, 12, 12, {});
      words(x + 16, 16, "start", text(colour.state));
      x += 32 + static_cast<std::int64_t>(text(colour.state).size()) * 7;
    }
    rect("hangs", x + 1, 7, 10, 10, {});
    words(x + 16, 16, "start", "hangs");
  }
  void axis() {
    const Duration step = tick_step(end_);
    for (Duration tick{0}; tick <= end_; tick += step) {
      const std::string x = number(at(tick));
      out_ += "<line class=\"axis\" x1=\"" + x + "\" y1=\"" + number(top - 6) + "\" x2=\"" + x + "\" y2=\"" +
              number(bottom_) + "\"/>\n";
      words(at(tick), top - 10, "middle", tick == Duration::zero() ? std::string("0") : short_duration(tick));
    }
  }
  void bar(Slot slot, std::int64_t y) {
    const std::string_view name = timeline_.database().name(slot);
    words(left_ - 8, y + bar_height - 3, "end", name);
    rect("down", left_, y, bar_width, bar_height, {});
    for (const Timeline::Stretch& stretch : timeline_.stretches(slot)) {
      if (stretch.state == State::down) continue;
      const std::int64_t x = at(stretch.from);
      // What is shorter than a pixel is seen all the same.
      const std::int64_t width = std::max<std::int64_t>(1, at(stretch.to) - x);
      std::string title = std::string(name) + ' ' + std::string(text(stretch.state));
      if (stretch.hangs) title += ", hangs";
      title += ", from " + short_duration(stretch.from) + " to " + short_duration(stretch.to);
      rect(text(stretch.state), x, y, width, bar_height, title);
      if (stretch.hangs) rect("hangs", x, y + 1, width, bar_height - 2, {});
    }
  }

  const Timeline& timeline_;
  Duration end_;
  std::vector<Slot> rows_;
  std::int64_t left_ = 0;
  std::int64_t bottom_ = 0;
  std::string out_;
};

}  // namespace

std::string as_svg(const Timeline& timeline) { return Picture(timeline).draw(); }

}  // namespace hcrc::simulation

#include "core/present/drawing.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "core/present/table.h"

namespace hcrc::present {

namespace {

constexpr std::array edge_kinds = {EdgeKind::requires_, EdgeKind::binds_to, EdgeKind::wants, EdgeKind::after,
                                   EdgeKind::log_to};
constexpr std::size_t longest_condition = 60;  // code points of one that is told

std::string source(const Template& value) {
  std::string text;
  for (const TemplatePiece& piece : value.pieces) {
    switch (piece.kind) {
      case TemplatePiece::Kind::literal: text += piece.text; break;
      case TemplatePiece::Kind::variable: text += "${" + piece.text + "}"; break;
      case TemplatePiece::Kind::variable_or: text += "${" + piece.text + ":-" + piece.fallback + "}"; break;
    }
  }
  return text;
}

// "env-not MODE=false", without control characters; a long one is cut.
std::string condition_text(const Condition& condition) {
  std::string words(text(condition.kind));
  words += ' ';
  switch (condition.kind) {
    case ConditionKind::env_set:
    case ConditionKind::env_unset: words += condition.name; break;
    case ConditionKind::env_equals:
    case ConditionKind::env_differs: words += condition.name + "=" + source(condition.value); break;
    case ConditionKind::path:
    case ConditionKind::path_not: words += source(condition.value); break;
  }
  words = visible(words);
  std::size_t length = 0, at = 0;
  while (at < words.size()) {
    if ((static_cast<unsigned char>(words[at]) & 0xC0) != 0x80 && ++length > longest_condition) break;
    ++at;
  }
  return at == words.size() ? words : words.substr(0, at) + "...";
}

std::string kind_of(const Service& service) {
  return (service.essential ? "essential " : "") + std::string(text(service.type));
}

// What stands in a node under the service's name.
std::vector<std::string> lines_of(const Service& service) {
  std::vector<std::string> lines = {kind_of(service)};
  for (const Condition& condition : service.conditions) lines.push_back("when " + condition_text(condition));
  return lines;
}

std::string escaped_dot(std::string_view text) {
  std::string result;
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') result += '\\';
    result += byte;
  }
  return result;
}

std::string escaped_mermaid(std::string_view text) {
  std::string result;
  for (const char byte : text) {
    switch (byte) {
      case '"': result += "#quot;"; break;
      case '#': result += "#35;"; break;
      case '<': result += "#lt;"; break;
      case '>': result += "#gt;"; break;
      case '&': result += "#amp;"; break;
      case '`': result += "#96;"; break;
      default: result += byte;
    }
  }
  return result;
}

std::string_view dot_shape(ServiceType type) {
  switch (type) {
    case ServiceType::longrun: return "box";
    case ServiceType::oneshot: return "ellipse";
    case ServiceType::periodic: return "hexagon";
    case ServiceType::bundle: return "folder";
  }
  return {};
}

std::string_view dot_line(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::requires_: return "style=solid";
    case EdgeKind::binds_to: return "style=bold, arrowhead=normalnormal, label=\"binds-to\"";
    case EdgeKind::wants: return "style=dashed, label=\"wants\"";
    case EdgeKind::after: return "style=dotted, arrowhead=open, label=\"after\"";
    case EdgeKind::log_to: return "style=solid, color=gray50, arrowhead=odot, label=\"log-to\"";
  }
  return {};
}

struct Border {
  std::string_view open, close;
};

Border mermaid_border(const Service& service) {
  switch (service.type) {
    case ServiceType::longrun: return service.essential ? Border{"[[", "]]"} : Border{"[", "]"};
    case ServiceType::oneshot: return {"(", ")"};
    case ServiceType::periodic: return {"{{", "}}"};
    case ServiceType::bundle: return {"[/", "/]"};
  }
  return {};
}

std::string_view mermaid_line(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::requires_: return "-->";
    case EdgeKind::binds_to: return "==>|binds-to|";
    case EdgeKind::wants: return "-.->|wants|";
    case EdgeKind::after: return "-.-x|after|";
    case EdgeKind::log_to: return "--o|log-to|";
  }
  return {};
}

std::string_view text_line(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::requires_: return "---> ";
    case EdgeKind::binds_to: return "===> ";
    case EdgeKind::wants: return "- -> ";
    case EdgeKind::after: return "...> ";
    case EdgeKind::log_to: return "---| ";
  }
  return {};
}

std::string bordered(const Service& service) {
  switch (service.type) {
    case ServiceType::longrun: return service.essential ? "[[" + service.name + "]]" : "[" + service.name + "]";
    case ServiceType::oneshot: return "(" + service.name + ")";
    case ServiceType::periodic: return "{" + service.name + "}";
    case ServiceType::bundle: return "<" + service.name + ">";
  }
  return {};
}

void put_connection(std::string& out, std::string_view line, std::string_view word,
                    const std::vector<std::string_view>& names) {
  if (names.empty()) return;
  out += "    ";
  out += line;
  put_cell(out, word, 10);
  put_wrapped(out, listed(names, names.size()), 19);
  out += '\n';
}

}  // namespace

std::string drawing_dot(const ServiceGraph& graph) {
  std::string out =
      "digraph hcrc {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n";
  for (const Service& service : graph.services) {
    out += "  \"" + service.name + "\" [shape=" + std::string(dot_shape(service.type)) + ", label=\"" + service.name;
    for (const std::string& line : lines_of(service)) out += "\\n" + escaped_dot(line);
    out += '"';
    if (service.essential) out += ", peripheries=2";
    if (!service.conditions.empty()) out += ", style=dashed";
    out += "];\n";
  }
  for (const Service& service : graph.services) {
    for (const Edge& edge : service.edges) {
      for (const EdgeKind kind : edge_kinds) {
        if (!edge.kinds.has(kind)) continue;
        out += "  \"" + service.name + "\" -> \"" + graph.services[edge.target].name + "\" [" + std::string(dot_line(kind)) +
               "];\n";
      }
    }
    for (const std::uint32_t content : service.contents) {
      out += "  \"" + service.name + "\" -> \"" + graph.services[content].name + "\" [style=dotted, arrowhead=none];\n";
    }
  }
  return out + "}\n";
}

std::string drawing_mermaid(const ServiceGraph& graph) {
  std::string out = "flowchart LR\n", conditional;
  const auto id = [](std::size_t i) { return "s" + std::to_string(i); };
  for (std::size_t i = 0; i < graph.services.size(); ++i) {
    const Service& service = graph.services[i];
    const Border border = mermaid_border(service);
    out += "  " + id(i) + std::string(border.open) + "\"" + service.name;
    for (const std::string& line : lines_of(service)) out += "<br>" + escaped_mermaid(line);
    out += "\"" + std::string(border.close) + "\n";
    if (!service.conditions.empty()) conditional += (conditional.empty() ? "" : ",") + id(i);
  }
  for (std::size_t i = 0; i < graph.services.size(); ++i) {
    for (const Edge& edge : graph.services[i].edges) {
      for (const EdgeKind kind : edge_kinds) {
        if (edge.kinds.has(kind)) out += "  " + id(i) + " " + std::string(mermaid_line(kind)) + " " + id(edge.target) + "\n";
      }
    }
    for (const std::uint32_t content : graph.services[i].contents) out += "  " + id(i) + " -.- " + id(content) + "\n";
  }
  if (!conditional.empty()) {
    out += "  classDef conditional stroke-dasharray: 5 5\n  class " + conditional + " conditional\n";
  }
  return out;
}

std::string drawing_text(const ServiceGraph& graph) {
  std::string out;
  const auto name = [&](std::uint32_t i) { return std::string_view(graph.services[i].name); };
  for (const Service& service : graph.services) {
    out += bordered(service) + "  " + kind_of(service) + "\n";
    for (const Condition& condition : service.conditions) {
      out += "    when ";
      put_wrapped(out, condition_text(condition), 9);
      out += '\n';
    }
    for (const EdgeKind kind : edge_kinds) {
      std::vector<std::string_view> names;
      for (const Edge& edge : service.edges) {
        if (edge.kinds.has(kind)) names.push_back(name(edge.target));
      }
      put_connection(out, text_line(kind), text(kind), names);
    }
    std::vector<std::string_view> names;
    for (const std::uint32_t content : service.contents) names.push_back(name(content));
    put_connection(out, ".... ", "contents", names);
  }
  return out;
}

}  // namespace hcrc::present

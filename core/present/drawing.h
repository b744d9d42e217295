// A graph of services drawn: for graphviz, for mermaid, and for a terminal.
//
// An arrow leads from a service to what it depends on. The five kinds of connection each have a line of their own, types a
// shape of their own, and an essential service a double border; a service with conditions tells them and has a dashed
// border. Bundles are names: they are tied to what they stand for. The same graph gives the same text.
#pragma once

#include <string>

#include "core/graph.h"

namespace hcrc::present {

std::string drawing_dot(const ServiceGraph& graph);      // for dot(1)
std::string drawing_mermaid(const ServiceGraph& graph);  // a flowchart
std::string drawing_text(const ServiceGraph& graph);     // at most 100 columns

}  // namespace hcrc::present

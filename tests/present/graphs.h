// Small graphs, written down by name.
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"

namespace hcrc::present {

inline Service service(std::string name, ServiceType type = ServiceType::longrun) {
  Service result;
  result.name = std::move(name);
  result.type = type;
  if (type == ServiceType::bundle) result.autostart = false;
  return result;
}

inline Template literal(std::string text) {
  return {.pieces = {{.kind = TemplatePiece::Kind::literal, .text = std::move(text), .fallback = {}}}};
}

inline Edge to(std::uint32_t target, EdgeKind kind = EdgeKind::requires_) { return {.target = target, .kinds = kind}; }

inline Service ready_in(Service service, Milliseconds timeout) {
  service.ready.kind = ReadyKind::notify;
  service.ready.timeout = timeout;
  return service;
}

inline Service stops_in(Service service, Milliseconds timeout) {
  service.stop.timeout = timeout;
  service.stop.timeout_written = true;
  return service;
}

inline ServiceGraph graph(std::vector<Service> services) { return {.node = {}, .services = std::move(services)}; }

// One of every type, every kind of edge and condition.
inline ServiceGraph everything() {
  Service all = service("all", ServiceType::bundle);
  all.contents = {3, 5};
  Service db = ready_in(service("db"), Milliseconds(30'000));
  db.edges = {to(2, EdgeKind::log_to), to(4)};
  Service main = stops_in(service("main"), Milliseconds(2'000));
  main.essential = true;
  main.edges = {to(1, EdgeKind::binds_to), to(2, EdgeKind::log_to), to(4, EdgeKind::after), to(6, EdgeKind::wants)};
  main.edges[0].kinds.add(EdgeKind::after);
  main.conditions = {{.kind = ConditionKind::env_differs, .name = "MODE", .value = literal("a\"<b>\n")},
                     {.kind = ConditionKind::path, .name = "", .value = literal("/etc/on")}};
  Service log = service("log");
  Service setup = service("setup", ServiceType::oneshot);
  setup.timeout = Milliseconds(5'000);
  Service sweep = service("sweep", ServiceType::periodic);
  sweep.autostart = false;
  Service warm = service("warm", ServiceType::oneshot);
  warm.autostart = false;
  return graph({all, db, log, main, setup, sweep, warm});
}

}  // namespace hcrc::present

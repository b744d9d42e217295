// A status as people and programs read it, made from the lines of an answer. Pure: the time of now is given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace hcrc {

struct ServiceRow {
  std::string name;
  std::string type;
  std::string state;
  bool wanted = false;
  std::optional<std::int64_t> pid;
  std::optional<std::int64_t> since_ms;  // since the epoch
  std::int64_t restarts = 0;
  std::optional<std::int64_t> next_start_ms;
  std::string why;
  std::string status;
};

// A process that no service owns.
struct OrphanRow {
  std::int64_t pid = 0;
  std::string name;
};

class StatusView {
 public:
  // Takes a line; one that is about neither the node, a service nor an orphan is passed over.
  void take(const JsonValue& line);

  // {"node":{...},"services":[...],"orphans":[...]}, as the runtime wrote them.
  std::string json() const;
  // A table, a line a service, and a last one of the orphans where there are any; what a service said or a reason holds that
  // a terminal would obey is taken out.
  std::string table(std::int64_t now_ms, bool colours) const;
  // Everything that a table shows but the passing of time: equal where nothing has changed.
  std::string fingerprint() const;

 private:
  std::string heading(std::int64_t now_ms) const;
  std::string service_table(std::int64_t now_ms, bool colours) const;
  std::string orphan_line() const;

  std::string node_json_ = "null";
  std::vector<std::string> service_json_;
  std::vector<std::string> orphan_json_;
  std::string node_state_;
  std::string node_version_;
  std::string node_db_;
  std::string node_build_;
  std::optional<std::int64_t> node_since_ms_;
  std::optional<std::int64_t> node_pid_;
  std::vector<ServiceRow> rows_;
  std::vector<OrphanRow> orphans_;
};

// `text` with each control character replaced by `?`.
std::string for_terminal(std::string_view text);

}  // namespace hcrc

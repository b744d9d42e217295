// What the control socket answers: the supervisor's state as protocol lines, and operators' commands as events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/runtime/control_socket.h"
#include "core/runtime/leftovers.h"
#include "core/supervisor.h"

namespace hcrc {

// The last update that was asked for, by SIGHUP or over the control socket.
struct UpdateJob {
  enum class State : std::uint8_t { none, reading, failed, done };
  struct Service {
    std::string name;
    Fate fate = Fate::kept;
    std::string along_with;  // of `along`
  };
  State state = State::none;
  std::uint32_t ticket = 0;
  bool only_tell = false;         // --dry-run
  std::string sentence;           // of `failed`: why
  std::vector<Service> services;  // of `done`: what is, or would be, done; by name, bundles too
};

// What answers are made from, and where commands go: the shell.
class NodeView {
 public:
  virtual const Supervisor& supervisor() const = 0;
  virtual std::string_view status_text(Slot slot) const = 0;  // sd_notify STATUS=
  virtual std::string_view db_path() const = 0;
  virtual void command(const Event& event) = 0;
  // Begins to read a database for an update, or with `only_tell` to tell what one would do. The job's ticket; 0 while
  // another database is being read.
  virtual std::uint32_t begin_update(std::string_view path, bool only_tell) = 0;
  virtual const UpdateJob& update_job() const = 0;
  // Who is nobody's, as many as there is room for; how many were written.
  virtual std::size_t orphans(std::span<Orphan> out) = 0;

 protected:
  ~NodeView() = default;
};

class ControlAnswers final : public ControlHandler {
 public:
  explicit ControlAnswers(NodeView& node) : node_(node) {}
  Progress answer(const Request& request, ControlAnswer& answer) override;

 private:
  Progress status(const Request& request, ControlAnswer& answer);
  Progress list(ControlAnswer& answer);
  Progress why(const Request& request, ControlAnswer& answer);
  Progress command(const Request& request, ControlAnswer& answer);
  Progress signal(const Request& request, ControlAnswer& answer);
  Progress wait(const Request& request, ControlAnswer& answer);
  Progress health(ControlAnswer& answer);
  Progress update(const Request& request, ControlAnswer& answer);
  Progress updated(const UpdateJob& job, ControlAnswer& answer);
  Progress shutdown(const Request& request, ControlAnswer& answer);

  std::optional<std::string_view> unknown_name(const Request& request) const;  // the first that is no service's
  Progress unknown(std::string_view name, ControlAnswer& answer);
  bool put_services(const Request& request, ControlAnswer& answer);
  bool put_service(Slot slot, ControlAnswer& answer);
  bool put_orphans(ControlAnswer& answer);
  template <typename Each>
  bool every(Slot slot, Each each) const;

  NodeView& node_;
};

}  // namespace hcrc

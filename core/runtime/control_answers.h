// What the control socket answers: the supervisor's state as protocol lines, and operators' commands as events.
#pragma once

#include <optional>
#include <string_view>

#include "core/event.h"
#include "core/runtime/control_socket.h"
#include "core/supervisor.h"

namespace hcrc {

// What answers are made from, and where commands go: the shell.
class NodeView {
 public:
  virtual const Supervisor& supervisor() const = 0;
  virtual std::string_view status_text(Slot slot) const = 0;  // sd_notify STATUS=
  virtual std::string_view db_path() const = 0;
  virtual void command(const Event& event) = 0;

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
  Progress shutdown(const Request& request, ControlAnswer& answer);

  std::optional<std::string_view> unknown_name(const Request& request) const;  // the first that is no service's
  Progress unknown(std::string_view name, ControlAnswer& answer);
  bool put_service(Slot slot, ControlAnswer& answer);
  template <typename Each>
  bool every(Slot slot, Each each) const;

  NodeView& node_;
};

}  // namespace hcrc

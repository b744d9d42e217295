#include "core/notify_message.h"

#include <string>

#include "core/bounds.h"
#include "tests/catch.h"

using namespace hcrc;
using namespace std::chrono_literals;

TEST_CASE("What a service can tell") {
  CHECK(parse_notify("READY=1").ready);
  CHECK(parse_notify("READY=1\n").ready);
  const NotifyMessage all =
      parse_notify("STATUS=Loading 3 of 5\nREADY=1\nSTOPPING=1\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=2500000");
  CHECK(all.ready);
  CHECK(all.stopping);
  CHECK(all.watchdog);
  CHECK(all.status == "Loading 3 of 5");
  CHECK(all.extend_timeout == 2500ms);
}

TEST_CASE("What is not understood is ignored") {
  for (const auto* nothing :
       {"", "\n\n", "READY", "READY=", "READY=0", "READY=11", "ready=1", " READY=1", "XREADY=1", "MAINPID=12", "BARRIER=1",
        "WATCHDOG=trigger", "EXTEND_TIMEOUT_USEC=", "EXTEND_TIMEOUT_USEC=5s", "EXTEND_TIMEOUT_USEC=-1", "=1", "READY=1\r"}) {
    CAPTURE(nothing);
    CHECK(parse_notify(nothing).empty());
  }
  CHECK(parse_notify("MAINPID=1\nREADY=1\nFDSTORE=1").ready);
  CHECK_FALSE(parse_notify("READY=1\nREADY=0").ready);
  CHECK_FALSE(parse_notify(std::string_view("READY=1\0", 8)).ready);
}

TEST_CASE("A status is bounded and an empty one clears it") {
  CHECK(parse_notify("STATUS=" + std::string(4'000, 'x')).status->size() == bounds::status_text_bytes);
  CHECK(parse_notify("STATUS=").status == "");
  CHECK(parse_notify("STATUS=a=b").status == "a=b");
  CHECK(parse_notify("STATUS=a\nSTATUS=b").status == "b");
}

TEST_CASE("An extension saturates at the longest duration") {
  CHECK(parse_notify("EXTEND_TIMEOUT_USEC=99999999999999999999").extend_timeout == Milliseconds(bounds::duration_ms));
}

#include "core/endpoint.h"

#include <string>

#include "tests/catch.h"

using namespace hcrc;

TEST_CASE("Addresses of checks") {
  const auto plain = parse_endpoint("127.0.0.1:4444");
  REQUIRE(plain);
  CHECK(plain->host == "127.0.0.1");
  CHECK(plain->port == 4444);
  CHECK(plain->path.empty());
  const auto six = parse_endpoint("[::1]:80/health?x=1");
  REQUIRE(six);
  CHECK(six->host == "::1");
  CHECK(six->bracketed);
  CHECK(six->port == 80);
  CHECK(six->path == "/health?x=1");
  CHECK(parse_endpoint("localhost:65535/")->path == "/");
}

TEST_CASE("Addresses that are none") {
  for (const auto* bad : {"", ":80", "host", "host:", "host/80", "host:0", "host:65536", "host:80x", "host:-1", "host:+80",
                          "[::1:80", "[]:80", "[::1]80", "::1:80", "host:80/a b", "host:80/a\nb", "host: 80", "a:b:80"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_endpoint(bad));
  }
  CHECK(parse_endpoint("::1:80").error() == "the host is missing: HOST:PORT");
  CHECK(parse_endpoint("fe80::1:80").error() == "an IPv6 address stands in brackets: [::1]:PORT");
  CHECK(parse_endpoint("host").error() == "the port is missing: HOST:PORT");
}

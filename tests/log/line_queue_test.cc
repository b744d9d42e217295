#include "core/log/line_queue.h"

#include <string>

#include "core/random.h"
#include "tests/catch.h"

namespace hcrc::log {
namespace {

// Everything that a sink would take now.
std::string all_of(LineQueue& queue) {
  std::string bytes;
  while (!queue.empty()) {
    bytes += queue.front();
    queue.take(queue.front().size());
  }
  return bytes;
}

struct OneQueue {
  explicit OneQueue(std::size_t capacity) : queue(capacity, "the console", notices) {}
  Formatter notices{Form::text, Timestamp::none, ""};
  LineQueue queue;
};

TEST_CASE("lines come out as they went in") {
  OneQueue one(100);
  CHECK(one.queue.empty());
  one.queue.push("first\n");
  one.queue.push("second\n");
  CHECK(one.queue.size() == 13);
  CHECK(one.queue.front() == "first\nsecond\n");
  one.queue.take(3);
  CHECK(one.queue.front() == "st\nsecond\n");
  one.queue.take(10);
  CHECK(one.queue.empty());
  CHECK(one.queue.dropped() == 0);
}

TEST_CASE("a full queue takes its capacity to the byte, then drops whole lines") {
  OneQueue one(200);
  one.queue.push(std::string(99, 'a') + '\n');
  one.queue.push(std::string(99, 'b') + '\n');
  CHECK(one.queue.size() == 200);
  one.queue.push("c\n");
  one.queue.push("d\n");
  CHECK(one.queue.dropped() == 2);
  CHECK(one.queue.size() == 200);
}

TEST_CASE("once a line is dropped no later one passes before the loss is told") {
  OneQueue one(200);
  one.queue.push(std::string(149, 'a') + '\n');
  one.queue.push(std::string(59, 'b') + '\n');
  one.queue.push("short\n");  // there would be room, but in the wrong place
  CHECK(one.queue.dropped() == 2);
  one.queue.take(150);
  one.queue.tell_dropped();
  CHECK(one.queue.dropped() == 0);
  one.queue.push("later\n");
  CHECK(all_of(one.queue) == "hcrc-log: 2 lines dropped here: the console took no more\nlater\n");
}

TEST_CASE("one line is told of as one") {
  OneQueue one(100);
  one.queue.push(std::string(100, 'x'));
  one.queue.push("y\n");
  one.queue.take(100);
  one.queue.tell_dropped();
  CHECK(all_of(one.queue) == "hcrc-log: 1 line dropped here: the console took no more\n");
}

TEST_CASE("a line longer than the queue is dropped and told of") {
  OneQueue one(100);
  one.queue.push(std::string(101, 'x'));
  one.queue.push("y\n");
  CHECK(all_of(one.queue) == "hcrc-log: 1 line dropped here: the console took no more\ny\n");
}

TEST_CASE("losses are told in the form of all lines") {
  Formatter notices(Form::json, Timestamp::none, "");
  LineQueue queue(100, "the file", notices);
  queue.push(std::string(101, 'x'));
  queue.tell_dropped();
  CHECK(all_of(queue) == R"({"service":"hcrc-log","line":"1 line dropped here: the file took no more"})"
                         "\n");
}

TEST_CASE("a line of which a part is taken can be had whole again") {
  OneQueue one(100);
  one.queue.push("first\n");
  one.queue.push("second\n");
  one.queue.take(8);
  CHECK(one.queue.front() == "cond\n");
  one.queue.rewind();
  CHECK(one.queue.front() == "second\n");
  CHECK(one.queue.size() == 7);
  one.queue.rewind();
  CHECK(one.queue.size() == 7);
}

TEST_CASE("the beginning of a line that is taken in part is not overwritten") {
  OneQueue one(20);
  one.queue.push("0123456789\n");
  one.queue.take(10);
  one.queue.push("abcdefg\n");
  one.queue.push("h\n");  // does not fit behind, and what lies before is still needed
  CHECK(one.queue.dropped() == 1);
  one.queue.rewind();
  CHECK(one.queue.front() == "0123456789\nabcdefg\n");
}

// Against a plain list of lines, with every kind of partial take: nothing is lost but what is counted, nothing is torn.
TEST_CASE("the queue agrees with a list of lines") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    OneQueue one(64 + static_cast<std::size_t>(random.upto(300)));
    std::string taken;
    std::uint64_t number = 0;
    for (int step = 0; step < 2'000; ++step) {
      if (random.upto(1) == 0) {
        std::string line = std::to_string(number++);
        line.append(static_cast<std::size_t>(random.upto(40)), '.').push_back('\n');
        one.queue.push(line);
      } else if (!one.queue.empty()) {
        const std::string_view front = one.queue.front();
        REQUIRE(front.back() == '\n');
        const auto bytes = static_cast<std::size_t>(random.upto(front.size() - 1) + 1);
        taken += front.substr(0, bytes);
        one.queue.take(bytes);
        if (random.upto(1) == 0) one.queue.tell_dropped();
      }
    }
    taken += all_of(one.queue);
    one.queue.tell_dropped();
    taken += all_of(one.queue);
    // Each number comes in order; where some lack, their exact count stands in their place.
    std::uint64_t next = 0;
    for (std::string_view rest = taken; !rest.empty();) {
      const std::size_t end = rest.find('\n');
      REQUIRE(end != std::string_view::npos);
      const std::string line(rest.substr(0, end));
      rest.remove_prefix(end + 1);
      if (line.starts_with("hcrc-log: ")) {
        next += std::stoull(line.substr(10));
      } else {
        REQUIRE(std::stoull(line) == next);
        ++next;
      }
    }
    REQUIRE(next == number);
  }
}

}  // namespace
}  // namespace hcrc::log

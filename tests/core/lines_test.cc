#include "core/lines.h"

#include <string>
#include <vector>

#include "core/random.h"
#include "tests/catch.h"

namespace hcrc {
namespace {

using Lines = std::vector<std::string>;

class Feeding {
 public:
  explicit Feeding(std::size_t bound) : assembler_(bound) {}
  Feeding& feed(std::string_view bytes) {
    assembler_.feed(bytes, [this](std::string_view line) { lines_.emplace_back(line); });
    return *this;
  }
  Lines finish() {
    assembler_.finish([this](std::string_view line) { lines_.emplace_back(line); });
    return lines_;
  }
  bool unfinished() const { return assembler_.unfinished(); }

 private:
  LineAssembler assembler_;
  Lines lines_;
};

TEST_CASE("a newline ends a line, an empty one too") {
  CHECK(Feeding(8).feed("one\n\ntwo\n").finish() == Lines{"one", "", "two"});
  CHECK(Feeding(8).feed("").finish() == Lines{});
  CHECK(Feeding(8).feed("\n").finish() == Lines{""});
}

TEST_CASE("a line that comes in parts is one line") {
  CHECK(Feeding(8).feed("o").feed("n").feed("e\ntw").feed("o").feed("\n").finish() == Lines{"one", "two"});
}

TEST_CASE("what has no newline at the end is a line, too") {
  Feeding feeding(8);
  feeding.feed("one\ntwo");
  CHECK(feeding.unfinished());
  CHECK(feeding.finish() == Lines{"one", "two"});
  CHECK(!feeding.unfinished());
}

TEST_CASE("a line of exactly the bound is whole, one byte more makes a piece") {
  CHECK(Feeding(4).feed("1234\nx\n").finish() == Lines{"1234", "x"});
  CHECK(Feeding(4).feed("1234").feed("\nx\n").finish() == Lines{"1234", "x"});
  CHECK(Feeding(4).feed("12345\nx\n").finish() == Lines{"1234", "5", "x"});
  CHECK(Feeding(4).feed("12").feed("345678").feed("9\n").finish() == Lines{"1234", "5678", "9"});
  CHECK(Feeding(4).feed("12345678\n").finish() == Lines{"1234", "5678"});
}

TEST_CASE("bytes of every value pass, carriage returns and NULs too") {
  using namespace std::string_literals;
  CHECK(Feeding(16).feed("a\r\nb\0c\xff\n"s).finish() == Lines{"a\r", "b\0c\xff"s});
}

TEST_CASE("the lines do not depend on how the bytes are cut") {
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    for (std::uint64_t left = random.upto(200); left > 0; --left) bytes += random.upto(6) == 0 ? '\n' : 'x';
    const Lines whole = Feeding(9).feed(bytes).finish();
    Feeding pieces(9);
    for (std::string_view rest = bytes; !rest.empty();) {
      const auto taken = static_cast<std::size_t>(random.upto(rest.size() - 1) + 1);
      pieces.feed(rest.substr(0, taken));
      rest.remove_prefix(taken);
    }
    REQUIRE(pieces.finish() == whole);
  }
}

}  // namespace
}  // namespace hcrc

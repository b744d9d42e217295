#include "core/runtime/spawn_answer.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "tests/runtime/one_service.h"

using namespace hcrc;
using namespace hcrc::test;

namespace {

std::string words_of(const SpawnAnswer& answer) {
  std::array<char, 1024> bytes;
  TextWriter text(bytes);
  write_failure(answer, text);
  return std::string(text.view());
}

SpawnAnswer failure(Stage stage, int error, std::string_view detail) {
  return {.kind = SpawnAnswer::Kind::failed, .stage = stage, .permanent = false, .error = error, .detail = detail};
}

}  // namespace

TEST_CASE("a message comes back as it was sent") {
  Pipe pipe;
  fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  SpawnAnswer answer;
  CHECK(read_answer(pipe.read.get(), answer) == AnswerRead::nothing_yet);
  const std::string longest(SpawnAnswer::detail_bytes, 'x');
  send_answer(pipe.write.get(),
              {.kind = SpawnAnswer::Kind::note, .stage = {}, .permanent = false, .error = 0, .detail = {}});
  send_answer(pipe.write.get(), {.kind = SpawnAnswer::Kind::failed,
                                 .stage = Stage::command,
                                 .permanent = true,
                                 .error = ENOENT,
                                 .detail = std::string_view(longest)});
  pipe.write.reset();
  REQUIRE(read_answer(pipe.read.get(), answer) == AnswerRead::answer);
  CHECK(answer.kind == SpawnAnswer::Kind::note);
  CHECK(answer.detail.empty());
  REQUIRE(read_answer(pipe.read.get(), answer) == AnswerRead::answer);
  CHECK(answer.kind == SpawnAnswer::Kind::failed);
  CHECK(answer.stage == Stage::command);
  CHECK(answer.permanent);
  CHECK(answer.error == ENOENT);
  CHECK(answer.detail.view() == longest);
  CHECK(read_answer(pipe.read.get(), answer) == AnswerRead::end);
}

TEST_CASE("what is no message is none") {
  std::array<std::byte, answer_bytes> bytes{};
  CHECK(parse_answer(bytes));
  CHECK_FALSE(parse_answer(std::span(bytes).first(answer_bytes - 1)));
  bytes[4] = std::byte{6};  // kind
  CHECK_FALSE(parse_answer(bytes));
  bytes[4] = std::byte{0};
  bytes[5] = std::byte{stages};
  CHECK_FALSE(parse_answer(bytes));
  bytes[5] = std::byte{0};
  bytes[7] = std::byte{0x03};  // a length of 768
  CHECK_FALSE(parse_answer(bytes));
}

TEST_CASE("a failure reads as stage, what it is about, and error") {
  CHECK(words_of(failure(Stage::directory, ENOENT, "/x")) == "working directory /x: No such file or directory");
  CHECK(words_of(failure(Stage::variable, 0, "X is not set")) == "variable X is not set");
  CHECK(words_of(failure(Stage::memory, ENOMEM, "")) == "memory: Cannot allocate memory");
}

TEST_CASE("only a lack of resources before the exec is no fault of the service") {
  CHECK(lacks_resource(failure(Stage::standard_input, EMFILE, "")));
  CHECK(lacks_resource(failure(Stage::memory, ENOMEM, "")));
  CHECK_FALSE(lacks_resource(failure(Stage::command, ENOMEM, "")));
  CHECK_FALSE(lacks_resource(failure(Stage::ready_fd, EMFILE, "")));
  CHECK_FALSE(lacks_resource(failure(Stage::directory, ENOENT, "")));
}

TEST_CASE("text from outside is shown on one line and in bounds") {
  CHECK(shown("/a\n\x1b[31m/b") == "/a??[31m/b");
  CHECK(shown(std::string(200, 'a') + "end", 16) == "aaaaaa...aaaaend");
  CHECK(shown("0123456789", 10) == "0123456789");
}

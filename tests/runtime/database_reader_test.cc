#include "core/runtime/database_reader.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "core/database_writer.h"
#include "tests/catch.h"
#include "tests/runtime/loop_until.h"
#include "tests/runtime/scratch_dir.h"

using namespace hcrc;

namespace {

// What reading a file comes to.
DatabaseReader::Read read_by_child(const std::string& path) {
  EventLoop loop;
  REQUIRE(loop.open());
  DatabaseReader reader;
  std::optional<DatabaseReader::Read> result;
  const auto child = reader.start(
      loop, path,
      [](void* place, DatabaseReader::Read read) {
        *static_cast<std::optional<DatabaseReader::Read>*>(place) = std::move(read);
      },
      &result);
  REQUIRE(child);
  CHECK(reader.busy());
  test::loop_until(loop, [&result] { return result.has_value(); });
  CHECK_FALSE(reader.busy());
  CHECK(reader.deadline() == end_of_time);
  REQUIRE(waitpid(*child, nullptr, 0) == *child);
  return std::move(*result);
}

std::string write_file(const test::ScratchDir& folder, const std::string& bytes) {
  const std::string path = folder.path() + "/x.db";
  std::ofstream(path, std::ios::binary) << bytes;
  chmod(path.c_str(), 0644);
  return path;
}

}  // namespace

TEST_CASE("a child reads a database, however large, and hands it over whole") {
  const test::ScratchDir folder;
  for (const std::size_t services : {std::size_t{1}, std::size_t{5'000}}) {
    ServiceGraph graph;
    for (std::size_t i = 0; i < services; ++i) {
      Service service;
      service.name = "s" + std::to_string(100'000 + i);
      service.command = {Template{{{.text = "/bin/true", .fallback = {}}}}};
      graph.services.push_back(service);
    }
    const auto bytes = write_database(graph);
    REQUIRE(bytes);
    const auto read =
        read_by_child(write_file(folder, std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size())));
    REQUIRE(read);
    CHECK((*read)->graph() == graph);
  }
}

TEST_CASE("what is no database, or not to be trusted, comes back as a sentence") {
  const test::ScratchDir folder;
  CHECK(read_by_child(folder.path() + "/none").error().find("there is no database") != std::string::npos);
  CHECK(read_by_child(folder.path()).error().find("is no regular file") != std::string::npos);
  CHECK(read_by_child(write_file(folder, "nonsense")).error().find("/x.db: ") != std::string::npos);
  const std::string path = write_file(folder, "nonsense");
  chmod(path.c_str(), 0666);
  CHECK(read_by_child(path).error().find("may write it") != std::string::npos);
}

TEST_CASE("a disk that does not answer is given up") {
  const test::ScratchDir folder;
  EventLoop loop;
  REQUIRE(loop.open());
  DatabaseReader reader;
  std::string sentence;
  const auto child = reader.start(
      loop, folder.path() + "/none",
      [](void* place, DatabaseReader::Read read) { *static_cast<std::string*>(place) = read.error(); }, &sentence);
  REQUIRE(child);
  reader.expire(EventLoop::now());
  CHECK(sentence.empty());
  reader.expire(EventLoop::now() + DatabaseReader::patience);
  CHECK(sentence.find("took longer than 30s") != std::string::npos);
  CHECK_FALSE(reader.busy());
  REQUIRE(waitpid(*child, nullptr, 0) == *child);
}

// A database of one service, and that service's processes run as the runtime runs them.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/bounds.h"
#include "core/database.h"
#include "core/database_writer.h"
#include "core/graph.h"
#include "core/runtime/spawn.h"
#include "tests/catch.h"

namespace hcrc::test {

inline TemplatePiece variable(std::string name) { return {TemplatePiece::Kind::variable, std::move(name), {}}; }
inline TemplatePiece variable_or(std::string name, std::string fallback) {
  return {TemplatePiece::Kind::variable_or, std::move(name), std::move(fallback)};
}
inline TemplatePiece piece(std::string text) { return {TemplatePiece::Kind::literal, std::move(text), {}}; }
inline Template literal(std::string text) {
  return text.empty() ? Template{} : Template{.pieces = {piece(std::move(text))}};
}
inline Arguments words(std::initializer_list<std::string> list) {
  Arguments arguments;
  for (const std::string& word : list) arguments.push_back(literal(word));
  return arguments;
}

// `sh -c SCRIPT`.
inline Service shell_service(std::string script) {
  Service service;
  service.name = "one";
  service.command = words({"/bin/sh", "-c", std::move(script)});
  return service;
}

inline Database database_of(const Service& service) {
  ServiceGraph graph;
  graph.services.push_back(service);
  auto bytes = write_database(graph);
  if (!bytes) FAIL(bytes.error().sentence);
  auto database = Database::load(std::move(*bytes));
  if (!database) FAIL(database.error().sentence);
  return std::move(*database);
}

// What a process of the service said and came to.
struct Ran {
  std::vector<SpawnAnswer> answers;
  std::string output;
  int status = -1;  // of waitpid

  bool exited(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
  // The last answer as a failure in words, or nothing.
  std::string failure() const {
    if (answers.empty() || answers.back().kind != SpawnAnswer::Kind::failed) return {};
    std::string bytes(1024, '\0');
    TextWriter text(bytes);
    write_failure(answers.back(), text);
    return std::string(text.view());
  }
  std::string detail(SpawnAnswer::Kind kind) const {
    for (const SpawnAnswer& answer : answers) {
      if (answer.kind == kind) return std::string(answer.detail.view());
    }
    return {};
  }
};

inline std::string read_to_end(int fd) {
  std::string content;
  char bytes[4096];
  for (;;) {
    const ssize_t got = read(fd, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return content;
    content.append(bytes, static_cast<std::size_t>(got));
  }
}

inline std::vector<SpawnAnswer> answers_of(const Spawner& spawner, const Spawned& spawned) {
  std::vector<SpawnAnswer> answers;
  if (!spawned.answer) {
    while (auto answer = spawner.take_answer()) answers.push_back(*answer);
    return answers;
  }
  fcntl(spawned.answer.get(), F_SETFL, 0);  // the tests may wait
  SpawnAnswer answer;
  while (read_answer(spawned.answer.get(), answer) == AnswerRead::answer) answers.push_back(answer);
  return answers;
}

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  Descriptor read;
  Descriptor write;
};

inline RuntimeFacts facts_of(std::initializer_list<std::string_view> environment = {"PATH=/usr/bin:/bin"}) {
  RuntimeFacts facts;
  facts.environment = environment;
  return facts;
}

inline int wait_for(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// Runs one process to its end. `adjust` changes the request.
inline Ran run(const Service& service, const RuntimeFacts& facts = facts_of(),
               const std::function<void(SpawnRequest&)>& adjust = {}) {
  const Database database = database_of(service);
  Pipe output;
  SpawnRequest request;
  request.database = &database;
  request.judge_paths = true;
  request.output = output.write.get();
  if (adjust) adjust(request);
  Spawner spawner(facts);
  const auto spawned = spawner.spawn(request);
  REQUIRE(spawned);
  output.write.reset();
  Ran ran;
  ran.answers = answers_of(spawner, *spawned);
  ran.output = read_to_end(output.read.get());
  ran.status = wait_for(spawned->pid);
  return ran;
}

// In a process of its own, for what changes a process for good; its exit code. Catch2's macros do not work in it.
inline int in_a_child(const std::function<int()>& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(body());
  const int status = wait_for(child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace hcrc::test

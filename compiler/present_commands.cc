#include "compiler/present_commands.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "compiler/database_file.h"
#include "core/database.h"
#include "core/present/difference.h"
#include "core/present/drawing.h"
#include "core/present/plan.h"
#include "core/system/descriptor.h"

namespace hcrc::compiler {

namespace {

std::unexpected<std::string> refused(std::string_view what, int code) {
  return std::unexpected(fmt::format("graphviz's dot: {}: {}: mend that, or take --graph dot", what, std::strerror(code)));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::lseek(fd, 0, SEEK_SET) == 0;
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 16'384> part;
  while (true) {
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
}

// The whole text is put into memory that dot reads as a file: with a pipe on both sides each could wait for the other.
std::expected<std::string, std::string> svg_by_graphviz(const std::string& text) {
  Descriptor input(::memfd_create("hcrc-graph", MFD_CLOEXEC));
  if (input.get() < 0 || !write_all(input.get(), text)) return refused("no memory for its input", errno);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return refused("no pipe", errno);
  Descriptor from(ends[0]), to(ends[1]);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  std::string program = "dot", format = "-Tsvg";
  std::array<char*, 3> words = {program.data(), format.data(), nullptr};
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, "dot", &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  to.reset();
  if (failed == ENOENT) {
    return std::unexpected(
        "svg is drawn by graphviz, and there is no dot in the PATH: install graphviz, or take --graph dot");
  }
  if (failed != 0) return refused("cannot be started", failed);

  std::string svg = read_all(from.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !svg.empty()) return svg;
  return std::unexpected("graphviz's dot failed: see what it said, or take --graph dot");
}

}  // namespace

std::expected<std::string, SystemError> difference_of(const std::string& old_path, const std::string& new_path) {
  const auto old_one = read_database_file(old_path);
  if (!old_one) return std::unexpected(old_one.error());
  const auto new_one = read_database_file(new_path);
  if (!new_one) return std::unexpected(new_one.error());
  return present::difference_text(present::difference(*old_one, *new_one));
}

std::optional<Drawing> drawing_named(std::string_view name) {
  if (name == "dot") return Drawing::dot;
  if (name == "mermaid") return Drawing::mermaid;
  if (name == "svg") return Drawing::svg;
  if (name == "text") return Drawing::text;
  return std::nullopt;
}

std::string plan_of(const ServiceGraph& graph, bool as_json) {
  const present::Plan plan = present::make_plan(graph);
  return as_json ? present::plan_json(graph, plan) : present::plan_text(graph, plan);
}

std::expected<std::string, std::string> drawing_of(const ServiceGraph& graph, Drawing drawing) {
  switch (drawing) {
    case Drawing::dot: return present::drawing_dot(graph);
    case Drawing::mermaid: return present::drawing_mermaid(graph);
    case Drawing::text: return present::drawing_text(graph);
    case Drawing::svg: return svg_by_graphviz(present::drawing_dot(graph));
  }
  return std::unexpected(std::string());
}

}  // namespace hcrc::compiler

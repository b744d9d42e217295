#include "core/runtime/fork_memory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "core/runtime/child_memory.h"
#include "tests/catch.h"

using namespace hcrc;

namespace {

constexpr std::size_t large = 64u << 10;

// How a forked child ends that does this.
template <typename Do>
int status_of(Do what) {
  const pid_t child = fork();
  if (child == 0) _exit(what() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST_CASE("a child does not get what is the runtime's own", "[other-processes]") {
  std::pmr::vector<char> own(large, 'a', &own_memory());
  CHECK(own.back() == 'a');
  const volatile char* const there = own.data();
  CHECK(status_of([there] { return *there == 'a'; }) != 0);  // a sanitizer makes an exit of the signal
  // It grows and goes as others do.
  own.resize(4 * large, 'b');
  CHECK((own.front() == 'a' && own.back() == 'b'));
}

TEST_CASE("a child sees what is shared as it is") {
  std::pmr::vector<char> shared(large, 'a', &shared_memory());
  CHECK(status_of([&shared] {
          shared[7] = 'c';
          return shared.back() == 'a';
        }) == 0);
  CHECK(shared[7] == 'c');
}

TEST_CASE("what is small comes from the heap, and a child has it") {
  const std::pmr::vector<char> few(100, 'a', &own_memory());
  CHECK(status_of([&few] { return few.back() == 'a'; }) == 0);
}

TEST_CASE("a child that leaves the heap alone may allocate what it likes, and give back what is the runtime's") {
  auto before = std::make_unique<std::string>(200, 'x');
  CHECK(status_of([&before] {
          leave_heap_alone();
          std::vector<std::string> many;
          for (std::size_t i = 0; i < 3'000; ++i) many.emplace_back(i % 300, static_cast<char>('a' + i % 26));
          for (std::size_t i = 0; i < many.size(); ++i) {
            if (many[i] != std::string(i % 300, static_cast<char>('a' + i % 26))) return false;
          }
          before.reset();
          many.clear();
          const std::string large_one(1u << 20, 'y');
          void* const nothing = operator new(0);
          void* const more = operator new(0);
          const bool apart = nothing != more;
          operator delete(nothing);
          operator delete(more);
          return apart && large_one.back() == 'y';
        }) == 0);
  CHECK(before->size() == 200);
}

TEST_CASE("no bytes at all are a place of their own") {
  void* const one = operator new(0);
  void* const other = operator new(0);
  CHECK(one != other);
  operator delete(one);
  operator delete(other);
}

}  // namespace

#include "core/log/file_sink.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/catch.h"
#include "tests/runtime/scratch_dir.h"

namespace hcrc::log {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A sink with a folder, a queue and a time of its own.
class OneSink {
 public:
  explicit OneSink(FileSettings settings = {}) : sink_(at(std::move(settings)), complaints_) {}

  void write(std::string_view line) {
    queue_.push(line);
    flush();
  }
  void flush() { sink_.write_some(queue_, now_); }
  void reopen() { sink_.reopen(now_); }
  void rotate() { sink_.rotate(now_); }
  void pass(milliseconds time) { now_ += time; }
  bool waits() const { return sink_.next(queue_).has_value(); }
  bool empty() const { return queue_.empty(); }

  std::string path(const std::string& name = "log") const { return folder_.file("logs/" + name); }
  std::string folder() const { return folder_.file("logs"); }
  std::string read(const std::string& name = "log") const { return content(path(name)); }
  bool exists(const std::string& name) const { return fs::exists(fs::symlink_status(path(name))); }
  std::string complaints() const { return content(folder_.file("complaints")); }

 private:
  FileSettings at(FileSettings settings) {
    fs::create_directory(folder());
    settings.path = path();
    return settings;
  }

  test::ScratchDir folder_;
  Descriptor complaints_file_{open(folder_.file("complaints").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
  Outlet complaints_{complaints_file_.get()};
  Formatter notices_{Form::text, Timestamp::none, ""};
  LineQueue queue_{1'000, "the file", notices_};
  FileSink sink_;
  Clock::time_point now_ = Clock::now();
};

TEST_CASE("lines are appended to what is there") {
  OneSink one;
  std::ofstream(one.path()) << "before\n";
  one.write("after\n");
  CHECK(one.read() == "before\nafter\n");
  CHECK(one.complaints().empty());
  CHECK(!one.waits());
}

TEST_CASE("a file is filled to its limit and not beyond, and no line is split") {
  for (const std::uint64_t size : {19, 20, 21}) {  // ten bytes a line
    CAPTURE(size);
    OneSink one({.path = {}, .size = size, .age = {}, .keep = 7});
    one.write("123456789\n");
    one.write("abcdefghi\n");
    one.write("ABCDEFGHI\n");
    if (size < 20) {
      CHECK(one.read("log.2") == "123456789\n");
      CHECK(one.read("log.1") == "abcdefghi\n");
    } else {
      CHECK(!one.exists("log.2"));
      CHECK(one.read("log.1") == "123456789\nabcdefghi\n");
    }
    CHECK(one.read() == "ABCDEFGHI\n");
  }
}

TEST_CASE("many lines at once are divided between files as one by one") {
  std::string all;
  OneSink one({.path = {}, .size = 50, .age = {}, .keep = 100});
  for (int round = 0; round < 20; ++round) {
    fs::remove_all(one.folder());
    fs::create_directory(one.folder());
    OneSink many({.path = {}, .size = 50, .age = {}, .keep = 100});
    all.clear();
    std::string lines;
    for (int i = 0; i < 30; ++i) {
      const std::string line = std::string(static_cast<std::size_t>((i * 7 + round) % 29), 'x') + '\n';
      all += line;
      lines += line;
      one.write(line);
    }
    many.write(lines);
    std::string together;
    for (int number = 100; number >= 0; --number) {
      const std::string name = number == 0 ? "log" : "log." + std::to_string(number);
      if (!many.exists(name)) continue;
      CHECK(many.read(name).size() <= 50);
      CHECK(many.read(name).ends_with('\n'));
      CHECK(many.read(name) == one.read(name));
      together += many.read(name);
    }
    CHECK(together == all);
  }
}

TEST_CASE("a line longer than a file may be is cut, and no byte of it is lost") {
  OneSink one({.path = {}, .size = 10, .age = {}, .keep = 7});
  one.write("abc\n");
  one.write("0123456789ABCDEFGHIJxyz\n");
  CHECK(one.read("log.3") == "abc\n");
  CHECK(one.read("log.2") == "0123456789");
  CHECK(one.read("log.1") == "ABCDEFGHIJ");
  CHECK(one.read() == "xyz\n");
}

TEST_CASE("a limit of one byte and one of 2^63") {
  OneSink small({.path = {}, .size = 1, .age = {}, .keep = 3});
  small.write("abc\n");
  CHECK(small.read("log.2") == "b");
  CHECK(small.read("log.1") == "c");
  CHECK(small.read() == "\n");
  OneSink large({.path = {}, .size = std::uint64_t{1} << 63, .age = {}, .keep = 3});
  large.write("abc\n");
  CHECK(large.read() == "abc\n");
}

TEST_CASE("as many rotated files as asked for are kept") {
  for (const unsigned keep : {0u, 1u, 2u}) {
    CAPTURE(keep);
    OneSink one({.path = {}, .size = 2, .age = {}, .keep = keep});
    for (const char* line : {"1\n", "2\n", "3\n", "4\n", "5\n"}) one.write(line);
    CHECK(one.read() == "5\n");
    CHECK(one.exists("log.1") == (keep >= 1));
    CHECK(one.exists("log.2") == (keep >= 2));
    CHECK(!one.exists("log.3"));
    if (keep == 2) CHECK(one.read("log.2") == "3\n");
  }
}

TEST_CASE("an old file is rotated with the next line, counted from its first") {
  OneSink one({.path = {}, .size = {}, .age = milliseconds(1'000), .keep = 7});
  one.reopen();
  one.pass(milliseconds(5'000));  // empty: nothing is old
  one.write("1\n");
  one.pass(milliseconds(999));
  one.write("2\n");
  CHECK(!one.exists("log.1"));
  one.pass(milliseconds(1));
  CHECK(!one.waits());
  one.write("3\n");
  CHECK(one.read("log.1") == "1\n2\n");
  CHECK(one.read() == "3\n");
}

TEST_CASE("rotating now: a file with something in it, not an empty one") {
  OneSink one;
  one.reopen();
  one.rotate();
  CHECK(!one.exists("log.1"));
  one.write("1\n");
  one.rotate();
  one.rotate();
  CHECK(one.read("log.1") == "1\n");
  CHECK(one.exists("log"));
  CHECK(!one.exists("log.2"));
}

TEST_CASE("a rename that fails leaves the file in use, is told once, and tried again") {
  OneSink one({.path = {}, .size = 4, .age = {}, .keep = 1});
  fs::create_directories(one.path("log.1/in the way"));
  for (int i = 0; i < 3; ++i) one.write("abc\n");
  CHECK(one.read() == "abc\nabc\nabc\n");
  const std::string complaints = one.complaints();
  CHECK(complaints.find("cannot be rotated") != std::string::npos);
  CHECK(std::count(complaints.begin(), complaints.end(), '\n') == 1);
  fs::remove_all(one.path("log.1"));
  one.pass(milliseconds(60'000));
  one.write("new\n");
  CHECK(one.read("log.1") == "abc\nabc\nabc\n");
  CHECK(one.read() == "new\n");
}

TEST_CASE("a file that is renamed or removed by somebody else is made again") {
  OneSink one;
  one.write("1\n");
  fs::rename(one.path(), one.path("moved"));
  one.write("2\n");
  CHECK(one.read("moved") == "1\n");
  CHECK(one.read() == "2\n");
  fs::remove(one.path());
  one.write("3\n");
  CHECK(one.read() == "3\n");
  fs::rename(one.path(), one.path("moved"));
  std::ofstream(one.path()) << "theirs\n";
  one.rotate();  // what the path names now
  CHECK(one.read("log.1") == "theirs\n");
  CHECK(one.read("moved") == "3\n");
}

TEST_CASE("a file that somebody else cuts counts anew") {
  OneSink one({.path = {}, .size = 8, .age = {}, .keep = 7});
  one.write("abc\n");
  one.write("def\n");
  fs::resize_file(one.path(), 0);
  one.write("ghi\n");
  CHECK(one.read() == "ghi\n");
  CHECK(!one.exists("log.1"));
}

TEST_CASE("a folder that is gone is told once, tried again after a while, and nothing is lost") {
  OneSink one;
  one.write("1\n");
  fs::remove_all(one.folder());
  one.write("2\n");
  CHECK(one.waits());
  CHECK(!one.empty());
  for (int i = 0; i < 20; ++i) {
    one.pass(milliseconds(30'000));
    one.flush();
  }
  const std::string complaints = one.complaints();
  CHECK(std::count(complaints.begin(), complaints.end(), '\n') == 1);
  fs::create_directory(one.folder());
  one.flush();  // its time has not come
  CHECK(!one.exists("log"));
  one.pass(milliseconds(30'000));
  one.flush();
  CHECK(one.read() == "2\n");
  CHECK(!one.waits());
  CHECK(one.complaints().ends_with("is written again\n"));
}

TEST_CASE("lines that found no room while the file could not be had are counted in their place") {
  OneSink one;
  fs::remove_all(one.folder());
  int pushed = 0;
  for (; pushed < 200; ++pushed) one.write("123456789\n");
  fs::create_directory(one.folder());
  one.pass(milliseconds(30'000));
  one.flush();
  CHECK(one.read().ends_with("hcrc-log: 100 lines dropped here: the file took no more\n"));
  one.write("later\n");
  CHECK(one.read().ends_with("took no more\nlater\n"));
}

TEST_CASE("nothing but a regular file with one name, through no link") {
  OneSink one;
  const std::string outside = one.folder() + "/../outside";
  std::ofstream(outside) << "precious";
  SECTION("the file is a link") { fs::create_symlink(outside, one.path()); }
  SECTION("the file is a dangling link") { fs::create_symlink(one.path("nowhere"), one.path()); }
  SECTION("the file is a second name") { fs::create_hard_link(outside, one.path()); }
  SECTION("the file is a FIFO") { REQUIRE(mkfifo(one.path().c_str(), 0600) == 0); }
  SECTION("the file is a folder") { fs::create_directory(one.path()); }
  SECTION("the folder is a link") {
    fs::rename(one.folder(), one.folder() + "-real");
    fs::create_directory_symlink(one.folder() + "-real", one.folder());
  }
  one.write("1\n");
  CHECK(one.waits());
  CHECK(content(outside) == "precious");
  CHECK(!one.exists("nowhere"));
  const std::string complaints = one.complaints();
  CHECK(complaints.ends_with(": trying again\n"));
  CHECK(std::count(complaints.begin(), complaints.end(), '\n') == 1);
}

// A limit on the size of files stands for a disk that fills up in the middle of a line.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_CASE("after a short write the rest follows, once, and a rotation waits for it") {
  OneSink one;
  {
    const FileSizeLimit limit(6);
    one.write("abc\ndef\n");
    CHECK(one.read() == "abc\nde");
    CHECK(one.waits());
    one.pass(milliseconds(30'000));
    one.rotate();
    CHECK(!one.exists("log.1"));
  }
  one.flush();
  CHECK(one.read() == "abc\ndef\n");
  one.write("ghi\n");  // the rotation that was asked for
  CHECK(one.read("log.1") == "abc\ndef\n");
  CHECK(one.read() == "ghi\n");
}

TEST_CASE("a line that was cut by a full disk is whole in the file that comes after") {
  OneSink one;
  {
    const FileSizeLimit limit(6);
    one.write("abc\ndef\n");
  }
  fs::rename(one.path(), one.path("moved"));
  one.pass(milliseconds(30'000));
  one.flush();
  CHECK(one.read("moved") == "abc\nde");
  CHECK(one.read() == "def\n");
}

}  // namespace
}  // namespace hcrc::log

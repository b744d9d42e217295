#include "core/runtime/log_pipes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace hcrc {

namespace {

bool logs(const format::EdgeRecord& edge) { return EdgeKinds(static_cast<std::uint8_t>(edge.kinds)).has(EdgeKind::log_to); }

}  // namespace

LogPipes::LogPipes(const Database& database) : database_(database), pipes_(database.size()) {
  streams_.reserve(database.size());
  read_ends_.reserve(database.size());
}

template <typename Each>
void LogPipes::each_producer(Slot logger, Each each) {
  for (const format::EdgeRecord& edge : database_.dependents(logger)) {
    if (logs(edge)) each(edge.service);
  }
}

int LogPipes::make(Slot producer) {
  Pipe& pipe = pipes_[producer];
  if (pipe.write || pipe.closed) return 0;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  pipe.read.reset(ends[0]);
  pipe.write.reset(ends[1]);
  return 0;
}

std::expected<int, int> LogPipes::output(Slot producer) {
  bool has_logger = false;
  for (const format::EdgeRecord& edge : database_.dependencies(producer)) has_logger = has_logger || logs(edge);
  if (!has_logger) return -1;
  if (const int error = make(producer); error != 0) return std::unexpected(error);
  return pipes_[producer].write.get();
}

std::expected<std::span<const Stream>, int> LogPipes::streams(Slot logger) {
  int error = 0;
  streams_.clear();
  each_producer(logger, [&](Slot producer) {
    if (error == 0) error = make(producer);
    if (pipes_[producer].read) streams_.push_back({.fd = pipes_[producer].read.get(), .name = database_.name(producer)});
  });
  if (error != 0) return std::unexpected(error);
  return streams_;
}

std::span<const int> LogPipes::read_ends(Slot logger) {
  read_ends_.clear();
  each_producer(logger, [this](Slot producer) {
    if (pipes_[producer].read) read_ends_.push_back(pipes_[producer].read.get());
  });
  return read_ends_;
}

void LogPipes::close_streams(Slot logger) {
  each_producer(logger, [this](Slot producer) {
    pipes_[producer].closed = true;
    pipes_[producer].write.reset();
  });
}

}  // namespace hcrc

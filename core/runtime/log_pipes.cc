#include "core/runtime/log_pipes.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace hcrc {

LogPipes::LogPipes(const Supervisor& supervisor) : supervisor_(supervisor) { make_room(supervisor.slots()); }

void LogPipes::make_room(Slot slots) {
  if (slots > pipes_.size()) pipes_.resize(slots);
  streams_.reserve(slots);
  read_ends_.reserve(slots);
}

template <typename Each>
void LogPipes::each_producer(Slot logger, Each each) const {
  const auto links = supervisor_.links().dependents(logger);
  for (const Links::Link& link : links) {
    if (!link.kinds.has(EdgeKind::log_to)) continue;
    // One that is restarted, and logs to the same logger by both graphs, has two links and one pipe.
    const auto same = [&link](const Links::Link& other) {
      return !other.old && other.service == link.service && other.kinds.has(EdgeKind::log_to);
    };
    if (!link.old || std::ranges::none_of(links, same)) each(link.service);
  }
}

bool LogPipes::logs(Slot producer) const {
  const auto any = [](std::span<const Links::Link> links) {
    return std::ranges::any_of(links, [](const Links::Link& link) { return link.kinds.has(EdgeKind::log_to); });
  };
  return any(supervisor_.dependencies(producer));
}

bool LogPipes::holds_something(int fd) {
  int bytes = 0;
  return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
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
  if (!logs(producer)) return -1;
  if (const int error = make(producer); error != 0) return std::unexpected(error);
  return pipes_[producer].write.get();
}

std::expected<std::span<const Stream>, int> LogPipes::streams(Slot logger) {
  streams_.clear();
  const Definition& definition = supervisor_.definition(logger);
  for (const format::EdgeRecord& edge : definition.database->dependents(definition.index)) {
    if (!edge.all_kinds().has(EdgeKind::log_to)) continue;
    // Only what goes by the graph in force is started, so its places are meant.
    const Slot producer = supervisor_.slot_at(edge.service);
    if (const int error = make(producer); error != 0) return std::unexpected(error);
    if (pipes_[producer].read) {
      streams_.push_back({.fd = pipes_[producer].read.get(), .name = supervisor_.database().name(edge.service)});
    }
  }
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

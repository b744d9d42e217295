#include "core/runtime/resource_limits.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "core/runtime/trusted_file.h"

namespace hcrc {

namespace {

static_assert(RLIM_INFINITY == Limit::unlimited);

decltype(RLIMIT_NOFILE) resource_of(LimitKind kind) {
  switch (kind) {
    case LimitKind::nofile: return RLIMIT_NOFILE;
    case LimitKind::nproc: return RLIMIT_NPROC;
    case LimitKind::core: return RLIMIT_CORE;
    case LimitKind::as: return RLIMIT_AS;
    case LimitKind::memlock: return RLIMIT_MEMLOCK;
    case LimitKind::stack: return RLIMIT_STACK;
  }
  return RLIMIT_CORE;
}

LimitKind kind_of(const format::LimitRecord& limit) { return static_cast<LimitKind>(limit.kind); }

std::string words(rlim_t value) { return value == RLIM_INFINITY ? std::string("unlimited") : std::to_string(value); }

// No process may have more descriptors than this, whatever its privilege; 0 where it is not known.
rlim_t most_descriptors() {
  const auto content = read_whole("/proc/sys/fs/nr_open", 32, Whose::anybodys);
  rlim_t most = 0;
  if (content) std::from_chars(content->data(), content->data() + content->size(), most);
  return most;
}

}  // namespace

ResourceLimits::ResourceLimits() {
  if (getrlimit(RLIMIT_NOFILE, &descriptors_) != 0) return;
  rlimit most = descriptors_;
  most.rlim_cur = most.rlim_max;
  raised_ = setrlimit(RLIMIT_NOFILE, &most) == 0;
}

void ResourceLimits::restore() const {
  if (raised_) setrlimit(RLIMIT_NOFILE, &descriptors_);
}

void ResourceLimits::raise(const Database& database, const format::ServiceRecord& service, std::vector<std::string>& notes) {
  for (const format::LimitRecord& limit : database.limits(service.limits)) {
    const auto resource = resource_of(kind_of(limit));
    rlimit now{};
    if (getrlimit(resource, &now) != 0 || limit.hard <= now.rlim_max) continue;
    rlim_t wanted = limit.hard;
    if (kind_of(limit) == LimitKind::nofile) {
      const rlim_t most = most_descriptors();
      if (most != 0) wanted = std::min(wanted, most);
    }
    const rlimit raised{.rlim_cur = now.rlim_cur, .rlim_max = wanted};
    if (wanted > now.rlim_max && setrlimit(resource, &raised) == 0) now.rlim_max = wanted;
    // "unlimited" is as much as there is; a number is a number.
    const bool enough = now.rlim_max >= limit.hard || (limit.hard == Limit::unlimited && now.rlim_max == wanted);
    if (enough) continue;
    notes.push_back("limit " + std::string(text(kind_of(limit))) + ": " + words(limit.hard) +
                    " was asked for, the runtime may give at most " + words(now.rlim_max));
  }
}

OrFailure<void> ResourceLimits::set(const Database& database, const format::ServiceRecord& service) const {
  restore();
  for (const format::LimitRecord& limit : database.limits(service.limits)) {
    const auto resource = resource_of(kind_of(limit));
    rlimit now{};
    if (getrlimit(resource, &now) != 0) return failed(Stage::limit, errno, std::string(text(kind_of(limit))));
    const rlim_t hard = std::min<rlim_t>(limit.hard, now.rlim_max);
    const rlimit wanted{.rlim_cur = std::min<rlim_t>(limit.soft, hard), .rlim_max = hard};
    if (setrlimit(resource, &wanted) != 0) return failed(Stage::limit, errno, std::string(text(kind_of(limit))));
  }
  return {};
}

}  // namespace hcrc

#include "core/log/line_queue.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/text.h"

namespace hcrc::log {

void LineQueue::append(std::string_view bytes) {
  const std::size_t end = (first_ + count_) % buffer_.size();
  const std::size_t before_wrap = std::min(bytes.size(), buffer_.size() - end);
  std::memcpy(buffer_.data() + end, bytes.data(), before_wrap);
  if (before_wrap < bytes.size()) std::memcpy(buffer_.data(), bytes.data() + before_wrap, bytes.size() - before_wrap);
  count_ += bytes.size();
}

void LineQueue::push(std::string_view line) {
  if (dropped_ > 0) tell_dropped();
  if (dropped_ > 0 || !room_for(line.size())) {
    ++dropped_;
    return;
  }
  append(line);
}

void LineQueue::tell_dropped() {
  // Room for the telling and some lines after it, or every second line would tell of the one before.
  if (dropped_ == 0 || (count_ > 0 && !room_for(buffer_.size() / 4))) return;
  std::array<char, 160> bytes;
  TextWriter line(bytes);
  line.put("hcrc-log: ").number(dropped_).put(dropped_ == 1 ? " line" : " lines").put(" dropped here: ").put(sink_);
  line.put(" took no more\n");
  if (!room_for(line.view().size())) return;
  append(line.view());
  dropped_ = 0;
}

std::string_view LineQueue::front() const { return {buffer_.data() + first_, std::min(count_, buffer_.size() - first_)}; }

void LineQueue::take(std::size_t bytes) {
  first_ = (first_ + bytes) % buffer_.size();
  count_ -= bytes;
}

}  // namespace hcrc::log

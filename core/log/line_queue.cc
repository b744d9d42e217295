#include "core/log/line_queue.h"

#include <array>
#include <cstring>

#include "core/text.h"

namespace hcrc::log {

LineQueue::LineQueue(std::size_t capacity, std::string_view sink, Formatter& notices)
    : capacity_(capacity), buffer_(std::make_unique_for_overwrite<char[]>(capacity)), sink_(sink), notices_(notices) {}

bool LineQueue::room_for(std::size_t bytes) const {
  if (wrapped()) return first_ - last_ > bytes;  // not "=": last_ == first_ would look like an unwrapped queue
  return capacity_ - last_ >= bytes || first_ > bytes;
}

void LineQueue::append(std::string_view bytes) {
  const bool to_beginning = !wrapped() && capacity_ - last_ < bytes.size();
  const std::size_t at = to_beginning ? 0 : last_;
  const bool behind_first = !wrapped() && !to_beginning;
  std::memcpy(buffer_.get() + at, bytes.data(), bytes.size());
  last_ = at + bytes.size();
  if (behind_first) end_ = last_;
  count_ += bytes.size();
}

void LineQueue::push(std::string_view line) {
  if (line.empty()) return;
  if (dropped_ > 0) tell_dropped();
  if (dropped_ > 0 || !room_for(line.size())) {
    ++dropped_;
    return;
  }
  append(line);
}

void LineQueue::tell_dropped() {
  // Room for the telling and some lines after it, or every second line would tell of the one before.
  if (dropped_ == 0 || (count_ > 0 && !room_for(capacity_ / 4))) return;
  std::array<char, 160> bytes;
  TextWriter text(bytes);
  text.number(dropped_).put(dropped_ == 1 ? " line" : " lines").put(" dropped here: ").put(sink_).put(" took no more");
  const std::string_view line = notices_.line("hcrc-log", text.view());
  if (!room_for(line.size())) return;
  append(line);
  dropped_ = 0;
}

std::string_view LineQueue::front() const { return {buffer_.get() + first_ + sent_, end_ - first_ - sent_}; }

void LineQueue::take(std::size_t bytes) {
  if (bytes == count_) {
    first_ = sent_ = last_ = end_ = count_ = 0;
    return;
  }
  while (bytes > 0) {
    const std::string_view lines = front();
    const std::string_view taken = lines.substr(0, bytes);
    const std::size_t newline = taken.rfind('\n');
    if (newline == std::string_view::npos) {
      sent_ += taken.size();
    } else {
      first_ += sent_ + newline + 1;
      sent_ = taken.size() - newline - 1;
    }
    bytes -= taken.size();
    count_ -= taken.size();
    if (first_ == end_) {  // on with the lines at the beginning
      first_ = 0;
      end_ = last_;
    }
  }
}

void LineQueue::rewind() {
  count_ += sent_;
  sent_ = 0;
}

}  // namespace hcrc::log

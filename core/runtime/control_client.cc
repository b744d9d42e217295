#include "core/runtime/control_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace hcrc {

namespace {

// How often a client that has shut its sending side down, and waits, is looked at: an end of file hides its going.
constexpr Duration half_closed_look = std::chrono::seconds(5);

}  // namespace

void ControlClient::begin(ControlServer& server, Descriptor connection, const Peer& peer, Instant now) {
  server_ = &server;
  connection_ = std::move(connection);
  peer_ = peer;
  since_ = now;
  half_closed_ = false;
  request_ = {};
  cursor_ = {};
  in_length_ = ignored_ = out_begin_ = out_end_ = 0;
  deadline_ = now + ControlServer::reading_time;
  ++server_->clients_;
  set_state(State::reading);
  watch();
}

void ControlClient::set_state(State state) {
  if (state_ == State::waiting) --server_->waiting_;
  if (state == State::waiting) ++server_->waiting_;
  state_ = state;
}

void ControlClient::drop() {
  if (state_ == State::free) return;
  watcher_.stop();
  connection_.reset();
  set_state(State::free);
  deadline_ = end_of_time;
  --server_->clients_;
  server_->place_is_free();
}

void ControlClient::watch() {
  const Readiness interest{.readable = !half_closed_, .writable = unsent() || state_ == State::answering};
  if (interest.readable || interest.writable) {
    watcher_.start(*server_->loop_, connection_.get(), interest, on_ready, this);
  } else {
    watcher_.stop();
  }
}

void ControlClient::on_ready(Readiness ready) {
  const Instant now = EventLoop::now();
  if (ready.readable && !half_closed_) {
    if (state_ == State::reading) {
      read_request(now);
    } else {
      read_on();
    }
  }
  // What was just parsed has been asked already; it goes on when the socket says writable.
  if (ready.writable && state_ != State::free && state_ != State::reading && flush(now) && state_ == State::answering)
    ask(now);
  server_->schedule();
}

// A recvmsg that has no room for descriptors: what a peer sends along is closed by the kernel.
ssize_t ControlClient::receive(std::span<char> room) {
  iovec vector{.iov_base = room.data(), .iov_len = room.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  ssize_t received = 0;
  do {
    received = recvmsg(connection_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  return received;
}

void ControlClient::read_request(Instant now) {
  const ssize_t received = receive(std::span<char>(in_).subspan(in_length_));
  if (received < 0 && errno == EAGAIN) return;
  if (received <= 0) return drop();  // a line without its newline was cut off: half a name may be another's
  const std::string_view fresh(in_.data() + in_length_, static_cast<std::size_t>(received));
  const std::size_t newline = fresh.find('\n');
  const std::size_t line_bytes = in_length_ + std::min(newline, fresh.size());
  in_length_ += fresh.size();
  if (newline != std::string_view::npos) return take_line({in_.data(), line_bytes}, now);
  if (in_length_ < in_.size()) return;
  result(exit_code::usage, "the request is longer than 16 KiB: name fewer services at a time");
  set_state(State::sending);
  flush(now);
}

void ControlClient::take_line(std::string_view line, Instant now) {
  deadline_ = now + ControlServer::writing_time;
  const auto request = parse_request(line);
  if (request) {
    request_ = *request;
    set_state(State::answering);
    return ask(now);
  }
  result(exit_code::usage, request.error().view());
  set_state(State::sending);
  flush(now);
}

// What comes behind the request means nothing, an end of file aside. A peer that goes on sending is a flood.
void ControlClient::read_on() {
  std::array<char, 4096> ignored;
  const ssize_t received = receive(ignored);
  if (received > 0) {
    ignored_ += static_cast<std::size_t>(received);
    if (ignored_ > bounds::control_line_bytes) drop();
  } else if (received == 0) {
    end_of_file(EventLoop::now());
  } else if (errno != EAGAIN) {
    drop();
  }
}

// The peer has closed, and all is over; or it only sends no more (`nc -N`), and wants its answer.
void ControlClient::end_of_file(Instant now) {
  if (gone()) return drop();
  half_closed_ = true;
  if (state_ == State::waiting && !unsent()) deadline_ = now + half_closed_look;
  watch();
}

bool ControlClient::gone() const {
  pollfd look{.fd = connection_.get(), .events = 0, .revents = 0};
  return poll(&look, 1, 0) == 1 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

// Asks the handler for as much as the empty buffer takes, and sends what can be sent.
void ControlClient::ask(Instant now) {
  ControlAnswer answer(*this);
  server_->answering_ = true;
  Progress progress = server_->handler_->answer(request_, answer);
  server_->answering_ = false;
  if (progress == Progress::more && !unsent()) {
    progress = answer.fail(exit_code::system, "a line of the answer is longer than the buffer");
  }
  if (progress == Progress::waiting && state_ != State::waiting && server_->waiting_ >= bounds::control_waiting) {
    progress = answer.fail(exit_code::system, "too many clients wait already: try again later");
  }
  switch (progress) {
    case Progress::done: set_state(State::sending); break;
    case Progress::more: set_state(State::answering); break;
    case Progress::waiting: set_state(State::waiting); break;
  }
  deadline_ = now + ControlServer::writing_time;
  flush(now);
}

// Sends what is there. True: all of it went, and the client is still there.
bool ControlClient::flush(Instant now) {
  while (unsent()) {
    const ssize_t sent =
        send(connection_.get(), out_.data() + out_begin_, out_end_ - out_begin_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) {
      drop();
      return false;
    }
    if (sent < 0) {
      watch();
      return false;
    }
    out_begin_ += static_cast<std::size_t>(sent);
    deadline_ = now + ControlServer::writing_time;
  }
  out_begin_ = out_end_ = 0;
  if (state_ == State::sending) {
    drop();
    return false;
  }
  // The buffer is empty, but the kernel's may be too full to be asked for more.
  if (state_ == State::answering) {
    deadline_ = now + ControlServer::writing_time;
  } else {
    deadline_ = half_closed_ ? now + half_closed_look : end_of_time;
  }
  watch();
  return true;
}

void ControlClient::poked(Instant now) {
  if (state_ != State::waiting) return;
  if (!unsent()) return ask(now);
  set_state(State::answering);  // asked again once the peer has taken what there is
}

void ControlClient::expire(Instant now) {
  if (deadline_ > now) return;
  const bool idle = state_ == State::waiting && half_closed_ && !unsent();
  if (!idle || gone()) return drop();
  deadline_ = now + half_closed_look;
}

void ControlClient::flush_and_drop() {
  if (state_ != State::free && unsent()) flush(EventLoop::now());
  drop();
}

void ControlClient::result(std::uint8_t code, std::string_view text) {
  const std::span<char> free = room(1);
  JsonLine line(free);
  write_result(line, code, text);
  if (line.fits()) add_newline(line.view().size());
}

JsonLine ControlAnswer::line() { return JsonLine(client_.room(result_line_bytes + 1)); }

bool ControlAnswer::put(const JsonLine& line) {
  if (!line.fits()) return false;
  client_.add_newline(line.view().size());
  return true;
}

Progress ControlAnswer::ok(std::string_view text) {
  client_.result(exit_code::done, text);
  return Progress::done;
}

Progress ControlAnswer::fail(std::uint8_t code, std::string_view text) {
  client_.result(code, text);
  return Progress::done;
}

ControlAnswer::Cursor& ControlAnswer::cursor() { return client_.cursor_; }

const Peer& ControlAnswer::peer() const { return client_.peer_; }

}  // namespace hcrc

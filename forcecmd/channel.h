// One end of the socket pair between front and publisher. Messages are whole or refused; a descriptor may
// ride on a request.
#pragma once

#include "forcecmd/wire.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <csignal>
#include <optional>
#include <utility>

namespace gate::drop {

struct Received {
    Request request;
    Fd file; // what rode on it, if anything
};

class Channel {
  public:
    explicit Channel(Fd fd) : fd_(std::move(fd)) {}
    [[nodiscard]] static Result<std::pair<Channel, Channel>> make_pair();

    // Errors of all: closed (the other side is gone), bad_input (a message of the wrong size), system.
    [[nodiscard]] Result<void> send(const Request& request, int file = -1);
    [[nodiscard]] Result<void> send(const Reply& reply);
    [[nodiscard]] Result<Received> receive_request();
    [[nodiscard]] Result<Reply> receive_reply();

    [[nodiscard]] int fd() const { return fd_.get(); }

  private:
    Fd fd_;
};

} // namespace gate::drop

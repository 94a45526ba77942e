// One end of the socket pair between front and publisher. Messages are whole or refused; a descriptor may
// ride on a request.
#pragma once

#include "forcecmd/wire.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace gate::drop {

struct Received {
    Request request;
    std::span<const std::byte> content; // what rode in the message; valid until the next receive_request()
    Fd file;                            // what rode on it, if anything
};

class Channel {
  public:
    explicit Channel(Fd fd) : fd_(std::move(fd)) {}
    [[nodiscard]] static Result<std::pair<Channel, Channel>> make_pair();

    // Errors of all: closed (the other side is gone), bad_input (a message of a wrong size), system.
    // At most k_max_inline bytes of content.
    [[nodiscard]] Result<void> send(const Request& request, int file = -1, std::string_view content = {});
    [[nodiscard]] Result<void> send(const Reply& reply);
    [[nodiscard]] Result<Received> receive_request();
    [[nodiscard]] Result<Reply> receive_reply();
    // nullopt: nothing is waiting.
    [[nodiscard]] Result<std::optional<Reply>> poll_reply();

    [[nodiscard]] int fd() const { return fd_.get(); }

  private:
    Fd fd_;
    std::vector<std::byte> buffer_;
};

} // namespace gate::drop

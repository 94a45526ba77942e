// The Dropbox as the front has it: content is staged in memory (a memfd a file), everything else is asked of
// the publisher. At commit the memfd is sealed and handed over: what the publisher hashes is what it
// publishes.
#pragma once

#include "forcecmd/channel.h"
#include "forcecmd/front/dropbox.h"
#include "forcecmd/front/extents.h"

#include <array>

namespace gate::drop {

class RemoteDropbox final : public Dropbox {
  public:
    // `max_file_size`: bytes, for one file and for all that is staged at a time.
    RemoteDropbox(Channel& channel, std::uint64_t max_file_size) : channel_(channel), max_(max_file_size) {}

    [[nodiscard]] spool::Reason begin(std::string_view name, std::optional<std::uint64_t> size,
                                      FileId& file) override;
    [[nodiscard]] spool::Reason write(FileId file, std::uint64_t offset, std::string_view bytes) override;
    [[nodiscard]] std::uint64_t size(FileId file) const override;
    [[nodiscard]] spool::Reason truncate(FileId file, std::uint64_t size) override;
    [[nodiscard]] spool::Reason rename(FileId file, std::string_view name) override;
    [[nodiscard]] spool::Reason commit(FileId file) override;
    void abort(FileId file, spool::Reason why) override;
    void refused(spool::Reason why, std::string_view request) override;

    // The publisher is gone: nothing can be taken any more.
    [[nodiscard]] bool broken() const { return broken_; }

  private:
    struct Staged {
        Fd memory;
        Extents extents;
        spool::Reason reason = spool::Reason::none;
    };
    [[nodiscard]] spool::Reason ask(const Request& request, Reply& reply, int file = -1);
    void tell(const Request& request);
    [[nodiscard]] std::uint64_t staged_bytes() const;

    Channel& channel_;
    const std::uint64_t max_;
    std::array<std::optional<Staged>, k_max_open_files> files_;
    bool broken_ = false;
};

} // namespace gate::drop

// The publisher: the process that decides by the policy and alone can create files. It hears requests of the
// front, which it does not trust, and serves them through lib/spool.
#pragma once

#include "forcecmd/channel.h"
#include "forcecmd/publisher/trail.h"
#include "lib/spool/admission.h"
#include "lib/spool/spool.h"

#include <array>
#include <optional>

namespace gate::drop {

class Publisher {
  public:
    // `login` and `fs` must outlive the object.
    Publisher(Channel channel, const Login& login, Fs& fs);

    // Serves until the front is gone, says goodbye, or a signal came. Returns the session's exit status.
    [[nodiscard]] int serve();

  private:
    struct OpenFile {
        std::string name;
        spool::FileName::Kind kind;
        std::uint64_t declared; // bytes, or k_unknown_size
        std::int64_t started_ms;
        std::optional<spool::Reservation> reservation;
    };

    // False when the session is over.
    [[nodiscard]] bool wait_for_request();
    [[nodiscard]] bool handle(Received received);
    [[nodiscard]] Reply begin(const Request& request);
    [[nodiscard]] spool::Reason admit(const Request& request, spool::FileName& name, OpenFile& file);
    [[nodiscard]] spool::Reason rename(const Request& request);
    [[nodiscard]] spool::Reason commit(const Request& request, const Fd& content);
    [[nodiscard]] spool::Reason publish(OpenFile& file, const DropFacts& facts,
                                        std::span<const std::byte> content);
    void abort(const Request& request);
    [[nodiscard]] OpenFile* open_file(std::uint32_t number);
    void close_everything();

    Channel channel_;
    const Login& login_;
    const std::int64_t deadline_ms_; // monotonic
    Trail trail_;
    spool::Admission admission_;
    Result<spool::Spool> spool_;
    std::array<std::optional<OpenFile>, k_max_open_files> files_;
    std::optional<int> status_; // what the front said at its end
    bool interrupted_ = false;
    std::optional<Error>
        admission_error_; // what stands behind the last Reason that is the server's own fault
};

} // namespace gate::drop

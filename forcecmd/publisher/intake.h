// The files of one session, from begin to published, as the publisher decides them. Believes nothing of what
// a Request says beyond what the policy lets any front ask for.
#pragma once

#include "forcecmd/channel.h"
#include "forcecmd/confine.h"
#include "forcecmd/publisher/trail.h"
#include "forcecmd/sealed.h"
#include "lib/spool/admission.h"
#include "lib/spool/keeper.h"
#include "lib/spool/ledger.h"
#include "lib/spool/spool.h"

#include <array>
#include <functional>
#include <optional>

namespace gate::drop {

class Intake {
  public:
    // All must outlive the object. Everything that is opened by name is opened here.
    Intake(const keyring::Policy& policy, const keyring::KeyRecord& key, Fs& fs, Trail& trail,
           const spool::StatePaths& state = {});
    Intake(const Intake&) = delete;
    Intake& operator=(const Intake&) = delete;

    [[nodiscard]] spool::Reason begin(const Request& request);
    // `admitted` is called once, when it is decided whether the file may come, and before it is taken: what
    // takes its time then is the disk.
    using Admitted = std::function<void()>;
    [[nodiscard]] spool::Reason deliver(const Request& request, const Received& content,
                                        const Admitted& admitted = {});
    [[nodiscard]] spool::Reason rename(const Request& request);
    [[nodiscard]] spool::Reason commit(const Request& request, const Received& content,
                                       const Admitted& admitted = {});
    void abort(const Request& request);
    // Tells the audit what the last deliver or commit took. Between the answer and the next request: the
    // content is hashed for the audit alone, and that is not what a client should wait for.
    void report();
    // What it has open and will use.
    void add_parts(PublisherParts& parts) const;
    // See Spool. Errors: system.
    [[nodiscard]] Result<void> stage_in_data_in();
    // Whatever is still open is given up.
    void close();

    struct Room {
        std::uint64_t size; // bytes that are reserved
        bool any_size;      // there is room for the largest file too
    };
    // Makes room for one more small file before it is asked for, once a session has shown that it sends many.
    [[nodiscard]] std::optional<Room> prepare();

  private:
    struct OpenFile {
        std::string name;
        spool::FileName::Kind kind;
        std::uint64_t declared; // bytes, or k_unknown_size
        std::int64_t started_ms;
        std::optional<spool::Reservation> reservation;
    };
    // What the audit has still to be told.
    struct Accepted {
        OpenFile file;
        std::uint64_t size;
        spool::Verdict verdict;
        spool::Taken taken;
    };
    struct Prepared {
        spool::Reservation reservation;
        Room room;
    };

    // A file that may be sent, or the reason; the audit has been told. `granted`: it was let in beforehand.
    [[nodiscard]] std::expected<OpenFile, spool::Reason> admit(const Request& request, bool granted);
    [[nodiscard]] spool::Reason check(OpenFile& file, bool granted, std::optional<Error>& cause);
    [[nodiscard]] spool::Reason make_room(OpenFile& file, std::optional<Error>& cause);
    [[nodiscard]] bool fits_prepared(std::uint64_t declared) const;
    [[nodiscard]] spool::Reason check_arrived(const OpenFile& file, std::uint64_t size);
    [[nodiscard]] spool::Reason take(OpenFile file, std::uint64_t size, const Received& content);
    [[nodiscard]] spool::Reason keep(Accepted& accepted, std::span<const std::byte> bytes);
    [[nodiscard]] static DropFacts facts_of(const Accepted& accepted);
    void tell_troubles();
    [[nodiscard]] OpenFile* open_file(std::uint32_t number);

    const keyring::Policy& policy_;
    Trail& trail_;
    spool::Admission admission_;
    Result<spool::Spool> spool_;
    std::optional<spool::Ledger> ledger_; // with a spool
    std::optional<spool::Keeper> keeper_; // with a spool
    std::array<std::optional<OpenFile>, k_max_open_files> files_;
    std::optional<Accepted> accepted_;
    std::optional<Prepared> prepared_;
    std::uint64_t largest_declared_ = 0; // bytes; 0 in a protocol that does not say sizes
};

} // namespace gate::drop

// A complete file, taken for good: into data_in, into quarantine, or recognised as one that has been taken
// before. Knows the policy and no protocol; tells nobody: the caller has an audit.
#pragma once

#include "lib/keyring/policy.h"
#include "lib/keyring/record.h"
#include "lib/spool/binding.h"
#include "lib/spool/content.h"
#include "lib/spool/ledger.h"
#include "lib/spool/spool.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gate::spool {

struct Taken {
    enum class Kind : std::uint8_t {
        delivered,   // as `name` in data_in
        resent,      // it had been taken before
        quarantined, // under the id `name`, because of `reason`
        refused,     // because of `reason`: nothing was taken
    };
    Kind kind = Kind::refused;
    Reason reason = Reason::none;
    std::string name;
    std::optional<Error> cause; // of a refusal
    Sha256 sha256{};

    // What does not agree with the key, though it is not why the file was not delivered, or it was: the
    // binding is observed only, or being learned.
    Reason observed = Reason::none;
    // agent.mismatch: how often it happened untold since the last time; nullopt: not now.
    std::optional<std::uint64_t> tell_mismatch;
    bool proposed = false; // the name in the packet is now proposed for the key
};

class Keeper {
  public:
    // All must outlive the object.
    Keeper(const keyring::Policy& policy, const keyring::KeyRecord& key, Spool& spool, Ledger& ledger)
        : policy_(policy), key_(key), mode_(binding_mode(policy, key)), spool_(spool), ledger_(ledger) {}

    struct File {
        std::string_view name;
        std::string_view agent; // in its name
        std::span<const std::byte> content;
        const Verdict& verdict;
        // It is not for data_in, whatever it holds: what is wrong with it was seen before.
        Reason put_away = Reason::none;
        // What a human will want to know of a quarantined packet: one line of JSON.
        std::function<std::string(const Taken& taken)> sidecar;
    };
    // The reservation is spent if something was taken, and the caller's to destroy either way.
    [[nodiscard]] Taken take(Reservation& reservation, const File& file);

  private:
    [[nodiscard]] Reason judge(const File& file, Taken& taken);
    void learn(const File& file, Taken& taken);
    void confirm(Taken& taken);
    void deliver(Reservation& reservation, const File& file, const DropDigest& digest, Taken& taken);
    void put_away(Reservation& reservation, const File& file, const DropDigest& digest, Taken& taken);

    const keyring::Policy& policy_;
    const keyring::KeyRecord& key_;
    const BindingMode mode_;
    Spool& spool_;
    Ledger& ledger_;
};

} // namespace gate::spool

#include "lib/spool/keeper.h"

#include "lib/base/clock.h"

#include <xxhash.h>

namespace gate::spool {

namespace {

[[nodiscard]] Reason reason_of(const Error& error) {
    return error.code == Errc::no_space ? Reason::space_free : Reason::spool_unavailable;
}

void refuse(Taken& taken, Reason reason, const Error& cause) {
    taken.kind = Taken::Kind::refused;
    taken.reason = reason;
    taken.cause = cause;
}

// One mismatch a key and hour is told, whatever the names.
const std::uint64_t k_mismatch = XXH3_64bits("agent.mismatch", 14);

} // namespace

// Why the file may not be delivered; what is only observed goes into `taken`.
Reason Keeper::judge(const File& file, Taken& taken) {
    if (file.put_away != Reason::none)
        return file.put_away;
    // A front that has not looked where it must is none of ours.
    if (policy_.content_check && file.verdict.content == Content::unchecked)
        return Reason::protocol;
    if (const Reason reason = check_content(file.verdict); reason != Reason::none)
        return reason;
    if (mode_ == BindingMode::enforce || mode_ == BindingMode::observe) {
        const Reason reason = check_binding(key_, file.agent, file.verdict);
        if (mode_ == BindingMode::enforce)
            return reason;
        taken.observed = reason;
    }
    return mode_ == BindingMode::refuse ? Reason::agent_unbound : Reason::none;
}

// The first packets of an unbound key propose a name; later ones are held against it.
void Keeper::learn(const File& file, Taken& taken) {
    if (!file.verdict.agent_name)
        return;
    Memory::Hold hold(ledger_.memory(), wall_clock_us());
    const Learned learned = hold.learned();
    if (learned.packets < k_proposing_packets)
        taken.proposed = hold.learn(*file.verdict.agent_name);
    else if (learned.proposes() && learned.names[0] != *file.verdict.agent_name)
        taken.observed = Reason::agent_mismatch;
}

Taken Keeper::take(Reservation& reservation, const File& file) {
    Taken taken;
    taken.sha256 = sha256({reinterpret_cast<const std::uint8_t*>(file.content.data()), file.content.size()});
    const DropDigest digest = digest_of_drop(file.name, taken.sha256);
    taken.reason = judge(file, taken);
    if (taken.reason == Reason::protocol)
        return taken;
    if (taken.reason == Reason::none)
        deliver(reservation, file, digest, taken);
    else
        put_away(reservation, file, digest, taken);
    if (taken.kind == Taken::Kind::resent)
        confirm(taken);
    if (mode_ == BindingMode::learn && taken.kind == Taken::Kind::delivered)
        learn(file, taken);
    // Of what was refused or is known the caller tells nothing of the kind: nor may it count as told.
    const bool kept = taken.kind == Taken::Kind::delivered || taken.kind == Taken::Kind::quarantined;
    const bool mismatch = kept && (taken.reason == Reason::agent_mismatch || taken.observed != Reason::none);
    if (mismatch)
        taken.tell_mismatch = Memory::Hold(ledger_.memory(), wall_clock_us()).tell(k_mismatch);
    return taken;
}

// The session that delivered it may be waiting for the disk yet, and may have to say no: what is acknowledged
// here is made durable here.
void Keeper::confirm(Taken& taken) {
    if (const auto synced = spool_.sync_names(); !synced)
        refuse(taken, Reason::spool_unavailable, synced.error());
}

void Keeper::deliver(Reservation& reservation, const File& file, const DropDigest& digest, Taken& taken) {
    if (const auto filled = spool_.fill(reservation, file.content); !filled)
        return refuse(taken, reason_of(filled.error()), filled.error());
    {
        // Of two sessions that send the same at the same time, one finds what the other has remembered.
        Memory::Hold hold(ledger_.memory(), wall_clock_us());
        if (hold.knows(digest)) {
            taken.kind = Taken::Kind::resent;
            return;
        }
        auto name = spool_.give_name(reservation, file.name);
        if (!name)
            return refuse(taken, reason_of(name.error()), name.error());
        taken.name = std::move(*name);
        hold.remember(digest, file.content.size());
    }
    ledger_.backlog().added();
    taken.kind = Taken::Kind::delivered;
    if (const auto synced = spool_.sync_names(); !synced) {
        // It is there, but a power cut could take it: the client must keep its copy, and may send it again.
        Memory::Hold(ledger_.memory(), wall_clock_us()).withdraw(digest);
        refuse(taken, Reason::spool_unavailable,
               {synced.error().code, synced.error().sys_errno,
                "the file is in data_in, but the directory was not synced"});
    }
}

void Keeper::put_away(Reservation& reservation, const File& file, const DropDigest& digest, Taken& taken) {
    if (Memory::Hold(ledger_.memory(), wall_clock_us()).knows(digest)) {
        taken.kind = Taken::Kind::resent;
        return;
    }
    Result<Quarantine>& quarantine = ledger_.quarantine();
    if (!quarantine)
        return refuse(taken, Reason::quarantine_full, quarantine.error());
    taken.kind = Taken::Kind::quarantined;
    taken.name = make_quarantine_id();
    const auto done = quarantine->take(spool_, reservation, taken.name, file.sidecar(taken), file.content);
    if (!done)
        return refuse(taken, Reason::quarantine_full, done.error());
    Memory::Hold(ledger_.memory(), wall_clock_us()).remember(digest, file.content.size());
}

} // namespace gate::spool

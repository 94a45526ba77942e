#include "ftpsweep/sweeper.h"

#include "lib/base/clock.h"
#include "lib/base/fs.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

namespace gate::sweep {

using spool::Reason;

namespace {

// An upload that was changed so recently may be one that its receiver has opened and not yet locked, or does
// not lock at all.
constexpr std::int64_t k_quiet_ns = 2'000'000'000;
// Uploads that one pass takes: the others wait for the next one, so that no sender keeps the rest waiting.
constexpr std::size_t k_turn = 500;
// Clocks of one machine do not differ; what is later than this was written before the clock was set back.
constexpr std::int64_t k_future_ns = 60'000'000'000;

// Nanoseconds since the upload was changed, or put where it is.
[[nodiscard]] std::int64_t age_of(const Upload& upload) {
    const std::int64_t age = wall_clock_us() * 1000 - upload.identity.changed_ns;
    return age < -k_future_ns ? INT64_MAX : age;
}

[[nodiscard]] bool is_quiet(const Upload& upload) {
    return age_of(upload) >= k_quiet_ns;
}

[[nodiscard]] Reason reason_of(const Error& error) {
    return error.code == Errc::no_space ? Reason::space_free : Reason::spool_unavailable;
}

[[nodiscard]] int directory_of(const Member& member, bool held) {
    return held ? member.inbox.held.get() : member.inbox.uploads.get();
}

} // namespace

Result<void> Sweeper::sweep(Member& member) {
    for (const std::string& name : member.inbox.names)
        GATE_CHECK(look(member, name, false));
    for (const std::string& name : member.inbox.held_names)
        GATE_CHECK(look(member, name, true));
    member.tell_troubles();
    return {};
}

Result<void> Sweeper::look(Member& member, const std::string& name, bool held) {
    if (checker_lost_) { // the next pass has another one
        left_.waiting = left_.soon = true;
        return {};
    }
    if (taken_ >= k_turn) {
        left_.more = true;
        return {};
    }
    DropFacts facts{.file = name, .started_ms = monotonic_ms()};
    const auto upload = open_upload(directory_of(member, held), name.c_str(), member.owner);
    if (!upload) {
        report_odd(member, facts, upload.error());
        return {};
    }
    facts.bytes = upload->identity.size;
    const auto busy = is_being_received(*upload);
    if (busy && *busy) { // its end will be heard of
        left_.waiting = true;
        return {};
    }
    if (must_wait(member, *upload, held, facts))
        return {};
    const auto content = copy(*upload, checker_.buffer());
    if (!busy || !content) {
        report_odd(member, facts, busy ? content.error() : busy.error());
        return {};
    }
    Item item{.name = name, .held = held, .upload = *upload, .content = *content, .facts = facts};
    return judge(member, item);
}

// What cannot be taken now is not read to find out: one sender's uploads that wait, pass after pass, would
// keep the others waiting. In uploads, what has no end is not judged here: it may have to be held.
bool Sweeper::must_wait(Member& member, const Upload& upload, bool held, const DropFacts& facts) {
    const bool whole = ends_like_a_packet(upload);
    const std::int64_t hold_ns = std::int64_t{member.policy.ftp_incomplete_hold} * 1'000'000'000;
    if (held && !whole && age_of(upload) < hold_ns) {
        left_.waiting = true;
        return true;
    }
    if (!held && !whole)
        return false;
    const bool good = keyring::standing(member.key, std::time(nullptr)) == keyring::Standing::good;
    const Reason why = good ? member.ledger.check(upload.identity.size, 0) : Reason::ftp_sender;
    if (why == Reason::none)
        return false;
    left_.waiting = true;
    member.trail.waiting(facts, why);
    return true;
}

void Sweeper::report_odd(Member& member, const DropFacts& facts, const Error& error) {
    switch (error.code) {
    case Errc::missing: // consumed meanwhile
        return;
    case Errc::closed: // being written
        left_.waiting = left_.soon = true;
        return;
    case Errc::not_regular:
    case Errc::wrong_owner:
        return member.trail.refused(facts, Reason::ftp_unsafe, &error);
    case Errc::too_large:
        return member.trail.refused(facts, Reason::ftp_large);
    default:
        left_.waiting = true;
        return member.trail.waiting(facts, Reason::spool_unavailable, &error);
    }
}

Result<void> Sweeper::judge(Member& member, Item& item) {
    const Reason wrong_name = member.admission.check_name(item.name, item.parsed);
    const bool is_packet = wrong_name == Reason::none && item.parsed.kind == spool::FileName::Kind::packet;
    if (is_packet && !ends_like_a_packet(item.content))
        return wait_for_end(member, item);
    // Of what is no packet nobody can tell where it ends.
    if (!is_packet && !is_quiet(item.upload)) {
        left_.waiting = left_.soon = true;
        return {};
    }
    if (wrong_name == Reason::none && !is_packet) {
        member.trail.ignored(item.facts);
        return finish(member, item);
    }
    const Reason wrong_size = member.admission.check_size(item.content.size());
    return take(member, item, wrong_name != Reason::none ? wrong_name : wrong_size);
}

// Held where another upload of the name can come in its place; where there is no such place it waits as it
// is.
Result<void> Sweeper::wait_for_end(Member& member, const Item& item) {
    const std::int64_t hold_ns = std::int64_t{member.policy.ftp_incomplete_hold} * 1'000'000'000;
    const bool can_be_held = !item.held && member.inbox.held.valid();
    if (!can_be_held && age_of(item.upload) >= hold_ns)
        return take(member, item, Reason::ftp_incomplete);
    left_.waiting = true;
    if (!can_be_held)
        return {};
    if (!is_quiet(item.upload)) {
        left_.soon = true;
        return {};
    }
    const bool replaces = std::ranges::binary_search(member.inbox.held_names, item.name);
    if (::renameat2(member.inbox.uploads.get(), item.name.c_str(), member.inbox.held.get(), item.name.c_str(),
                    0) != 0) {
        const Error cause{Errc::system, errno, "the incomplete upload cannot be held"};
        member.trail.waiting(item.facts, Reason::ftp_incomplete, &cause);
        return {};
    }
    member.trail.held(item.facts, member.policy.ftp_incomplete_hold, replaces);
    return {};
}

void Sweeper::leave(Member& member, const Item& item, Reason why, const Error* cause) {
    left_.waiting = true;
    member.trail.waiting(item.facts, why, cause);
}

// May it be taken now? What drop asks before the first byte.
Reason Sweeper::admit(Member& member, const Item& item, std::optional<Error>& cause) {
    if (keyring::standing(member.key, std::time(nullptr)) != keyring::Standing::good)
        return Reason::ftp_sender;
    const std::uint64_t size = item.content.size();
    if (const Reason reason = member.ledger.check(size, 0); reason != Reason::none)
        return reason;
    const auto space = spool_.free_space();
    if (!space) {
        cause = space.error();
        return Reason::spool_unavailable;
    }
    if (const Reason reason = member.admission.check_space(*space, size); reason != Reason::none)
        return reason;
    if (member.policy.audit_mode == keyring::AuditMode::required && !member.trail.begun(item.facts))
        return Reason::audit_away;
    return Reason::none;
}

Result<void> Sweeper::take(Member& member, const Item& item, Reason put_away) {
    std::optional<Error> cause;
    if (const Reason reason = admit(member, item, cause); reason != Reason::none) {
        leave(member, item, reason, cause ? &*cause : nullptr);
        return {};
    }
    auto reservation = spool_.reserve(item.content.size());
    if (!reservation) {
        leave(member, item, reason_of(reservation.error()), &reservation.error());
        return {};
    }
    struct stat staging {};
    if (!stat_fd(spool_.staging(), staging))
        return fail_errno("the staging directory cannot be looked at");
    // The name must outlive a power cut that the journal outlives: gone, it means that the upload was taken.
    GATE_CHECK(spool_.sync_staged());
    Result<void> done;
    try {
        done = journal_.begin({.name = item.name,
                               .held = item.held,
                               .staged = reservation->staged_name(),
                               .staging = staging_mark(member.policy.spool_staging, staging),
                               .identity = item.upload.identity});
        if (done)
            done = keep(member, item, put_away, *reservation);
    } catch (...) { // no memory
        reservation->abandon();
        throw;
    }
    if (!done) // what the journal says is not known: the name may not go
        reservation->abandon();
    return done;
}

Result<void> Sweeper::keep(Member& member, const Item& item, Reason put_away,
                           spool::Reservation& reservation) {
    spool::Verdict verdict;
    if (put_away == Reason::none && member.policy.content_check) {
        auto checked = checker_.check(item.content.size());
        if (!checked) {
            checker_lost_ = true;
            member.trail.breach("checker", checked.error().what);
            put_away = Reason::content_complex; // never looked at again: a human does
        } else {
            verdict = std::move(*checked);
        }
    }
    const auto sidecar = [&](const spool::Taken& taken) {
        return member.trail.quarantine_line(item.facts, taken, verdict).finish() + '\n';
    };
    const spool::Taken taken = member.keeper.take(reservation, {.name = item.name,
                                                                .agent = item.parsed.agent,
                                                                .content = item.content,
                                                                .verdict = verdict,
                                                                .put_away = put_away,
                                                                .sidecar = sidecar});
    if (taken.kind == spool::Taken::Kind::refused) {
        // In data_in, but not for sure: it may be removed here no sooner than a next pass could sync that.
        if (reservation.staged_name().empty())
            return fail(Errc::system, "what was delivered could not be synced",
                        taken.cause ? taken.cause->sys_errno : 0);
        GATE_CHECK(journal_.end());
        leave(member, item, taken.reason, taken.cause ? &*taken.cause : nullptr);
        return {};
    }
    member.trail.taken(item.facts, taken, verdict);
    return finish(member, item);
}

// It has been taken: the upload goes, and one of the same name that was held.
Result<void> Sweeper::finish(Member& member, const Item& item) {
    const int dir = directory_of(member, item.held);
    // Another one may have come in its place, or more of it: that has not been taken.
    const auto now = open_upload(dir, item.name.c_str(), member.owner);
    if (!now && !is_no_upload(now.error()))
        return std::unexpected(now.error());
    if (now && now->identity == item.upload.identity && ::unlinkat(dir, item.name.c_str(), 0) != 0)
        return fail_errno("an upload that was taken cannot be removed");
    if (now && now->identity != item.upload.identity)
        left_.waiting = left_.soon = true;
    ++taken_;
    GATE_CHECK(journal_.end());
    if (!item.held && std::ranges::binary_search(member.inbox.held_names, item.name) &&
        ::unlinkat(member.inbox.held.get(), item.name.c_str(), 0) == 0)
        member.trail.replaced(item.facts);
    return {};
}

} // namespace gate::sweep

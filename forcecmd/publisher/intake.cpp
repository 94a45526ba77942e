#include "forcecmd/publisher/intake.h"

#include "lib/base/clock.h"

#include <algorithm>
#include <unistd.h>

namespace gate::drop {

using spool::FileName;
using spool::Reason;

namespace {

// A session that has sent so many files will send another; most logins send one.
constexpr std::uint64_t k_many_files = 2;
// Room is made in whole blocks.
constexpr std::uint64_t k_round = 4096;
// Where this much is free beside what must stay so, room for a small file need not be allocated beforehand,
// which costs a file system more than the file: what all other sessions could take until it comes is less.
constexpr std::uint64_t k_plenty = 256 * 1024 * 1024;

[[nodiscard]] Reason reason_of(const Error& error) {
    return error.code == Errc::no_space ? Reason::space_free : Reason::spool_unavailable;
}

[[nodiscard]] std::optional<std::uint64_t> known(std::uint64_t size) {
    return size == k_unknown_size ? std::nullopt : std::optional(size);
}

} // namespace

Intake::Intake(const keyring::Policy& policy, const keyring::KeyRecord& key, Fs& fs, Trail& trail,
               const spool::StatePaths& state)
    : policy_(policy), trail_(trail), admission_(policy, key), spool_(spool::Spool::open(policy, fs)) {
    if (!spool_) {
        trail_.spool_unusable(policy_, spool_.error());
        return;
    }
    ledger_.emplace(policy, key.fingerprint, *spool_, state, ::geteuid());
    keeper_.emplace(policy, key, *spool_, *ledger_);
    trail_.remember_refusals(ledger_->memory());
    trail_.leftovers_removed(spool_->leftovers_removed());
    tell_troubles();
}

void Intake::tell_troubles() {
    if (!ledger_)
        return;
    for (const auto& trouble : ledger_->take_troubles())
        trail_.memory_unusable(trouble.part, trouble.cause);
}

std::expected<Intake::OpenFile, Reason> Intake::admit(const Request& request, bool granted) {
    OpenFile file{
        std::string(request.get_text()), FileName::Kind::packet, request.declared, monotonic_ms(), {}};
    std::optional<Error> cause;
    const DropFacts facts{file.name, known(request.declared).value_or(0), file.started_ms};
    Reason reason = check(file, granted, cause);
    if (reason == Reason::none && policy_.audit_mode == keyring::AuditMode::required && !trail_.begun(facts))
        reason = Reason::audit_away;
    if (reason == Reason::none)
        return file;
    trail_.refused(facts, reason, cause ? &*cause : nullptr);
    return std::unexpected(reason);
}

Reason Intake::check(OpenFile& file, bool granted, std::optional<Error>& cause) {
    FileName name;
    if (const Reason reason = admission_.check_name(file.name, name); reason != Reason::none)
        return reason;
    file.kind = name.kind;
    const auto size = known(file.declared);
    largest_declared_ = std::max(largest_declared_, size.value_or(0));
    if (const Reason reason = admission_.check_size(size.value_or(0)); reason != Reason::none)
        return reason;
    if (ledger_ && !granted) {
        const auto open = std::ranges::count_if(files_, [](const auto& f) { return f.has_value(); });
        if (const Reason reason = ledger_->check(size, static_cast<std::uint64_t>(open));
            reason != Reason::none)
            return reason;
    }
    return file.kind == FileName::Kind::checksum ? Reason::none : make_room(file, cause);
}

bool Intake::fits_prepared(std::uint64_t declared) const {
    const auto size = known(declared);
    return prepared_ && (size ? *size <= prepared_->room.size : prepared_->room.any_size);
}

Reason Intake::make_room(OpenFile& file, std::optional<Error>& cause) {
    if (!spool_) {
        cause = spool_.error();
        return Reason::spool_unavailable;
    }
    const auto size = known(file.declared);
    if (fits_prepared(file.declared)) {
        file.reservation.emplace(std::move(prepared_->reservation));
        prepared_.reset();
        return Reason::none;
    }
    prepared_.reset();
    const Result<FreeSpace> space = spool_->free_space();
    if (!space) {
        cause = space.error();
        return Reason::spool_unavailable;
    }
    if (const Reason reason = admission_.check_space(*space, size); reason != Reason::none)
        return reason;
    Result<spool::Reservation> reservation = spool_->reserve(size);
    if (!reservation) {
        cause = reservation.error();
        return reason_of(reservation.error());
    }
    file.reservation.emplace(std::move(*reservation));
    return Reason::none;
}

std::optional<Intake::Room> Intake::prepare() {
    // A named staging file would be left behind by a kill: not for a file that nobody may want. And where the
    // audit comes first, each file is asked for.
    if (admission_.files() < k_many_files || !spool_ || spool_->named() ||
        policy_.audit_mode == keyring::AuditMode::required)
        return std::nullopt;
    // Packets of one sender are of one size, nearly. A protocol that does not say sizes needs none reserved.
    const std::uint64_t size =
        std::min<std::uint64_t>(k_max_inline, (largest_declared_ + k_round - 1) / k_round * k_round);
    const Result<FreeSpace> space = spool_->free_space();
    if (!space || admission_.check_space(*space, size) != Reason::none ||
        ledger_->check(size, 0) != Reason::none)
        return std::nullopt;
    const bool plenty = admission_.check_space(*space, k_plenty) == Reason::none;
    Result<spool::Reservation> reservation =
        spool_->reserve(plenty ? std::nullopt : std::optional<std::uint64_t>(size));
    if (!reservation)
        return std::nullopt;
    const Room room{size, admission_.check_space(*space, std::nullopt) == Reason::none};
    prepared_.emplace(Prepared{std::move(*reservation), room});
    return room;
}

Reason Intake::begin(const Request& request) {
    if (request.file >= files_.size() || files_[request.file]) {
        trail_.request_refused("begin of a file that is open", Reason::protocol);
        return Reason::protocol;
    }
    auto file = admit(request, false);
    if (!file)
        return file.error();
    files_[request.file].emplace(std::move(*file));
    return Reason::none;
}

Reason Intake::deliver(const Request& request, const Received& content, const Admitted& admitted) {
    // Without the room that a grant is, it is a begin like another.
    auto file = admit(request, fits_prepared(request.declared));
    if (admitted)
        admitted();
    return file ? take(std::move(*file), request.size, content) : file.error();
}

Reason Intake::rename(const Request& request) {
    OpenFile* file = open_file(request.file);
    FileName name;
    Reason reason = admission_.check_name(request.get_text(), name);
    if (reason == Reason::none && file == nullptr)
        reason = Reason::protocol;
    else if (reason == Reason::none && name.kind != file->kind)
        reason = Reason::name_form; // one has a reservation, the other none
    if (reason == Reason::none)
        file->name = request.get_text();
    else
        trail_.refused({request.get_text(), 0, file != nullptr ? file->started_ms : monotonic_ms()}, reason);
    return reason;
}

Reason Intake::commit(const Request& request, const Received& content, const Admitted& admitted) {
    OpenFile* open = open_file(request.file);
    std::optional<OpenFile> file;
    if (open != nullptr) {
        file.emplace(std::move(*open));
        files_[request.file].reset();
    }
    if (admitted)
        admitted();
    if (!file) {
        trail_.request_refused("commit of a file that is not open", Reason::protocol);
        return Reason::protocol;
    }
    return take(std::move(*file), request.size, content);
}

Reason Intake::check_arrived(const OpenFile& file, std::uint64_t size) {
    Reason reason = admission_.check_size(size);
    if (reason == Reason::none && file.declared != k_unknown_size && file.declared != size)
        reason = Reason::incomplete;
    if (reason != Reason::none)
        trail_.refused({file.name, size, file.started_ms}, reason);
    return reason;
}

Reason Intake::take(OpenFile file, std::uint64_t size, const Received& content) {
    if (const Reason reason = check_arrived(file, size); reason != Reason::none)
        return reason;
    Accepted accepted{
        .file = std::move(file), .size = size, .verdict = content.request.get_verdict(), .taken = {}};
    std::optional<SealedContent> sealed;
    std::span<const std::byte> bytes = content.content;
    if (content.file.valid()) {
        Result<SealedContent> mapped = SealedContent::map(content.file.get(), size);
        if (!mapped) {
            trail_.refused(facts_of(accepted), Reason::internal, &mapped.error());
            return Reason::internal;
        }
        sealed.emplace(std::move(*mapped));
        bytes = sealed->bytes();
    }
    if (bytes.size() != size) {
        constexpr Error k_mismatch{Errc::bad_input, 0, "the content is not as long as was said"};
        trail_.refused(facts_of(accepted), Reason::internal, &k_mismatch);
        return Reason::internal;
    }
    if (accepted.file.kind == FileName::Kind::packet) {
        if (const Reason reason = keep(accepted, bytes); reason != Reason::none)
            return reason;
    }
    admission_.count(
        size); // what is thrown away too: it is an event of the audit, and the limits bound those
    accepted_.emplace(std::move(accepted));
    return Reason::none;
}

DropFacts Intake::facts_of(const Accepted& accepted) {
    return {accepted.file.name, accepted.size, accepted.file.started_ms};
}

Reason Intake::keep(Accepted& accepted, std::span<const std::byte> bytes) {
    FileName name;
    if (const Reason reason = admission_.check_name(accepted.file.name, name); reason != Reason::none)
        return reason; // it was let in under this name: this does not happen
    const auto sidecar = [&](const spool::Taken& taken) {
        return trail_.quarantine_line(facts_of(accepted), taken, accepted.verdict).finish() + '\n';
    };
    accepted.taken = keeper_->take(*accepted.file.reservation, {.name = accepted.file.name,
                                                                .agent = name.agent,
                                                                .content = bytes,
                                                                .verdict = accepted.verdict,
                                                                .sidecar = sidecar});
    accepted.file.reservation.reset();
    const spool::Taken& taken = accepted.taken;
    if (taken.kind != spool::Taken::Kind::refused)
        return Reason::none;
    trail_.refused(facts_of(accepted), taken.reason, taken.cause ? &*taken.cause : nullptr);
    return taken.reason;
}

void Intake::report() {
    if (!accepted_)
        return;
    const DropFacts facts = facts_of(*accepted_);
    if (accepted_->file.kind == FileName::Kind::checksum)
        trail_.ignored(facts);
    else
        trail_.taken(facts, accepted_->taken, accepted_->verdict);
    accepted_.reset();
    tell_troubles();
}

void Intake::abort(const Request& request) {
    if (request.file == k_no_file) { // let in by a grant: heard of for the first time
        trail_.aborted({request.get_text(), request.size, monotonic_ms()}, request.reason);
    } else if (OpenFile* file = open_file(request.file); file != nullptr) {
        trail_.aborted({file->name, request.size, file->started_ms}, request.reason);
        files_[request.file].reset();
    }
}

Intake::OpenFile* Intake::open_file(std::uint32_t number) {
    return number < files_.size() && files_[number] ? &*files_[number] : nullptr;
}

void Intake::add_parts(PublisherParts& parts) const {
    if (!spool_)
        return;
    parts.data_in = spool_->data_in();
    parts.staging = spool_->staging();
    parts.named = spool_->named();
    parts.others = ledger_->descriptors();
    if (const auto& quarantine = ledger_->quarantine())
        parts.quarantine = quarantine->directory();
}

Result<void> Intake::stage_in_data_in() {
    return spool_ && !spool_->named() ? spool_->stage_in_data_in() : Result<void>{};
}

void Intake::close() {
    for (auto& file : files_) {
        if (file)
            trail_.aborted({file->name, 0, file->started_ms}, Reason::aborted);
        file.reset();
    }
    prepared_.reset();
    tell_troubles();
}

} // namespace gate::drop

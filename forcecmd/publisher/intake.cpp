#include "forcecmd/publisher/intake.h"

#include "lib/base/clock.h"
#include "lib/base/sha256.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::drop {

using spool::FileName;
using spool::Reason;

namespace {

// A session that has sent so many files will send another; most logins send one.
constexpr std::uint64_t k_many_files = 2;
// Room is made in whole blocks.
constexpr std::uint64_t k_round = 4096;

[[nodiscard]] Reason reason_of(const Error& error) {
    return error.code == Errc::no_space ? Reason::space_free : Reason::spool_unavailable;
}

[[nodiscard]] std::optional<std::uint64_t> known(std::uint64_t size) {
    return size == k_unknown_size ? std::nullopt : std::optional(size);
}

} // namespace

Intake::Intake(const keyring::Policy& policy, const keyring::KeyRecord& key, Fs& fs, Trail& trail)
    : policy_(policy), trail_(trail), admission_(policy, key), spool_(spool::Spool::open(policy, fs)) {
    if (!spool_)
        trail_.spool_unusable(spool_.error());
}

std::expected<Intake::OpenFile, Reason> Intake::admit(const Request& request) {
    OpenFile file{
        std::string(request.get_text()), FileName::Kind::packet, request.declared, monotonic_ms(), {}};
    std::optional<Error> cause;
    const Reason reason = check(file, cause);
    if (reason == Reason::none)
        return file;
    trail_.refused({file.name, known(request.declared).value_or(0), file.started_ms}, reason,
                   cause ? &*cause : nullptr);
    return std::unexpected(reason);
}

Reason Intake::check(OpenFile& file, std::optional<Error>& cause) {
    FileName name;
    if (const Reason reason = admission_.check_name(file.name, name); reason != Reason::none)
        return reason;
    file.kind = name.kind;
    largest_declared_ = std::max(largest_declared_, known(file.declared).value_or(0));
    if (const Reason reason = admission_.check_size(known(file.declared).value_or(0)); reason != Reason::none)
        return reason;
    return file.kind == FileName::Kind::checksum ? Reason::none : make_room(file, cause);
}

Reason Intake::make_room(OpenFile& file, std::optional<Error>& cause) {
    if (!spool_) {
        cause = spool_.error();
        return Reason::spool_unavailable;
    }
    const auto size = known(file.declared);
    if (prepared_ && (size ? *size <= prepared_->room.size : prepared_->room.any_size)) {
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
    // A named staging file would be left behind by a kill: not for a file that nobody may want.
    if (admission_.files() < k_many_files || !spool_ ||
        policy_.spool_staging_method == keyring::StagingMethod::named)
        return std::nullopt;
    // Packets of one sender are of one size, nearly. A protocol that does not say sizes needs none reserved.
    const std::uint64_t size =
        std::min<std::uint64_t>(k_max_inline, (largest_declared_ + k_round - 1) / k_round * k_round);
    const Result<FreeSpace> space = spool_->free_space();
    if (!space || admission_.check_space(*space, size) != Reason::none)
        return std::nullopt;
    Result<spool::Reservation> reservation = spool_->reserve(size);
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
    auto file = admit(request);
    if (!file)
        return file.error();
    files_[request.file].emplace(std::move(*file));
    return Reason::none;
}

Reason Intake::deliver(const Request& request, const Received& content) {
    auto file = admit(request);
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

Reason Intake::commit(const Request& request, const Received& content) {
    OpenFile* open = open_file(request.file);
    if (open == nullptr) {
        trail_.request_refused("commit of a file that is not open", Reason::protocol);
        return Reason::protocol;
    }
    OpenFile file = std::move(*open);
    files_[request.file].reset();
    return take(std::move(file), request.size, content);
}

Reason Intake::take(OpenFile file, std::uint64_t size, const Received& content) {
    const DropFacts facts{file.name, size, file.started_ms};
    if (const Reason reason = admission_.check_size(size); reason != Reason::none) {
        trail_.refused(facts, reason);
        return reason;
    }
    if (file.declared != k_unknown_size && file.declared != size) {
        trail_.refused(facts, Reason::incomplete);
        return Reason::incomplete;
    }
    Accepted taken{
        .file = std::move(file), .size = size, .published_as = {}, .sealed = {}, .bytes = content.content};
    if (content.file.valid()) {
        Result<SealedContent> sealed = SealedContent::map(content.file.get(), size);
        if (!sealed) {
            trail_.refused(facts_of(taken), Reason::internal, &sealed.error());
            return Reason::internal;
        }
        taken.sealed.emplace(std::move(*sealed));
        taken.bytes = taken.sealed->bytes();
    }
    if (taken.bytes.size() != size) {
        constexpr Error k_mismatch{Errc::bad_input, 0, "the content is not as long as was said"};
        trail_.refused(facts_of(taken), Reason::internal, &k_mismatch);
        return Reason::internal;
    }
    if (taken.file.kind == FileName::Kind::packet) {
        if (const Reason reason = publish(taken); reason != Reason::none)
            return reason;
    }
    admission_.count(
        size); // what is thrown away too: it is an event of the audit, and the limits bound those
    accepted_.emplace(std::move(taken));
    return Reason::none;
}

DropFacts Intake::facts_of(const Accepted& taken) {
    return {taken.file.name, taken.size, taken.file.started_ms};
}

Reason Intake::publish(Accepted& taken) {
    const auto published = spool_->publish(std::move(*taken.file.reservation), taken.file.name, taken.bytes);
    if (!published) {
        const Reason reason = reason_of(published.error());
        trail_.refused(facts_of(taken), reason, &published.error());
        return reason;
    }
    if (!published->synced) {
        // It is there, but a power cut could take it: the client must keep its copy.
        constexpr Error k_not_durable{Errc::system, EIO,
                                      "the file is in data_in, but the directory was not synced"};
        trail_.refused(facts_of(taken), Reason::spool_unavailable, &k_not_durable);
        return Reason::spool_unavailable;
    }
    taken.published_as = published->name;
    return Reason::none;
}

void Intake::report() {
    if (!accepted_)
        return;
    if (accepted_->file.kind == FileName::Kind::checksum) {
        trail_.ignored(facts_of(*accepted_));
    } else {
        const auto bytes = accepted_->bytes;
        const Sha256 digest = sha256({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
        trail_.accepted(facts_of(*accepted_), accepted_->published_as, hex_encode(digest));
    }
    accepted_.reset();
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
    if (spool_)
        trail_.leftovers_removed(spool_->leftovers_removed());
}

} // namespace gate::drop

#include "forcecmd/publisher/publisher.h"

#include "forcecmd/publisher/sealed.h"
#include "lib/base/clock.h"
#include "lib/base/sha256.h"
#include "lib/base/text.h"

#include <csignal>
#include <poll.h>

namespace gate::drop {

using spool::FileName;
using spool::Reason;

namespace {

// The front ends a session that lasts too long and says so to its client; this is for a front that does not.
constexpr std::int64_t k_grace_ms = 5000;

volatile std::sig_atomic_t g_signal = 0;

extern "C" void on_signal(int number) {
    g_signal = number;
}

// SIGTERM and friends are blocked but while the publisher waits: none can come between looking and waiting.
class SignalGuard {
  public:
    SignalGuard() {
        struct sigaction action {};
        action.sa_handler = on_signal;
        sigset_t blocked;
        sigemptyset(&blocked);
        for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
            ::sigaction(number, &action, nullptr);
            sigaddset(&blocked, number);
        }
        ::sigprocmask(SIG_BLOCK, &blocked, &outside_);
    }
    [[nodiscard]] const sigset_t& outside() const { return outside_; }

  private:
    sigset_t outside_{};
};

const SignalGuard& signal_guard() {
    static const SignalGuard guard;
    return guard;
}

[[nodiscard]] Reason reason_of(const Error& error) {
    return error.code == Errc::no_space ? Reason::space_free : Reason::spool_unavailable;
}

} // namespace

Publisher::Publisher(Channel channel, const Login& login, Fs& fs)
    : channel_(std::move(channel)), login_(login),
      deadline_ms_(monotonic_ms() + std::int64_t{login.policy.drop_session_timeout} * 1000 + k_grace_ms),
      trail_(login), admission_(login_.policy, login_.key), spool_(spool::Spool::open(login_.policy, fs)) {
    static_cast<void>(signal_guard());
    if (!spool_)
        trail_.spool_unusable(spool_.error());
    else if (login_.policy.spool_staging_method == keyring::StagingMethod::named)
        trail_.leftovers_removed(spool_->remove_leftovers());
}

int Publisher::serve() {
    while (wait_for_request()) {
        Result<Received> received = channel_.receive_request();
        if (!received || !handle(std::move(*received)))
            break;
    }
    close_everything();
    const int status = std::max(status_.value_or(1), interrupted_ ? 1 : 0);
    trail_.summary(status, interrupted_);
    return status;
}

bool Publisher::wait_for_request() {
    for (;;) {
        const std::int64_t left = deadline_ms_ - monotonic_ms();
        if (left <= 0)
            return false;
        const timespec timeout{.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1'000'000};
        pollfd front{channel_.fd(), POLLIN, 0};
        const int ready = ::ppoll(&front, 1, &timeout, &signal_guard().outside());
        if (g_signal != 0) {
            interrupted_ = true;
            return false;
        }
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

bool Publisher::handle(Received received) {
    const Request& request = received.request;
    switch (request.op) {
    case Op::begin:
        return channel_.send(begin(request)).has_value();
    case Op::rename:
        return channel_.send(Reply{rename(request), request.file}).has_value();
    case Op::commit:
        return channel_.send(Reply{commit(request, received.file), request.file}).has_value();
    case Op::abort:
        abort(request);
        return true;
    case Op::note:
        trail_.request_refused(request.get_text(), request.reason);
        return true;
    case Op::bye:
        status_ = request.size > 255 ? 1 : static_cast<int>(request.size);
        return false;
    }
    return false; // no such message: the front is not ours any more
}

Reply Publisher::begin(const Request& request) {
    OpenFile file{std::string(request.get_text()), FileName::Kind::packet, request.size, monotonic_ms(), {}};
    FileName name;
    admission_error_.reset();
    const Reason reason = admit(request, name, file);
    if (reason != Reason::none) {
        const std::uint64_t bytes = request.size == k_unknown_size ? 0 : request.size;
        trail_.refused({file.name, bytes, file.started_ms}, reason,
                       admission_error_ ? &*admission_error_ : nullptr);
        return {reason, 0};
    }
    for (std::uint32_t number = 0; number < files_.size(); ++number) {
        if (files_[number])
            continue;
        files_[number].emplace(std::move(file));
        return {Reason::none, number};
    }
    trail_.refused({file.name, 0, file.started_ms}, Reason::open_files);
    return {Reason::open_files, 0};
}

Reason Publisher::admit(const Request& request, FileName& name, OpenFile& file) {
    if (const Reason reason = admission_.check_name(file.name, name); reason != Reason::none)
        return reason;
    file.kind = name.kind;
    const bool known = request.size != k_unknown_size;
    if (const Reason reason = admission_.check_size(known ? request.size : 0); reason != Reason::none)
        return reason;
    if (file.kind == FileName::Kind::checksum)
        return Reason::none;
    if (!spool_) {
        admission_error_ = spool_.error();
        return Reason::spool_unavailable;
    }
    const auto size = known ? std::optional(request.size) : std::nullopt;
    const Result<FreeSpace> space = spool_->free_space();
    if (!space) {
        admission_error_ = space.error();
        return Reason::spool_unavailable;
    }
    if (const Reason reason = admission_.check_space(*space, size); reason != Reason::none)
        return reason;
    Result<spool::Reservation> reservation = spool_->reserve(size);
    if (!reservation) {
        admission_error_ = reservation.error();
        return reason_of(reservation.error());
    }
    file.reservation.emplace(std::move(*reservation));
    return Reason::none;
}

Reason Publisher::rename(const Request& request) {
    OpenFile* file = open_file(request.file);
    if (file == nullptr) {
        trail_.request_refused("rename of a file that is not open", Reason::protocol);
        return Reason::protocol;
    }
    FileName name;
    Reason reason = admission_.check_name(request.get_text(), name);
    if (reason == Reason::none && name.kind != file->kind)
        reason = Reason::name_form; // one has a reservation, the other none
    if (reason == Reason::none)
        file->name = request.get_text();
    else
        trail_.refused({request.get_text(), 0, file->started_ms}, reason);
    return reason;
}

Reason Publisher::commit(const Request& request, const Fd& content) {
    OpenFile* open = open_file(request.file);
    if (open == nullptr) {
        trail_.request_refused("commit of a file that is not open", Reason::protocol);
        return Reason::protocol;
    }
    OpenFile file = std::move(*open);
    files_[request.file].reset();
    const DropFacts facts{file.name, request.size, file.started_ms};
    if (const Reason reason = admission_.check_size(request.size); reason != Reason::none) {
        trail_.refused(facts, reason);
        return reason;
    }
    if (file.declared != k_unknown_size && file.declared != request.size) {
        trail_.refused(facts, Reason::incomplete);
        return Reason::incomplete;
    }
    const Result<SealedContent> sealed = SealedContent::map(content.get(), request.size);
    if (!sealed) {
        trail_.refused(facts, Reason::internal, &sealed.error());
        return Reason::internal;
    }
    if (file.kind == FileName::Kind::checksum) {
        admission_.count(request.size); // it is an event of the audit, and the limits bound those too
        trail_.ignored(facts);
        return Reason::none;
    }
    return publish(file, facts, sealed->bytes());
}

Reason Publisher::publish(OpenFile& file, const DropFacts& facts, std::span<const std::byte> content) {
    const Sha256 digest = sha256({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
    const auto published = spool_->publish(std::move(*file.reservation), file.name, content);
    if (!published) {
        const Reason reason = reason_of(published.error());
        trail_.refused(facts, reason, &published.error());
        return reason;
    }
    if (!published->synced) {
        // It is there, but a power cut could take it: the client must keep its copy.
        constexpr Error k_not_durable{Errc::system, EIO,
                                      "the file is in data_in, but the directory was not synced"};
        trail_.refused(facts, Reason::spool_unavailable, &k_not_durable);
        return Reason::spool_unavailable;
    }
    admission_.count(content.size());
    trail_.accepted(facts, published->name, hex_encode(digest));
    return Reason::none;
}

void Publisher::abort(const Request& request) {
    if (OpenFile* file = open_file(request.file); file != nullptr) {
        trail_.aborted({file->name, request.size, file->started_ms}, request.reason);
        files_[request.file].reset();
    }
}

Publisher::OpenFile* Publisher::open_file(std::uint32_t number) {
    return number < files_.size() && files_[number] ? &*files_[number] : nullptr;
}

void Publisher::close_everything() {
    for (auto& file : files_) {
        if (file)
            trail_.aborted({file->name, 0, file->started_ms}, Reason::aborted);
        file.reset();
    }
}

} // namespace gate::drop

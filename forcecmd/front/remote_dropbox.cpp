#include "forcecmd/front/remote_dropbox.h"

#include "forcecmd/sealed.h"
#include "lib/base/clock.h"

#include <algorithm>

namespace gate::drop {

using spool::Reason;

namespace {
// What a grant says of free space must not be old when it is used.
constexpr std::int64_t k_grant_ms = 200;
} // namespace

bool RemoteDropbox::send(const Request& request, int content, std::string_view small) {
    if (!broken_ && !channel_.send(request, content, small))
        broken_ = true;
    return !broken_;
}

Reason RemoteDropbox::receive_answer() {
    while (!broken_) {
        const auto reply = channel_.receive_reply();
        if (!reply)
            break;
        if (reply->kind == Reply::Kind::answer)
            return reply->reason;
        take(*reply);
    }
    broken_ = true;
    return Reason::internal;
}

Reason RemoteDropbox::ask(const Request& request, int content, std::string_view small) {
    receive_pending(); // answers come in the order of the requests
    return send(request, content, small) ? receive_answer() : Reason::internal;
}

void RemoteDropbox::tell(const Request& request) {
    static_cast<void>(send(request));
}

void RemoteDropbox::receive_pending() {
    if (pending_ && !pending_->answer)
        pending_->answer = receive_answer();
}

void RemoteDropbox::take(const Reply& reply) {
    if (pending_)
        pending_->told_of_room = true;
    if (reply.kind == Reply::Kind::grant)
        grant_ = Grant{reply.granted_size, reply.any_size != 0, monotonic_ms() + k_grant_ms};
}

void RemoteDropbox::take_grant() {
    if (pending_ && !pending_->answer) {
        // Said before the file is made durable: soon.
        while (!pending_->told_of_room && !pending_->answer && !broken_) {
            const auto reply = channel_.receive_reply();
            if (!reply)
                broken_ = true;
            else if (reply->kind == Reply::Kind::answer)
                pending_->answer = reply->reason;
            else
                take(*reply);
        }
        return;
    }
    // The publisher sends one after a commit and no second before the next.
    const auto reply = channel_.poll_reply();
    if (!reply || (*reply && (*reply)->kind == Reply::Kind::answer))
        broken_ = true; // gone, or an answer to nothing
    else if (*reply)
        take(**reply);
}

bool RemoteDropbox::is_granted(std::string_view name, std::optional<std::uint64_t> size) {
    take_grant();
    if (!grant_ || broken_ || monotonic_ms() > grant_->until_ms)
        return false;
    spool::FileName parsed;
    return (size ? *size <= grant_->size : grant_->any_size) &&
           admission_.check_size(size.value_or(0)) == Reason::none &&
           admission_.check_name(name, parsed) == Reason::none;
}

Reason RemoteDropbox::begin(std::string_view name, std::optional<std::uint64_t> size, FileId& file) {
    const auto slot = std::ranges::find_if(files_, [](const auto& f) { return !f.has_value(); });
    if (slot == files_.end()) {
        refused(Reason::open_files, name);
        return Reason::open_files;
    }
    const auto number = static_cast<FileId>(slot - files_.begin());
    const bool granted = is_granted(name, size);
    if (!granted) {
        Request request;
        request.op = Op::begin;
        request.file = number;
        request.declared = size.value_or(k_unknown_size);
        request.set_text(name);
        if (const Reason reason = ask(request); reason != Reason::none)
            return reason;
    }
    grant_.reset(); // used, or taken back by asking
    slot->emplace();
    (*slot)->granted = granted;
    (*slot)->name = granted ? name : std::string_view{};
    (*slot)->declared = size.value_or(k_unknown_size);
    if (spool::FileName parsed; spool::parse_file_name(name, parsed) == Reason::none)
        (*slot)->kind = parsed.kind;
    file = number;
    return Reason::none;
}

std::uint64_t RemoteDropbox::staged_bytes() const {
    std::uint64_t total = 0;
    for (const auto& file : files_)
        total += file ? file->content.size() : 0;
    return total;
}

Reason RemoteDropbox::write(FileId number, std::uint64_t offset, std::string_view bytes) {
    File& file = *files_[number];
    if (file.reason != Reason::none || bytes.empty())
        return file.reason;
    const std::uint64_t before = file.content.size();
    if (offset > max_ || bytes.size() > max_ - offset)
        file.reason = Reason::size_file;
    else if (const std::uint64_t end = offset + bytes.size();
             end > before && end - before > max_ - std::min(max_, staged_bytes()))
        file.reason = Reason::staged_bytes;
    else
        file.reason = file.content.write(offset, bytes);
    return file.reason;
}

std::uint64_t RemoteDropbox::size(FileId number) const {
    return files_[number]->content.size();
}

bool RemoteDropbox::whole(FileId number) const {
    return files_[number]->content.whole();
}

Reason RemoteDropbox::truncate(FileId number, std::uint64_t size) {
    File& file = *files_[number];
    if (file.reason != Reason::none)
        return file.reason;
    if (size > file.content.size())
        return Reason::incomplete;
    return file.reason = file.content.truncate(size);
}

Reason RemoteDropbox::rename(FileId number, std::string_view name) {
    File& file = *files_[number];
    spool::FileName parsed;
    if (file.granted && admission_.check_name(name, parsed) == Reason::none) {
        file.name = name;
        return Reason::none;
    }
    Request request;
    request.op = Op::rename;
    request.file = file.granted ? k_no_file : number; // of a granted one: refused, and audited, there
    request.set_text(name);
    return ask(request);
}

Reason RemoteDropbox::close(FileId number, Request& request) {
    File& file = *files_[number];
    if (file.reason == Reason::none)
        file.reason = file.content.seal();
    Result<spool::Verdict> verdict{};
    if (file.reason == Reason::none && !(verdict = read_content(file)))
        file.reason = Reason::internal;
    if (file.reason != Reason::none) {
        const Reason reason = file.reason;
        abort(number, reason);
        return reason;
    }
    request.op = file.granted ? Op::deliver : Op::commit;
    request.file = number;
    request.declared = file.declared;
    request.size = file.content.size();
    request.set_text(file.name);
    request.set_verdict(*verdict);
    return Reason::none;
}

Reason RemoteDropbox::commit(FileId number) {
    Request request;
    if (const Reason reason = close(number, request); reason != Reason::none)
        return reason;
    const Staged& content = files_[number]->content;
    const Reason reason = ask(request, content.memory(), content.small());
    files_[number].reset();
    if (reason == Reason::none)
        admission_.count(request.size);
    return reason;
}

std::optional<Reason> RemoteDropbox::commit_ahead(FileId number) {
    Request request;
    request.ahead = true;
    if (const Reason reason = close(number, request); reason != Reason::none)
        return reason;
    const Staged& content = files_[number]->content;
    const bool sent = send(request, content.memory(), content.small());
    files_[number].reset();
    if (!sent)
        return Reason::internal;
    admission_.count(request.size);
    pending_.emplace(Pending{.size = request.size});
    return std::nullopt;
}

Reason RemoteDropbox::settle() {
    if (!pending_)
        return Reason::internal;
    receive_pending();
    const Reason reason = pending_->answer.value_or(Reason::internal);
    if (reason != Reason::none)
        admission_.uncount(pending_->size);
    pending_.reset();
    return reason;
}

// At the end, in one go: how the client cut its bytes must not matter.
Result<spool::Verdict> RemoteDropbox::read_content(const File& file) {
    if (!check_content_ || file.kind != spool::FileName::Kind::packet)
        return spool::Verdict{};
    if (file.content.memory() < 0)
        return checker_.check(std::as_bytes(std::span(file.content.small())));
    GATE_TRY(const SealedContent sealed, SealedContent::map(file.content.memory(), file.content.size()));
    return checker_.check(sealed.bytes());
}

void RemoteDropbox::abort(FileId number, Reason why) {
    const File& file = *files_[number];
    Request request;
    request.op = Op::abort;
    request.file = file.granted ? k_no_file : number;
    request.size = file.content.size();
    request.reason = why;
    request.set_text(file.name);
    tell(request);
    files_[number].reset();
}

void RemoteDropbox::refused(Reason why, std::string_view what) {
    Request request;
    request.op = Op::note;
    request.reason = why;
    request.set_text(what);
    tell(request);
}

} // namespace gate::drop

#include "forcecmd/front/remote_dropbox.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace gate::drop {

using spool::Reason;

namespace {

[[nodiscard]] Fd create_memory() {
#ifdef MFD_NOEXEC_SEAL
    if (Fd fd{::memfd_create("packet", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL)}; fd.valid())
        return fd; // else a kernel before 6.3
#endif
    return Fd{::memfd_create("packet", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
}

[[nodiscard]] bool write_at(int fd, std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return true;
}

} // namespace

Reason RemoteDropbox::ask(const Request& request, Reply& reply, int file) {
    if (!broken_ && channel_.send(request, file)) {
        if (const auto received = channel_.receive_reply()) {
            reply = *received;
            return reply.reason;
        }
    }
    broken_ = true;
    return Reason::internal;
}

void RemoteDropbox::tell(const Request& request) {
    if (!broken_ && !channel_.send(request))
        broken_ = true;
}

std::uint64_t RemoteDropbox::staged_bytes() const {
    std::uint64_t total = 0;
    for (const auto& file : files_)
        total += file ? file->extents.size() : 0;
    return total;
}

Reason RemoteDropbox::begin(std::string_view name, std::optional<std::uint64_t> size, FileId& file) {
    Request request;
    request.op = Op::begin;
    request.size = size.value_or(k_unknown_size);
    request.set_text(name);
    Reply reply;
    if (const Reason reason = ask(request, reply); reason != Reason::none)
        return reason;
    if (reply.file >= files_.size()) {
        broken_ = true;
        return Reason::internal;
    }
    files_[reply.file].emplace();
    file = reply.file;
    return Reason::none;
}

Reason RemoteDropbox::write(FileId file, std::uint64_t offset, std::string_view bytes) {
    Staged& staged = *files_[file];
    if (staged.reason != Reason::none || bytes.empty())
        return staged.reason;
    const auto check = [&]() -> Reason {
        if (offset > max_ || bytes.size() > max_ - offset)
            return Reason::size_file;
        const std::uint64_t end = offset + bytes.size();
        const std::uint64_t grows = end > staged.extents.size() ? end - staged.extents.size() : 0;
        if (grows > max_ - std::min(max_, staged_bytes()))
            return Reason::staged_bytes;
        if (!staged.memory.valid())
            staged.memory = create_memory();
        if (!staged.memory.valid() || !write_at(staged.memory.get(), offset, bytes))
            return Reason::internal;
        return staged.extents.add(offset, end) ? Reason::none : Reason::incomplete;
    };
    return staged.reason = check();
}

std::uint64_t RemoteDropbox::size(FileId file) const {
    return files_[file]->extents.size();
}

Reason RemoteDropbox::truncate(FileId file, std::uint64_t size) {
    Staged& staged = *files_[file];
    if (staged.reason != Reason::none)
        return staged.reason;
    if (size > staged.extents.size())
        return Reason::incomplete;
    if (staged.memory.valid() && ::ftruncate(staged.memory.get(), static_cast<off_t>(size)) != 0)
        return staged.reason = Reason::internal;
    staged.extents.cut(size);
    return Reason::none;
}

Reason RemoteDropbox::rename(FileId file, std::string_view name) {
    Request request;
    request.op = Op::rename;
    request.file = file;
    request.set_text(name);
    Reply reply;
    return ask(request, reply);
}

Reason RemoteDropbox::commit(FileId file) {
    Staged& staged = *files_[file];
    if (staged.reason == Reason::none && !staged.extents.whole())
        staged.reason = Reason::incomplete;
    if (staged.reason == Reason::none && !staged.memory.valid())
        staged.memory = create_memory(); // an empty file
    constexpr int k_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (staged.reason == Reason::none &&
        (!staged.memory.valid() || ::fcntl(staged.memory.get(), F_ADD_SEALS, k_seals) != 0))
        staged.reason = Reason::internal;
    if (staged.reason != Reason::none) {
        const Reason reason = staged.reason;
        abort(file, reason);
        return reason;
    }
    Request request;
    request.op = Op::commit;
    request.file = file;
    request.size = staged.extents.size();
    Reply reply;
    const Reason reason = ask(request, reply, staged.memory.get());
    files_[file].reset();
    return reason;
}

void RemoteDropbox::abort(FileId file, Reason why) {
    Request request;
    request.op = Op::abort;
    request.file = file;
    request.size = files_[file]->extents.size();
    request.reason = why;
    tell(request);
    files_[file].reset();
}

void RemoteDropbox::refused(Reason why, std::string_view what) {
    Request request;
    request.op = Op::note;
    request.reason = why;
    request.set_text(what);
    tell(request);
}

} // namespace gate::drop

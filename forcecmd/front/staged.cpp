#include "forcecmd/front/staged.h"

#include "forcecmd/wire.h"

#include <cstring>
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

bool Staged::move_to_memory() {
    memory_ = create_memory();
    if (!memory_.valid() || !write_at(memory_.get(), 0, small_))
        return false;
    small_ = {};
    return true;
}

Reason Staged::write(std::uint64_t offset, std::string_view bytes) {
    if (bytes.empty())
        return Reason::none;
    const std::uint64_t end = offset + bytes.size();
    if (!memory_.valid() && end > k_max_inline && !move_to_memory())
        return Reason::internal;
    if (memory_.valid()) {
        if (!write_at(memory_.get(), offset, bytes))
            return Reason::internal;
    } else {
        if (end > small_.size())
            small_.resize(end);
        std::memcpy(small_.data() + offset, bytes.data(), bytes.size());
    }
    return extents_.add(offset, end) ? Reason::none : Reason::incomplete;
}

Reason Staged::truncate(std::uint64_t size) {
    if (memory_.valid()) {
        if (::ftruncate(memory_.get(), static_cast<off_t>(size)) != 0)
            return Reason::internal;
    } else {
        small_.resize(std::min<std::uint64_t>(size, small_.size()));
    }
    extents_.cut(size);
    return Reason::none;
}

Reason Staged::seal() {
    if (!extents_.whole())
        return Reason::incomplete;
    if (!memory_.valid()) {
        small_.resize(extents_.size()); // a cut into a hole leaves zeros behind the last byte
        return Reason::none;
    }
    constexpr int k_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    const auto size = static_cast<off_t>(extents_.size());
    if (::ftruncate(memory_.get(), size) != 0 || ::fcntl(memory_.get(), F_ADD_SEALS, k_seals) != 0)
        return Reason::internal;
    return Reason::none;
}

} // namespace gate::drop

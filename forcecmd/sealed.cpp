#include "forcecmd/sealed.h"

#include "lib/base/fs.h"

#include <fcntl.h>
#include <sys/mman.h>

namespace gate::drop {

Result<SealedContent> SealedContent::map(int fd, std::uint64_t size) {
    constexpr int k_needed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    const int seals = ::fcntl(fd, F_GET_SEALS);
    struct stat st {};
    if (seals < 0 || (seals & k_needed) != k_needed || !stat_fd(fd, st))
        return fail(Errc::bad_input, "the content is not sealed");
    if (static_cast<std::uint64_t>(st.st_size) != size)
        return fail(Errc::bad_input, "the content has another size than was said");
    if (size == 0)
        return SealedContent({});
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED)
        return fail_errno("cannot map the content");
    return SealedContent({static_cast<const std::byte*>(at), size});
}

SealedContent::~SealedContent() {
    if (!bytes_.empty())
        ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

} // namespace gate::drop

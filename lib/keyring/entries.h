// The index of a whole keyring in memory: for a million entries, in large pages where the kernel has them.
// That is fewer faults, and what is read in no order misses the processor's table of pages less often.
#pragma once

#include "lib/keyring/format.h"

#include <memory>
#include <new>
#include <sys/mman.h>
#include <vector>

namespace gate::keyring {

template<class T>
struct LargePages {
    using value_type = T;

    LargePages() = default;
    template<class U>
    explicit LargePages(const LargePages<U>&) {}

    [[nodiscard]] T* allocate(std::size_t count) {
        if (count < k_large / sizeof(T))
            return std::allocator<T>().allocate(count);
        // A mapping of its own goes back to the system when it is not needed any more.
        void* const at =
            ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            throw std::bad_alloc();
        ::madvise(at, count * sizeof(T), MADV_HUGEPAGE); // a wish
        return static_cast<T*>(at);
    }
    void deallocate(T* at, std::size_t count) {
        if (count < k_large / sizeof(T))
            std::allocator<T>().deallocate(at, count);
        else
            ::munmap(at, count * sizeof(T));
    }
    bool operator==(const LargePages&) const { return true; }

  private:
    static constexpr std::size_t k_large = std::size_t{2} * 1024 * 1024;
};
using Entries = std::vector<Entry, LargePages<Entry>>;

} // namespace gate::keyring

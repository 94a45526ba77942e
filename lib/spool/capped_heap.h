// Memory for a C library that takes an allocator without a context (expat): counted, and refused over a cap,
// so that what it makes of a stranger's bytes has a bound.
#pragma once

#include <cstddef>

namespace gate::spool {

class CappedHeap {
  public:
    CappedHeap() = default;
    CappedHeap(const CappedHeap&) = delete;
    CappedHeap& operator=(const CappedHeap&) = delete;

    // From now on at most `cap` bytes at a time; the peak is counted anew.
    void start(std::size_t cap) noexcept;
    [[nodiscard]] std::size_t live() const noexcept { return live_; } // bytes in use
    [[nodiscard]] std::size_t peak() const noexcept { return peak_; } // the most at a time since start()

    // While this object lives, the three functions below work on the heap in this thread. Without one,
    // nothing is given; blocks are given back to the heap that they came from in any case.
    class Use {
      public:
        explicit Use(CappedHeap& heap) noexcept;
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
        ~Use();

      private:
        CappedHeap* before_;
    };

    // As malloc, realloc and free: null where the cap or the system says no.
    [[nodiscard]] static void* take(std::size_t size) noexcept;
    [[nodiscard]] static void* resize(void* memory, std::size_t size) noexcept;
    static void give(void* memory) noexcept;

  private:
    [[nodiscard]] bool has_room(std::size_t size) const noexcept;
    void count(std::size_t size) noexcept;

    std::size_t cap_ = 0;
    std::size_t live_ = 0;
    std::size_t peak_ = 0;
};

} // namespace gate::spool

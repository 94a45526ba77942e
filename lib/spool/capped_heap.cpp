#include "lib/spool/capped_heap.h"

#include <cstdlib>

namespace gate::spool {

namespace {

thread_local CappedHeap* t_heap = nullptr;

// Stands before every block.
struct alignas(std::max_align_t) Block {
    CappedHeap* heap;
    std::size_t size; // as asked for
};

[[nodiscard]] Block* block_of(void* memory) noexcept {
    return static_cast<Block*>(memory) - 1;
}

} // namespace

CappedHeap::Use::Use(CappedHeap& heap) noexcept : before_(t_heap) {
    t_heap = &heap;
}

CappedHeap::Use::~Use() {
    t_heap = before_;
}

void CappedHeap::start(std::size_t cap) noexcept {
    cap_ = cap;
    peak_ = live_;
}

bool CappedHeap::has_room(std::size_t size) const noexcept {
    return live_ <= cap_ && size <= cap_ - live_;
}

void CappedHeap::count(std::size_t size) noexcept {
    live_ += size;
    if (live_ > peak_)
        peak_ = live_;
}

void* CappedHeap::take(std::size_t size) noexcept {
    CappedHeap* const heap = t_heap;
    if (heap == nullptr || !heap->has_room(size))
        return nullptr;
    auto* const block = static_cast<Block*>(std::malloc(sizeof(Block) + size));
    if (block == nullptr)
        return nullptr;
    *block = {heap, size};
    heap->count(size);
    return block + 1;
}

void* CappedHeap::resize(void* memory, std::size_t size) noexcept {
    if (memory == nullptr)
        return take(size);
    Block* const before = block_of(memory);
    CappedHeap* const heap = before->heap;
    const std::size_t old_size = before->size;
    if (size > old_size && !heap->has_room(size - old_size))
        return nullptr;
    auto* const block = static_cast<Block*>(std::realloc(before, sizeof(Block) + size));
    if (block == nullptr)
        return nullptr;
    block->size = size;
    heap->live_ -= old_size;
    heap->count(size);
    return block + 1;
}

void CappedHeap::give(void* memory) noexcept {
    if (memory == nullptr)
        return;
    Block* const block = block_of(memory);
    block->heap->live_ -= block->size;
    std::free(block);
}

} // namespace gate::spool

// Counts what the program has from operator new, so that a target can say how much a state machine may keep.
// Include it from one file of a program only: it replaces the global operators.
#pragma once

#include "tests/fuzz/peak.h"

#include <cstdlib>
#include <malloc.h>
#include <new>

namespace gate::fuzz {

inline void* take_memory(std::size_t size) noexcept {
    void* const memory = std::malloc(size == 0 ? 1 : size);
    g_live_bytes += memory == nullptr ? 0 : ::malloc_usable_size(memory);
    if (g_live_bytes > g_peak_bytes)
        g_peak_bytes = g_live_bytes;
    return memory;
}

inline void give_memory(void* memory) noexcept {
    if (memory != nullptr)
        g_live_bytes -= ::malloc_usable_size(memory);
    std::free(memory);
}

} // namespace gate::fuzz

// All of them: the sanitizers bring their own, and what one of those gave, these must not take back.
void* operator new(std::size_t size) {
    if (void* const memory = gate::fuzz::take_memory(size); memory != nullptr)
        return memory;
    throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
    return ::operator new(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return gate::fuzz::take_memory(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return gate::fuzz::take_memory(size);
}
void operator delete(void* memory) noexcept {
    gate::fuzz::give_memory(memory);
}
void operator delete[](void* memory) noexcept {
    gate::fuzz::give_memory(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    gate::fuzz::give_memory(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    gate::fuzz::give_memory(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
    gate::fuzz::give_memory(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
    gate::fuzz::give_memory(memory);
}

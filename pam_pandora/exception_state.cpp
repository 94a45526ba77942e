// Two things the C++ runtime does behind a module's back, set right for a guest in sshd's process.
//
// 1. The runtime keeps its per-thread state of exceptions in thread-local storage. In a library loaded by
//    dlopen() that is allocated when first used, so the first exception - std::bad_alloc, say - would
//    allocate, and where memory has run out glibc then ABORTS the process: no catch-all can help. The same
//    state in static TLS (16 bytes of what glibc reserves for this) is there from the start. These
//    definitions take the place of those in libstdc++.a (Itanium C++ ABI: Exception Handling, section 2.2.2);
//    where libstdc++ is linked dynamically nothing calls them.
// 2. It keeps about 70 kB for exceptions thrown without memory, and does not give it back when the library is
//    unloaded; sshd loads its modules once, other services do so for each login.
#include <cxxabi.h>
#include <dlfcn.h>

namespace __cxxabiv1 {

struct __cxa_eh_globals {
    void* caught_exceptions;
    unsigned int uncaught_exceptions;
};

__attribute__((tls_model("initial-exec"))) static thread_local __cxa_eh_globals state;

extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept {
    return &state;
}
extern "C" __cxa_eh_globals* __cxa_get_globals_fast() noexcept {
    return &state;
}

} // namespace __cxxabiv1

namespace __gnu_cxx {
void __freeres() __attribute__((weak)); // libstdc++'s, meant for memory checkers; in no header
}

// Only a runtime of our own: one that others share is theirs.
__attribute__((destructor)) static void give_back() {
    Dl_info ours{};
    Dl_info runtime{};
    if (&__gnu_cxx::__freeres != nullptr && ::dladdr(reinterpret_cast<void*>(&give_back), &ours) != 0 &&
        ::dladdr(reinterpret_cast<void*>(&__gnu_cxx::__freeres), &runtime) != 0 &&
        ours.dli_fbase == runtime.dli_fbase)
        __gnu_cxx::__freeres();
}

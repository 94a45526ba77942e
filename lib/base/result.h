// Errors as values. Result<T> carries either a T or an Error; Error is trivially copyable and costs no
// allocation, so it can be made when memory is what ran out. Context for humans is added by the program that
// talks to one, never here.
#pragma once

#include <cerrno>
#include <cstdint>
#include <expected>
#include <type_traits>

namespace gate {

// What went wrong, in the terms a caller decides by. Not an exit status: programs map these to theirs.
enum class Errc : std::uint16_t {
    system = 1,  // a system call failed: see Error::sys_errno
    missing,     // the file is not there
    not_regular, // not a regular file, or reached through a symbolic link
    wrong_owner, // owned by somebody who must not be trusted with it
    writable,    // group or others may write it
    truncated,   // shorter (or longer) than it says it is
    damaged,     // a checksum, a bound or an invariant does not hold
    version,     // written by a newer pandora-gate than this program
    bad_input,   // what a peer or an administrator gave is not well formed
    too_large,   // over a documented cap
    exists,      // a name is taken
    not_found,   // asked for something that is not there, and the answer is trustworthy
    denied,      // a rule said no
    no_space,    // disk, inodes or quota of the file system
    closed,      // the peer went away
};

struct Error {
    Errc code;
    int sys_errno;    // errno, or 0
    const char* what; // static text, lower case, no newline
};
static_assert(std::is_trivially_copyable_v<Error>);

template<class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Errc code, const char* what, int sys_errno = 0) {
    return std::unexpected(Error{code, sys_errno, what});
}

// A failed system call; reads errno, so call it before anything else can change it.
[[nodiscard]] inline std::unexpected<Error> fail_errno(const char* what) {
    const int e = errno;
    const bool space = e == ENOSPC || e == EDQUOT;
    return fail(space ? Errc::no_space : Errc::system, what, e);
}

} // namespace gate

#define GATE_CONCAT_(a, b) a##b
#define GATE_CONCAT(a, b) GATE_CONCAT_(a, b)
#define GATE_TRY_(tmp, decl, expr)                                                                           \
    auto tmp = (expr);                                                                                       \
    if (!tmp)                                                                                                \
        return std::unexpected(tmp.error());                                                                 \
    decl = std::move(*tmp)
// GATE_TRY(auto x, f()): x = the value of f(), or return its Error.
#define GATE_TRY(decl, expr) GATE_TRY_(GATE_CONCAT(try_result_, __LINE__), decl, expr)
// GATE_CHECK(f()): go on, or return its Error (for Result<void>).
#define GATE_CHECK(expr)                                                                                     \
    if (auto check_result = (expr); !check_result)                                                           \
    return std::unexpected(check_result.error())

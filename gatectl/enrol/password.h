// The password of the account that agents log in to: whether it has one, setting one, locking it again.
// Through the system's own programs, which know its files, locks and limits.
#pragma once

#include <string>

namespace gate::ctl {

enum class PasswordState {
    locked, // "*", "!": nothing that is typed is right
    set,
    empty, // anything is right
};

struct Passwords {
    // Each throws Problem. A test has its own.
    PasswordState (*look)(const std::string& user);
    void (*set)(const std::string& user, const std::string& password);
    void (*lock)(const std::string& user);
};
// getspnam(3), chpasswd(8), usermod(8).
[[nodiscard]] const Passwords& system_passwords();

// 120 random bits, in the form of a code.
[[nodiscard]] std::string strong_password();

} // namespace gate::ctl

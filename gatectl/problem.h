// What ends a command: an exit status and one line for the administrator. Exceptions stay inside gatectl;
// main.cpp turns a Problem into that line and that status. The statuses are those of sysexits(3) where it has
// a word, and are documented in pandora-gate(8).
#pragma once

#include "lib/base/result.h"

#include <exception>
#include <fmt/format.h>
#include <string>
#include <utility>

namespace gate::ctl {

enum class Status : int {
    ok = 0,
    refused = 1,      // not found, ambiguous, or the state of the store forbids it
    usage = 64,       // the command line
    bad_data = 65,    // the key, or gate.toml
    no_input = 66,    // the key file is not there
    unavailable = 69, // the store: locked, damaged, of another version
    internal = 70,    // a bug
    cant_create = 73, // the store or the keyring cannot be created
    io = 74,
    busy = 75, // another one is doing the same: later
    no_permission = 77,
};

class Problem : public std::exception {
  public:
    // `text` is printed as it is: whatever a stranger chose in it went through gate::escape_visible.
    Problem(Status status, std::string text) : status_(status), text_(std::move(text)) {}
    [[nodiscard]] Status status() const noexcept { return status_; }
    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

  private:
    Status status_;
    std::string text_;
};

template<class... Args>
[[noreturn]] void stop(Status status, fmt::format_string<Args...> format, Args&&... args) {
    throw Problem(status, fmt::format(format, std::forward<Args>(args)...));
}

// "words of the error: words of errno".
[[nodiscard]] std::string describe(const Error& error);
// The status that a failed system call asks for: no_permission, cant_create or io.
[[nodiscard]] Status status_of_errno(int sys_errno);

} // namespace gate::ctl

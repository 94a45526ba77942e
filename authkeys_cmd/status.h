// The exit statuses of authkeys. sshd throws a key away when they are not 0 and logs
// "AuthorizedKeysCommand ... failed, status N": a diagnostics channel that costs nothing, so each reason has
// its own number, and a number is never used again for something else. doc/man/pandora-gate-authkeys.8
// prints this table; a test compares the two. The numbers stay within those of sysexits.h where one fits.
#pragma once

#include "lib/base/result.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace gate::authkeys {

enum class Status : std::uint8_t {
    ok = 0,           // a line was printed, or it is proven that there is none to print
    usage = 64,       // EX_USAGE
    fingerprint = 65, // EX_DATAERR
    missing = 66,     // EX_NOINPUT
    wrong_owner = 67, //
    writable = 68,    //
    not_regular = 69, //
    internal = 70,    // EX_SOFTWARE
    system = 71,      // EX_OSERR
    truncated = 72,   //
    damaged = 73,     //
    output = 74,      // EX_IOERR
    deadline = 75,    // EX_TEMPFAIL
    version = 76,     // EX_PROTOCOL
    revoked = 77,     // EX_NOPERM
    privileged = 78,  // EX_CONFIG
    unprintable = 79, //
    disabled = 80,    //
    expired = 81,     //
    not_yet = 82,     //
};

struct StatusText {
    Status status;
    std::string_view name;   // the `rule` of the audit event
    std::string_view remedy; // the `remedy` of the audit event
};

// Status::ok stands here for "unknown key": the one event that comes with exit status 0.
inline constexpr std::array k_statuses = {
    StatusText{Status::ok, "key.unknown", "enrol the key: pandora-gate keys add"},
    StatusText{Status::usage, "authkeys.usage",
               "set AuthorizedKeysCommand to: /usr/libexec/pandora-gate/authkeys %u %f"},
    StatusText{Status::fingerprint, "authkeys.fingerprint",
               "set FingerprintHash sha256, and %f as the last argument of AuthorizedKeysCommand"},
    StatusText{Status::missing, "keyring.missing", "run: pandora-gate publish"},
    StatusText{Status::wrong_owner, "keyring.owner",
               "find out who replaced the keyring, then run: pandora-gate publish"},
    StatusText{Status::writable, "keyring.writable",
               "find out who changed its mode, then run: pandora-gate publish"},
    StatusText{Status::not_regular, "keyring.type",
               "find out who replaced the keyring, then run: pandora-gate publish"},
    StatusText{Status::internal, "authkeys.internal",
               "look for a lack of memory; report the bug if there is none"},
    StatusText{Status::system, "keyring.unreadable",
               "check the disk, and that every directory above the keyring lets others pass"},
    StatusText{Status::truncated, "keyring.truncated", "check the disk, then run: pandora-gate publish"},
    StatusText{Status::damaged, "keyring.damaged", "check the disk, then run: pandora-gate publish"},
    StatusText{Status::output, "authkeys.output", "see why sshd closed the pipe"},
    StatusText{Status::deadline, "authkeys.deadline", "check the load of the machine and its disk"},
    StatusText{Status::version, "keyring.version",
               "install one version of pandora-gate everywhere, then run: pandora-gate publish"},
    StatusText{Status::revoked, "key.revoked", "give the agent a new key: pandora-gate keys add"},
    StatusText{Status::privileged, "authkeys.privileged", "set AuthorizedKeysCommandUser _pandora-gate"},
    StatusText{Status::unprintable, "key.unprintable",
               "revoke the key, enrol it again under a plain key id, and run: pandora-gate publish"},
    StatusText{Status::disabled, "key.disabled", "if it may be used again: pandora-gate keys enable"},
    StatusText{Status::expired, "key.expired",
               "give the agent a new key, or this one more time: pandora-gate keys set --expires"},
    StatusText{Status::not_yet, "key.not_yet",
               "wait, or let it begin earlier: pandora-gate keys set --not-before; check the clock"},
};

[[nodiscard]] constexpr const StatusText& describe(Status status) {
    for (const StatusText& entry : k_statuses) {
        if (entry.status == status)
            return entry;
    }
    return describe(Status::internal);
}

// Is it the keyring that is at fault, for every login alike? These are told once a minute (ration.h).
[[nodiscard]] constexpr bool about_the_keyring(Status status) {
    switch (status) {
    case Status::missing:
    case Status::wrong_owner:
    case Status::writable:
    case Status::not_regular:
    case Status::system:
    case Status::truncated:
    case Status::damaged:
    case Status::version:
        return true;
    default:
        return false;
    }
}

// What the keyring's errors are called here. Never Status::ok: an error is not "no such key".
[[nodiscard]] constexpr Status status_of(Errc code) {
    switch (code) {
    case Errc::missing:
        return Status::missing;
    case Errc::not_regular:
        return Status::not_regular;
    case Errc::wrong_owner:
        return Status::wrong_owner;
    case Errc::writable:
        return Status::writable;
    case Errc::truncated:
        return Status::truncated;
    case Errc::damaged:
        return Status::damaged;
    case Errc::version:
        return Status::version;
    case Errc::system:
        return Status::system;
    default:
        return Status::internal;
    }
}

} // namespace gate::authkeys

// One change of the machine: what is there, what is to be. A plan is a list of them; so is taking it back.
#pragma once

#include "gatectl/setup/accounts.h"
#include "gatectl/setup/place.h"

#include <functional>
#include <string>
#include <vector>

namespace gate::ctl::setup {

struct UserState {
    bool exists = false;
    std::string group{}; // the primary one; empty: one of its own name
    std::string home{};
    std::string shell{};
    std::string password{};
    std::string last_change{}; // of the password, days; asked for only when it is put back
    bool member = false;       // of the account's group, by name

    bool operator==(const UserState&) const = default;
};

struct Step {
    enum class Kind { path, group, user };
    Kind kind = Kind::path;
    std::string part{}; // "account", "ssh", "ftp"
    std::string name{}; // a path, a user, a group

    // Kind::path. The owner and group of `to` by name: they may be made by an earlier step.
    PathState from{};
    PathState to{};
    std::string owner = "root";
    std::string group = "root";
    std::function<std::string()> make{}; // the content comes from a program, when the time has come
    bool secret = false;                 // never shown
    bool data = false;   // holds what others put there: taking setup back leaves it, and says nothing
    bool merged = false; // lines put into somebody else's file: what he changes in it stays

    // Of a user or group that is removed: what it has to be again if that is taken back. Files know numbers.
    std::string uid{};
    std::string gid{}; // of a user: of the group of his name that goes with him; else empty

    // Kind::group
    bool group_before = false;
    bool group_after = false;

    // Kind::user
    UserState user_from{};
    UserState user_to{};
    std::string member_of{};   // the group of UserState::member
    std::string secret_word{}; // the new password itself, for chpasswd
};

[[nodiscard]] bool changes_nothing(const Step& step, const Accounts& accounts);

// For people: a diff, or "would run: ..."; with its line ends.
[[nodiscard]] std::string describe_step(const Step& step, const Accounts& accounts, bool dry_run);
// For programs: "create", "change", "remove".
[[nodiscard]] const char* verb_of(const Step& step);

// The programs that make a user or group so.
using Command = std::vector<std::string>; // argv, without the directory of the program
[[nodiscard]] std::vector<Command> commands_of(const Step& step);
// What such a command is given on its standard input: a hash stands in no argument, where everybody could
// read it (ps), and in no message.
[[nodiscard]] std::string input_of(const Step& step, const Command& command);
// For people: without what must not be shown.
[[nodiscard]] Command shown(Command command);
// The same the other way round.
[[nodiscard]] Step reversed(const Step& step);

} // namespace gate::ctl::setup

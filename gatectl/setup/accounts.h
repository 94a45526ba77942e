// The machine's own users and groups: /etc/passwd, /etc/group, /etc/shadow as text. Not the name service:
// what setup changes must be in these files.
#pragma once

#include "gatectl/setup/place.h"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace gate::ctl::setup {

struct User {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
    std::string shell;
    std::string password;    // the hash of /etc/shadow
    std::string last_change; // days since 1970, as text; may be empty
};

struct Group {
    std::string name;
    gid_t gid = 0;
    std::vector<std::string> members; // named ones
};

struct Accounts {
    std::vector<User> users;
    std::vector<Group> groups;

    [[nodiscard]] const User* user(const std::string& name) const;
    [[nodiscard]] const Group* group(const std::string& name) const;
    [[nodiscard]] bool is_member(const User& user, const Group& group) const;
    [[nodiscard]] std::string user_name(uid_t uid) const;  // or the number
    [[nodiscard]] std::string group_name(gid_t gid) const; // or the number
    // "root", or a number; nullopt: there is none (yet).
    [[nodiscard]] std::optional<uid_t> uid(const std::string& name) const;
    [[nodiscard]] std::optional<gid_t> gid(const std::string& name) const;
};

[[nodiscard]] Accounts read_accounts(const Place& place);

// Fields between separators.
[[nodiscard]] std::vector<std::string> split(const std::string& text, char separator);
// Words between blanks.
[[nodiscard]] std::vector<std::string> words(const std::string& text);
[[nodiscard]] std::vector<std::string> lines(const std::string& text);

} // namespace gate::ctl::setup

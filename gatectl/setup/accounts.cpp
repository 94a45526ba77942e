#include "gatectl/setup/accounts.h"

#include "lib/base/text.h"

#include <algorithm>
#include <limits>

namespace gate::ctl::setup {

namespace {

[[nodiscard]] std::optional<uid_t> number(const std::string& text) {
    const auto value = parse_u64(text);
    if (!value || *value > std::numeric_limits<uid_t>::max())
        return std::nullopt;
    return static_cast<uid_t>(*value);
}

} // namespace

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> out;
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + 1)
        out.push_back(text.substr(begin, end - begin));
    out.push_back(text.substr(begin));
    return out;
}

std::vector<std::string> words(const std::string& text) {
    std::vector<std::string> out;
    std::size_t begin = 0;
    while ((begin = text.find_first_not_of(" \t\r", begin)) != std::string::npos) {
        const std::size_t end = std::min(text.find_first_of(" \t\r", begin), text.size());
        out.push_back(text.substr(begin, end - begin));
        begin = end;
    }
    return out;
}

std::vector<std::string> lines(const std::string& text) {
    auto out = split(text, '\n');
    if (out.back().empty())
        out.pop_back();
    return out;
}

Accounts read_accounts(const Place& place) {
    Accounts out;
    for (const std::string& line : lines(place.text("/etc/passwd").value_or(""))) {
        const auto field = split(line, ':');
        if (field.size() < 7 || !number(field[2]) || !number(field[3]))
            continue;
        out.users.push_back({.name = field[0],
                             .uid = *number(field[2]),
                             .gid = *number(field[3]),
                             .home = field[5],
                             .shell = field[6],
                             .password = field[1],
                             .last_change = {}});
    }
    for (const std::string& line : lines(place.text("/etc/shadow").value_or(""))) {
        const auto field = split(line, ':');
        for (User& user : out.users)
            if (field.size() > 2 && user.name == field[0]) {
                user.password = field[1];
                user.last_change = field[2];
            }
    }
    for (const std::string& line : lines(place.text("/etc/group").value_or(""))) {
        const auto field = split(line, ':');
        if (field.size() < 4 || !number(field[2]))
            continue;
        Group group{.name = field[0], .gid = *number(field[2]), .members = {}};
        for (const std::string& name : split(field[3], ','))
            if (!name.empty())
                group.members.push_back(name);
        out.groups.push_back(std::move(group));
    }
    return out;
}

const User* Accounts::user(const std::string& name) const {
    const auto found =
        std::find_if(users.begin(), users.end(), [&](const User& u) { return u.name == name; });
    return found == users.end() ? nullptr : &*found;
}

const Group* Accounts::group(const std::string& name) const {
    const auto found =
        std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.name == name; });
    return found == groups.end() ? nullptr : &*found;
}

bool Accounts::is_member(const User& user, const Group& group) const {
    return user.gid == group.gid ||
           std::find(group.members.begin(), group.members.end(), user.name) != group.members.end();
}

std::string Accounts::user_name(uid_t uid) const {
    for (const User& user : users)
        if (user.uid == uid)
            return user.name;
    return std::to_string(uid);
}

std::string Accounts::group_name(gid_t gid) const {
    for (const Group& group : groups)
        if (group.gid == gid)
            return group.name;
    return std::to_string(gid);
}

std::optional<uid_t> Accounts::uid(const std::string& name) const {
    if (const User* found = user(name))
        return found->uid;
    return name == "root" ? std::optional<uid_t>(0) : number(name);
}

std::optional<gid_t> Accounts::gid(const std::string& name) const {
    if (const Group* found = group(name))
        return found->gid;
    return name == "root" ? std::optional<gid_t>(0) : number(name);
}

} // namespace gate::ctl::setup

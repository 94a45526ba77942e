#include "gatectl/doctor/facts.h"

#include "gatectl/account.h"
#include "gatectl/keys/accept.h"
#include "gatectl/problem.h"
#include "gatectl/publish/config.h"
#include "gatectl/store/location.h"
#include "lib/base/text.h"
#include "lib/enrol/codes.h"
#include "lib/keyring/ftp_sender.h"

#include <algorithm>

namespace gate::ctl::doctor {

namespace {

constexpr std::int64_t k_soon = 30 * 24 * 3600; // a key that ends within this is worth a note

[[nodiscard]] std::optional<std::vector<std::string>> line_of(const Machine& machine, const std::string& file,
                                                              std::string_view name) {
    const auto text = machine.read(file);
    if (!text)
        return std::nullopt;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line.size() <= name.size() || !line.starts_with(name) || line[name.size()] != ':')
            continue;
        std::vector<std::string> out(1);
        for (const char c : line) {
            if (c == ':')
                out.emplace_back();
            else
                out.back() += c;
        }
        return out;
    }
    return std::nullopt;
}

[[nodiscard]] std::vector<gid_t> groups_of(const Machine& machine, const std::string& name, gid_t primary) {
    std::vector<gid_t> out = {primary};
    const std::string text = machine.read("/etc/group").value_or("");
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const std::size_t last = line.rfind(':');
        if (last == line.npos || last == 0)
            continue;
        const std::size_t before = line.rfind(':', last - 1);
        const auto gid = parse_u64(line.substr(before + 1, last - before - 1));
        const std::string members = ',' + std::string(line.substr(last + 1)) + ',';
        if (gid && members.find(',' + name + ',') != std::string::npos)
            out.push_back(static_cast<gid_t>(*gid));
    }
    return out;
}

void count_key(const Facts& facts, StoreFacts& into, const StoredKey& key) {
    ++into.keys;
    const bool ftp = key.type == keyring::k_ftp_type;
    if (key.state != keyring::KeyState::active || key.not_before > facts.now ||
        (key.expires_at != 0 && key.expires_at <= facts.now))
        return;
    ++into.active;
    into.fleet += ftp ? 0 : 1;
    if (key.agents.empty())
        into.unbound.push_back(key.id);
    if (key.expires_at != 0 && key.expires_at - facts.now <= k_soon)
        into.expiring.push_back(fmt::format("{} ({})", key.id, time_text(key.expires_at)));
    if (ftp)
        return;
    try {
        const std::string blob = base64_decode(key.blob).value_or("");
        if (const std::string wrong = wrong_with_policy(facts.policy, key.type, blob); !wrong.empty())
            into.weak.push_back(fmt::format("{} ({})", key.id, wrong));
    } catch (const Problem& problem) {
        into.weak.push_back(fmt::format("{} ({})", key.id, problem.what()));
    }
}

[[nodiscard]] StoreFacts look_at_store(const Facts& facts) {
    StoreFacts out;
    try {
        if (!store_exists(facts.context.store, facts.context.owner)) {
            out.missing = true;
            return out;
        }
        demand_not_lost(facts.context.store, facts.context.keyring); // one without bytes would be filled
        Store store(facts.context.store, facts.context.owner, facts.context.store_patience);
        const Store::Transaction transaction(store, Store::Transaction::Kind::read);
        out.published = store.published();
        for (const PendingKey& key : store.pending())
            out.pending.push_back(key.id);
        if (const Enrolment now = store.enrolment();
            enrol::is_open({now.window_from, now.window_until}, facts.now)) {
            out.window_from = now.window_from;
            out.window_until = now.window_until;
        }
        store.each([&](const StoredKey& key) { count_key(facts, out, key); });
    } catch (const Problem& problem) {
        out.wrong = problem.what();
    }
    return out;
}

void look_at_policy(Facts& facts) {
    try {
        facts.config = load_config(facts.context.config, facts.context.owner).policy;
    } catch (const Problem& problem) {
        facts.config_wrong = problem.what();
    }
    facts.keyring = look_at(facts.context.keyring, facts.context.owner);
    if (facts.keyring.policy)
        facts.policy = *facts.keyring.policy;
    else if (facts.config)
        facts.policy = *facts.config;
}

} // namespace

bool User::in(gid_t group) const {
    return std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::optional<User> find_user(const Machine& machine, const std::string& name) {
    const auto fields = line_of(machine, "/etc/passwd", name);
    if (fields && fields->size() >= 7) {
        const auto uid = parse_u64((*fields)[2]);
        const auto gid = parse_u64((*fields)[3]);
        if (!uid || !gid)
            return std::nullopt;
        return User{.name = name,
                    .uid = static_cast<uid_t>(*uid),
                    .gid = static_cast<gid_t>(*gid),
                    .home = (*fields)[5],
                    .shell = (*fields)[6],
                    .groups = groups_of(machine, name, static_cast<gid_t>(*gid))};
    }
    if (!machine.is_this_one())
        return std::nullopt;
    const auto known = find_account(name); // of LDAP, say
    if (!known)
        return std::nullopt;
    return User{.name = name,
                .uid = known->uid,
                .gid = known->gid,
                .home = {},
                .shell = known->shell,
                .groups = known->groups};
}

std::optional<gid_t> find_gid(const Machine& machine, const std::string& group) {
    const auto fields = line_of(machine, "/etc/group", group);
    if (fields && fields->size() >= 3)
        if (const auto gid = parse_u64((*fields)[2]))
            return static_cast<gid_t>(*gid);
    return machine.is_this_one() ? find_group(group) : std::nullopt;
}

std::vector<std::string> shadow_of(const Machine& machine, const std::string& name) {
    return line_of(machine, "/etc/shadow", name).value_or(std::vector<std::string>());
}

bool may(const User& user, const struct stat& st, unsigned bits) {
    if (user.uid == 0)
        return true;
    if (st.st_uid == user.uid)
        return (st.st_mode >> 6 & bits) == bits;
    return ((user.in(st.st_gid) ? st.st_mode >> 3 : st.st_mode) & bits) == bits;
}

Facts gather(const Context& context, const Machine& machine) {
    Facts facts{.context = context,
                .machine = machine,
                .now = machine.now(),
                .policy = {},
                .keyring = {},
                .config_wrong = {},
                .config = {},
                .store = {},
                .account = {},
                .sshd = {},
                .pam = {}};
    look_at_policy(facts);
    facts.store = look_at_store(facts);
    facts.account = find_user(machine, facts.user());
    facts.sshd = look_at_sshd(machine, facts.user());
    facts.pam = look_at_pam(machine, facts.sshd.form == Form::own_gate ? "pandora-sshd" : "sshd");
    return facts;
}

} // namespace gate::ctl::doctor

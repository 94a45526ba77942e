#include "gatectl/publish/config.h"

#include "gatectl/account.h"
#include "gatectl/problem.h"
#include "gatectl/publish/settings.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <algorithm>
#include <sys/stat.h>
#include <vector>

namespace gate::ctl {

namespace {

using keyring::Policy;

class ConfigReader {
  public:
    ConfigReader(const toml::table& root, const std::string& name) : root_(root), name_(name) {}

    [[nodiscard]] Policy read() {
        for (const auto& [section, node] : root_)
            read_section(section, node);
        if (!wrong_.empty())
            refuse();
        const std::string beside = policy_.spool_directory.substr(0, policy_.spool_directory.rfind('/'));
        if (find("spool.staging") == nullptr)
            policy_.spool_staging = beside + "/staging";
        if (find("spool.quarantine") == nullptr)
            policy_.spool_quarantine = beside + "/quarantine";
        check_together();
        if (policy_.ftp_enabled)
            find_ftp_user();
        if (!wrong_.empty())
            refuse();
        return policy_;
    }

  private:
    struct Wrong {
        std::uint32_t line;
        std::string text;
    };

    void add(const toml::source_region& where, std::string text) {
        wrong_.push_back({where.begin.line, std::move(text)});
    }

    void read_section(const toml::key& section, const toml::node& node) {
        const auto rows = settings();
        if (std::none_of(rows.begin(), rows.end(),
                         [&](const Setting& s) { return s.section == section.str(); }))
            return add(section.source(),
                       fmt::format("unknown section or setting \"{}\"", escape_visible(section.str())));
        const toml::table* table = node.as_table();
        if (table == nullptr)
            return add(section.source(),
                       fmt::format("\"{}\" must be a section: [{}]", section.str(), section.str()));
        for (const auto& [key, value] : *table) {
            const auto row = std::find_if(rows.begin(), rows.end(), [&](const Setting& s) {
                return s.section == section.str() && s.key == key.str();
            });
            const std::string full = fmt::format("{}.{}", section.str(), escape_visible(key.str()));
            if (row == rows.end())
                add(key.source(), fmt::format("unknown setting {}", full));
            else if (const std::string verdict = row->apply(value, policy_); !verdict.empty())
                add(key.source(), fmt::format("{} {}", full, verdict));
        }
    }

    // Guests of vsftpd are this user: it must exist, and own nothing that a packet passes through.
    void find_ftp_user() {
        constexpr std::string_view k_default = "_pandora-ftp";
        const toml::node* written = find("ftp.user");
        const std::string name(written != nullptr ? written->value_or(std::string_view())
                                                  : std::string_view(k_default));
        const auto& where = (written != nullptr ? written : find("ftp.enabled"))->source();
        const auto user = find_account(name);
        if (!user)
            return add(where, fmt::format("ftp.user {0} does not exist: run `systemd-sysusers`, or `useradd "
                                          "-r -M -s /usr/sbin/nologin {0}`",
                                          name));
        const auto account = find_account(policy_.account_user);
        if (user->uid == 0 || name == policy_.account_user || (account && account->uid == user->uid))
            return add(where,
                       fmt::format("ftp.user {} must be neither root nor account.user: it could change "
                                   "what others uploaded",
                                   name));
        policy_.ftp_uid = user->uid;
        policy_.ftp_gid = user->gid;
    }

    void check_together() {
        for (const Contradiction& c : contradictions(policy_)) {
            const toml::node* written = nullptr;
            for (std::size_t i = 0; i < c.settings.size() && written == nullptr; ++i)
                written = find(c.settings[i]);
            add(written != nullptr ? written->source() : toml::source_region{}, std::string(c.sentence));
        }
    }

    // "section.key", as it is written in the file; nullptr if it is not.
    [[nodiscard]] const toml::node* find(std::string_view setting) const {
        const std::size_t dot = setting.find('.');
        return dot == std::string_view::npos ? nullptr
                                             : root_[setting.substr(0, dot)][setting.substr(dot + 1)].node();
    }

    [[noreturn]] void refuse() {
        const auto first = std::min_element(wrong_.begin(), wrong_.end(),
                                            [](const Wrong& a, const Wrong& b) { return a.line < b.line; });
        const std::string more =
            wrong_.size() > 1 ? fmt::format(" (and {} more)", wrong_.size() - 1) : std::string();
        stop(Status::bad_data, "{}:{}: {}{}", escape_visible(name_), first->line, first->text, more);
    }

    const toml::table& root_;
    const std::string& name_;
    Policy policy_;
    std::vector<Wrong> wrong_;
};

// Does toml++ stumble over its own assertion in this text?
[[nodiscard]] bool fails_assertion(std::string_view text) {
    try {
        static_cast<void>(toml::parse(text));
    } catch (const AssertionFailed&) {
        return true;
    } catch (const toml::parse_error&) { // a cut text: no matter
    }
    return false;
}

// The line of that: the first one with which the text begins to fail. Parsing goes from front to back, so
// that a longer piece of the text fails where a shorter one did.
[[nodiscard]] std::uint32_t line_of_assertion(std::string_view text) {
    std::vector<std::size_t> ends; // of lines
    for (std::size_t end = 0; (end = text.find('\n', end)) != std::string_view::npos;)
        ends.push_back(++end);
    const auto first = std::partition_point(
        ends.begin(), ends.end(), [text](std::size_t end) { return !fails_assertion(text.substr(0, end)); });
    return static_cast<std::uint32_t>(first - ends.begin()) + 1;
}

} // namespace

Policy parse_config(std::string_view text, const std::string& name) {
    try {
        const toml::table root = toml::parse(text, name);
        return ConfigReader(root, name).read();
    } catch (const toml::parse_error& error) {
        stop(Status::bad_data, "{}:{}: {}", escape_visible(name), error.source().begin.line,
             escape_visible(error.description()));
    } catch (const AssertionFailed&) {
        stop(Status::bad_data, "{}:{}: not a section, a setting or a value that TOML knows",
             escape_visible(name), line_of_assertion(text));
    }
}

Config load_config(const std::string& path, uid_t owner) {
    constexpr std::size_t k_max_config = 256 * 1024;
    const std::string shown = escape_visible(path);
    auto fd = open_regular(path.c_str());
    if (!fd && fd.error().code == Errc::missing)
        return {.policy = {}, .missing = true};
    if (!fd)
        stop(fd.error().sys_errno == EACCES ? Status::no_permission : Status::io, "{}: {}", shown,
             describe(fd.error()));
    struct stat st {};
    if (::fstat(fd->get(), &st) != 0)
        stop(Status::io, "{}: {}", shown, describe(fail_errno("cannot stat file").error()));
    if (st.st_uid != 0 && st.st_uid != owner)
        stop(Status::no_permission, "{0} belongs to uid {1}: run `chown root {0}`", shown, st.st_uid);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        stop(Status::no_permission, "{0} is writable by group or others: run `chmod go-w {0}`", shown);
    const auto text = read_all(fd->get(), k_max_config);
    if (!text)
        stop(text.error().code == Errc::too_large ? Status::bad_data : Status::io, "{}: {}", shown,
             describe(text.error()));
    return {.policy = parse_config(*text, path), .missing = false};
}

} // namespace gate::ctl

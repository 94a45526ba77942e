// What sshd was told about keys, PAM and who may come.
#include "gatectl/doctor/mend.h"
#include "gatectl/doctor/sshd_look.h"
#include "gatectl/doctor/table.h"

#include "lib/base/text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

constexpr const char* k_drop = GATE_LIBEXECDIR "/drop";
constexpr const char* k_command = GATE_LIBEXECDIR "/authkeys %u %f";

// Tastes of the site, or nothing that another line could break.
constexpr std::array<std::string_view, 3> k_free = {"maxstartups", "loglevel", "banner"};

void overridden(const Facts& f, Report& report) {
    if (!has_sshd(f))
        return;
    std::vector<std::string> seen;
    for (const ConfigLine& own : f.sshd.gate.lines) {
        if (own.file != gate_file(f) || std::find(seen.begin(), seen.end(), own.keyword) != seen.end())
            continue;
        seen.push_back(own.keyword);
        if (std::find(k_free.begin(), k_free.end(), own.keyword) != k_free.end() ||
            !is_overridden(f, own.keyword))
            continue;
        const ConfigLine* winner = f.sshd.gate.line_of(own.keyword, f.sshd.gate.value(own.keyword));
        if (winner == nullptr)
            report.add(fmt::format("{} is not in force for {}: {} is {}", own.place(), f.user(), own.keyword,
                                   escape_visible(f.sshd.gate.value(own.keyword))),
                       fmt::format("write `Match User {}` above it in {}, then systemctl reload {}", f.user(),
                                   own.file, gate_unit(f)));
        else
            report.add(
                fmt::format("{} says `{} {}`, and is read before {}", winner->place(), winner->keyword,
                            escape_visible(winner->value), own.place()),
                fmt::format("take {} of {} away, or have that file read after {}; then systemctl reload {}",
                            "line " + std::to_string(winner->line), winner->file, own.file, gate_unit(f)));
    }
}

void internal_sftp(const Facts& f, Report& report) {
    const std::string value = f.sshd.gate.value("forcecommand");
    if (!has_sshd(f) || is_overridden(f, "forcecommand"))
        return;
    const auto words = words_of(value);
    const bool forced = !words.empty() && words.front() == "internal-sftp";
    const bool none = value.empty() || value == "none";
    const std::string subsystem = f.sshd.gate.value("subsystem");
    if (forced || (none && subsystem.find("internal-sftp") != std::string::npos))
        report.add(forced ? said(f, "ForceCommand")
                          : fmt::format("no ForceCommand, and `Subsystem {}`", escape_visible(subsystem)),
                   put(f, fmt::format("ForceCommand {}", k_drop)));
}

void force_command(const Facts& f, Report& report) {
    if (has_sshd(f) && !is_overridden(f, "forcecommand") && f.sshd.gate.value("forcecommand") != k_drop)
        report.add(said(f, "ForceCommand"), put(f, fmt::format("ForceCommand {}", k_drop)));
}

// A token that this sshd does not know kills the connection, and `sshd -t` does not see it.
void unknown_token(const Facts& f, Report& report) {
    const std::string value = f.sshd.gate.value("authorizedkeyscommand");
    if (!has_sshd(f) || is_overridden(f, "authorizedkeyscommand"))
        return;
    const std::string_view known = f.sshd.older_than(9, 4) ? "%fhktUu" : "%fhktUuCD";
    for (std::size_t i = value.find('%'); i != std::string::npos; i = value.find('%', i + 2)) {
        if (i + 1 < value.size() && known.find(value[i + 1]) != known.npos)
            continue;
        return report.add(fmt::format("{}, and OpenSSH {}.{} does not know {}",
                                      said(f, "AuthorizedKeysCommand"), f.sshd.major, f.sshd.minor,
                                      escape_visible(value.substr(i, 2))),
                          put(f, fmt::format("AuthorizedKeysCommand {}", k_command)));
    }
}

void keys_command(const Facts& f, Report& report) {
    if (!has_sshd(f) || is_overridden(f, "authorizedkeyscommand"))
        return;
    if (!same_value(f.sshd.gate.value("authorizedkeyscommand"), k_command))
        report.add(said(f, "AuthorizedKeysCommand"),
                   put(f, fmt::format("AuthorizedKeysCommand {}", k_command)));
}

void keys_command_user(const Facts& f, Report& report) {
    if (has_sshd(f) && !is_overridden(f, "authorizedkeyscommanduser") &&
        f.sshd.gate.value("authorizedkeyscommanduser") != "_pandora-gate")
        report.add(said(f, "AuthorizedKeysCommandUser"), put(f, "AuthorizedKeysCommandUser _pandora-gate"));
}

// One keyword that has to have one value.
void demand(const Facts& f, Report& report, const char* spelled, std::string_view wanted) {
    const std::string keyword = lower(spelled), value = f.sshd.gate.value(keyword);
    if (has_sshd(f) && !value.empty() && !same_value(value, wanted) && !is_overridden(f, keyword))
        report.add(said(f, spelled), put(f, fmt::format("{} {}", spelled, wanted)));
}

void keys_file(const Facts& f, Report& report) {
    demand(f, report, "AuthorizedKeysFile", "none");
}

void certificates(const Facts& f, Report& report) {
    demand(f, report, "TrustedUserCAKeys", "none");
}

void hash(const Facts& f, Report& report) {
    const std::string value = f.sshd.gate.value("fingerprinthash");
    if (has_sshd(f) && !value.empty() && !same_value(value, "sha256"))
        report.add(said(f, "FingerprintHash"),
                   fmt::format("take that line away, then systemctl reload {}", gate_unit(f)));
}

void use_pam(const Facts& f, Report& report) {
    if (has_sshd(f) && f.sshd.gate.value("usepam") != "yes")
        report.add(said(f, "UsePAM"),
                   fmt::format("put `UsePAM yes` into {}, then systemctl restart {}",
                               f.sshd.form == Form::own_gate ? k_own_config : k_main_config, gate_unit(f)));
}

void subsystem(const Facts& f, Report& report) {
    if (!has_sshd(f))
        return;
    const auto found = f.sshd.gate.effective.find("subsystem");
    if (found != f.sshd.gate.effective.end() &&
        std::any_of(found->second.begin(), found->second.end(),
                    [](const std::string& value) { return value.starts_with("sftp "); }))
        return;
    const char* file = f.sshd.form == Form::own_gate ? k_own_config : k_main_config;
    report.add(
        fmt::format("no line of {} says `Subsystem sftp ...`", file),
        fmt::format("put `Subsystem sftp internal-sftp` into {} above every Match, then systemctl reload {}",
                    file, gate_unit(f)));
}

void expose(const Facts& f, Report& report) {
    demand(f, report, "ExposeAuthInfo", "yes");
}

void pubkey(const Facts& f, Report& report) {
    demand(f, report, "PubkeyAuthentication", "yes");
}

void revoked(const Facts& f, Report& report) {
    const std::string file = f.sshd.gate.value("revokedkeys");
    if (!has_sshd(f) || file.empty() || file == "none" || f.machine.read(file))
        return;
    report.add(fmt::format("{}, and that file cannot be read", said(f, "RevokedKeys")),
               fmt::format("pandora-gate publish makes {}/revoked_keys; another file: touch {}",
                           GATE_STATEDIR, escape_visible(file)));
}

[[nodiscard]] bool has(const SshdConfig& config, const char* keyword) {
    return same_value(config.value(keyword), "yes");
}

// Which way a password gets in; empty: none.
[[nodiscard]] std::string password_way(const SshdConfig& config) {
    const bool password = has(config, "passwordauthentication");
    const bool interactive = has(config, "kbdinteractiveauthentication");
    const std::string methods = config.value("authenticationmethods");
    for (const std::string& list : words_of(methods.empty() ? "any" : methods)) {
        if (list.find("publickey") != std::string::npos)
            continue;
        if (password && (list == "any" || list.find("password") != std::string::npos))
            return "PasswordAuthentication";
        if (interactive && (list == "any" || list.find("keyboard-interactive") != std::string::npos))
            return "KbdInteractiveAuthentication";
    }
    return {};
}

void password(const Facts& f, Report& report) {
    if (!has_sshd(f) || f.pam.enrols())
        return;
    for (const char* keyword :
         {"authenticationmethods", "passwordauthentication", "kbdinteractiveauthentication"})
        if (is_overridden(f, keyword))
            return;
    if (const std::string way = password_way(f.sshd.gate); !way.empty())
        report.add(fmt::format("{}, and AuthenticationMethods is {}", said(f, way),
                               escape_visible(f.sshd.gate.value("authenticationmethods"))),
                   put(f, "AuthenticationMethods publickey"));
}

void denied(const Facts& f, Report& report) {
    if (!has_sshd(f))
        return;
    if (const std::string by = denial(f, f.sshd.gate); !by.empty())
        report.add(fmt::format("sshd lets {} not in: {}", f.user(), escape_visible(by)),
                   fmt::format("let {} in by that line, then systemctl reload {}", f.user(), gate_unit(f)));
}

constexpr Check k_checks[] = {
    {"sshd.overridden", Severity::error, "another line wins over the gate's",
     "sshd takes the first value it reads: the gate's own line has no effect.", k_needs_sshd, overridden},
    {"sshd.internal_sftp", Severity::error, "SFTP goes past the gate",
     "internal-sftp needs no shell: whoever has a key reads and overwrites what the account can.",
     k_needs_sshd, internal_sftp},
    {"sshd.force_command", Severity::error, "ForceCommand is not drop", "Agents do not meet the gate.",
     "sshd.not_set_up sshd.missing sshd.config sshd.not_included account.missing sshd.internal_sftp",
     force_command},
    {"sshd.token", Severity::error, "a token that this sshd does not know",
     "sshd -t passes, and every login of the account dies.", k_needs_sshd, unknown_token},
    {"sshd.keys_command", Severity::error, "another AuthorizedKeysCommand",
     "Keys come from elsewhere, or authkeys is asked what it does not understand.",
     "sshd.not_set_up sshd.missing sshd.config sshd.not_included account.missing sshd.token", keys_command},
    {"sshd.keys_command_user", Severity::error, "authkeys runs as another user",
     "It needs a user of its own, who can read the keyring and write nothing; as root it refuses.",
     k_needs_sshd, keys_command_user},
    {"sshd.keys_file", Severity::error, "an AuthorizedKeysFile is read",
     "A key in it logs in without the keyring: what is revoked there still works.", k_needs_sshd, keys_file},
    {"sshd.certificates", Severity::error, "certificates are taken",
     "Whoever has the authority's key makes logins that the keyring does not know.", k_needs_sshd,
     certificates},
    {"sshd.fingerprint_hash", Severity::error, "FingerprintHash is not sha256",
     "authkeys is asked for fingerprints that no key has.", k_needs_sshd, hash},
    {"sshd.use_pam", Severity::error, "UsePAM is no", "The rules of pam_pandora are not asked.", k_needs_sshd,
     use_pam},
    {"sshd.subsystem", Severity::error, "no Subsystem sftp",
     "sftp, and scp since OpenSSH 9.0, are refused before drop is started.", k_needs_sshd, subsystem},
    {"sshd.expose_auth_info", Severity::error, "ExposeAuthInfo is no",
     "drop cannot tell which key logged in.", k_needs_sshd, expose},
    {"sshd.pubkey", Severity::error, "PubkeyAuthentication is no", "No agent can log in.", k_needs_sshd,
     pubkey},
    {"sshd.revoked_keys", Severity::error, "the RevokedKeys file is not there",
     "sshd refuses every key of everybody for whom it cannot read that file.", k_needs_sshd, revoked},
    {"sshd.password", Severity::error, "a password can log in",
     "A password can be guessed, and belongs to no agent.", k_needs_sshd, password},
    {"sshd.denied", Severity::error, "sshd lets the account not in",
     "Every key is refused, whatever the keyring says.", k_needs_sshd, denied},
};

} // namespace

std::span<const Check> sshd_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor

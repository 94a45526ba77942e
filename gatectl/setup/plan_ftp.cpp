// The part "ftp": what doc/ftp.md has, and a user who may send by it.
#include "gatectl/problem.h"
#include "gatectl/setup/plan.h"
#include "lib/base/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <sys/random.h>

namespace gate::ctl::setup {

namespace {

// Each symbol 5 bits, no letter that looks like another; 24 of them are 120 bits.
constexpr std::string_view k_symbols = "abcdefghijkmnpqrstuvwxyz23456789";
static_assert(k_symbols.size() == 32);
constexpr std::size_t k_password_length = 24;
constexpr const char* k_certificate = GATE_SYSCONFDIR "/ftp.pem";
constexpr const char* k_authority = GATE_SYSCONFDIR "/ftp-ca.pem";

[[nodiscard]] std::string new_password() {
    std::array<std::uint8_t, k_password_length> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
        stop(Status::io, "the kernel gives no random numbers");
    std::string out;
    for (const std::uint8_t byte : random)
        out += k_symbols[byte % k_symbols.size()];
    return out;
}

// A key and a certificate for ten years, as the manual makes them by hand.
void plan_certificate(Plan& plan) {
    if (plan.place.exists(k_certificate))
        return;
    const std::string openssl = plan.place.program("openssl");
    if (openssl.empty())
        stop(Status::no_input, "openssl is missing: install it, or put a certificate into {}", k_certificate);
    const std::string scratch = GATE_STATEDIR "/setup/ftp";
    Step& both = plan.file(k_certificate, "", 0600);
    both.secret = true;
    both.make = [&plan, openssl, scratch] {
        std::string host = plan.place.text("/etc/hostname").value_or("");
        host = words(host.substr(0, host.find('\n'))).empty() ? "localhost" : words(host)[0];
        host = host.substr(0, host.find('\n'));
        const Command argv = {openssl,    "req",
                              "-x509",    "-newkey",
                              "rsa:2048", "-nodes",
                              "-days",    "3650",
                              "-subj",    "/CN=" + host,
                              "-addext",  "subjectAltName=DNS:" + host,
                              "-keyout",  plan.place.real(scratch + ".key"),
                              "-out",     plan.place.real(scratch + ".crt")};
        const Ran ran = plan.runner.run(argv);
        const auto key = plan.place.text(scratch + ".key");
        const auto certificate = plan.place.text(scratch + ".crt");
        if (ran.status != 0 || !key || !certificate)
            stop(Status::io, "{}: status {}: {}", words_of(argv), ran.status, escape_visible(ran.text, 400));
        return *key + *certificate;
    };
    plan.file(k_authority, "", 0644).make = [&plan, scratch] {
        return plan.place.text(scratch + ".crt").value_or("");
    };
}

[[nodiscard]] std::string pam_file(const Plan& plan) {
    std::string out;
    for (std::string line : lines(plan.shipped("pam.d/pandora-ftp"))) {
        if (!line.starts_with('#')) {
            if (const std::size_t at = line.find("group=pandora"); at != std::string::npos)
                line.replace(at, std::string_view("group=pandora").size(), plan.machine.who());
            if (const std::size_t at = line.find("deny=/etc/ftpusers");
                at != std::string::npos && !plan.machine.debian())
                line.replace(at, std::string_view("deny=/etc/ftpusers").size(), "deny=/etc/vsftpd/ftpusers");
        }
        out += line + '\n';
    }
    return out;
}

// `enabled = true` in [ftp]; everything else as it is.
[[nodiscard]] std::string with_ftp(const std::string& toml) {
    std::string out;
    bool inside = false;
    bool done = false;
    for (const std::string& line : lines(toml)) {
        const auto word = words(line);
        if (inside && !done && !word.empty() &&
            (word[0] == "#enabled" || word[0] == "enabled" || word[0].starts_with("enabled="))) {
            out += "enabled = true\n";
            done = true;
            continue;
        }
        if (!word.empty() && word[0].front() == '[') {
            if (inside && !done)
                out += "enabled = true\n";
            done = done || inside;
            inside = word[0] == "[ftp]";
        }
        out += line + '\n';
    }
    if (!done)
        out += inside ? "enabled = true\n" : "\n[ftp]\nenabled = true\n";
    return out;
}

void plan_ftp_user(Plan& plan) {
    const std::string& name = plan.request.ftp_user;
    if (name.empty())
        return;
    const auto plain = [](unsigned char c) {
        return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '-' || c == '_';
    };
    if (name.size() > 32 || name.front() == '-' || !std::all_of(name.begin(), name.end(), plain))
        stop(Status::usage, "--user is a name of small letters, digits, - and _: {}", escape_visible(name));
    if (plan.machine.accounts.user(name) != nullptr) {
        if (!plan.known.contains(name))
            plan.remark(name +
                        " is a user already: left as it is; `passwd` gives it a password, `usermod -aG` "
                        "puts it into the group");
        return;
    }
    if (!plan.machine.own_group)
        stop(Status::refused, "the account has no group of its own here: only {} itself can send by FTP",
             plan.machine.account());
    plan.password = new_password();
    plan.user(name, {.exists = true,
                     .group = "",
                     .home = "/nonexistent",
                     .shell = "/usr/sbin/nologin",
                     .password = "*",
                     .member = true});
    plan.steps.back().member_of = plan.machine.account_group();
    plan.steps.back().secret_word = plan.password;
    plan.remark(
        fmt::format("tell for whom {} sends: `pandora-gate keys add --ftp {} --agent NAME`", name, name));
}

} // namespace

void plan_ftp(Plan& plan) {
    plan.part = "ftp";
    if (plan.machine.accounts.user(plan.machine.account()) == nullptr)
        stop(Status::refused, "there is no account {} yet: run `pandora-gate setup account --apply` first",
             plan.machine.account());
    if (plan.place.program("vsftpd").empty())
        stop(Status::no_input, "there is no vsftpd in /usr/sbin: install it first");
    plan.demand_module();
    if (plan.machine.accounts.user("_pandora-ftp") == nullptr)
        plan.user("_pandora-ftp", {.exists = true,
                                   .group = "",
                                   .home = "/run/pandora-gate/empty",
                                   .shell = "/usr/sbin/nologin",
                                   .password = "*"});
    plan_ftp_user(plan);
    plan.directory("/run/pandora-gate", "root", "root", 0755).data = true;
    plan.directory("/run/pandora-gate/empty", "root", "root", 0555).data = true;
    plan.file("/etc/vsftpd.nochroot_list", "");
    plan.file(GATE_SYSCONFDIR "/vsftpd-openssl.cnf", plan.shipped("vsftpd/openssl.cnf"));
    plan.file(GATE_SYSCONFDIR "/vsftpd.conf", plan.shipped("vsftpd/vsftpd.conf"));
    plan.file("/etc/pam.d/pandora-ftp", pam_file(plan));
    plan_certificate(plan);
    if (const auto toml = plan.place.text(k_default_config); !plan.machine.policy.ftp_enabled)
        plan.file(k_default_config, with_ftp(toml.value_or(""))).merged = true;
    // Two cannot have port 21: the distribution's is not started with the machine any more.
    const std::string stock = "/etc/systemd/system/multi-user.target.wants/vsftpd.service";
    if (const PathState now = plan.place.look(stock); now.kind == PathState::Kind::link)
        plan.steps.push_back({.kind = Step::Kind::path, .part = plan.part, .name = stock, .from = now});
    plan.unit("pandora-gate-ftp.service");
    plan.unit("pandora-gate-sweep.service");
    plan.remark("then `pandora-gate publish`: it makes the upload directories; `systemctl restart "
                "pandora-gate-ftp.service pandora-gate-sweep.service`: the one may write to them, the other "
                "ended while FTP was not enabled; and open TCP 21 and 31000-31999 in the firewall");
}

} // namespace gate::ctl::setup

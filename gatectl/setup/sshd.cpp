#include "gatectl/setup/sshd.h"

#include "gatectl/problem.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace gate::ctl::setup {

namespace {

constexpr std::uint64_t k_agents = 1000; // when nobody says how many
// A login's key exchange takes up to 0.22 s of a processor; half as much again for what the sessions do.
constexpr double k_login_seconds = 0.33;
constexpr std::uint64_t k_shortest_grace = 60; // seconds; a slow line needs them with one agent too
constexpr std::uint64_t k_strangers = 100;     // connections that are no agent's, at least

struct Rewriting {
    std::string global;  // lines before the Match block
    std::string matched; // the block's own, without the blanks in front
};

[[nodiscard]] std::string trimmed(const std::string& line) {
    const std::size_t at = line.find_first_not_of(" \t");
    return at == std::string::npos ? std::string() : line.substr(at);
}

[[nodiscard]] bool begins(const std::string& line, std::string_view word) {
    return line.starts_with(word);
}

// Paragraphs that the file has for people who copy it by hand, and what is true after setup.
[[nodiscard]] std::string as_set_up(const std::string& line, const SshWishes& wishes) {
    if (begins(line, "#RevokedKeys "))
        return line.substr(1);
    if (begins(line, "# because an sshd whose list is missing"))
        return {};
    if (const std::size_t only = line.find(" Only a comment here,"); only != std::string::npos)
        return line.substr(0, only);
    if (!wishes.enrolment)
        return line;
    if (begins(line, "# A key and nothing else:"))
        return "# A key; or, to let a key in (pandora-gate enrol), a password that pam_pandora has looked "
               "at.";
    if (begins(line, "AuthenticationMethods "))
        return "AuthenticationMethods publickey password";
    if (begins(line, "PasswordAuthentication "))
        return "PasswordAuthentication yes";
    return line;
}

[[nodiscard]] Rewriting rewrite(const std::string& shipped, const Machine& machine, const SshWishes& wishes) {
    Rewriting out;
    bool inside = false;
    for (const std::string& line : lines(shipped)) {
        if (begins(line, "Match User ")) {
            inside = true;
            continue;
        }
        if (!inside) {
            out.global += line + '\n';
            continue;
        }
        const std::string bare = trimmed(line);
        const std::string now = as_set_up(bare, wishes);
        if (!now.empty() || bare.empty())
            out.matched += now + '\n';
    }
    if (!inside || out.matched.find("ForceCommand ") == std::string::npos)
        stop(Status::bad_data,
             "/usr/share/pandora-gate/sshd_config.d/00-pandora-gate.conf is not the one that "
             "was installed: install the package again");
    static_cast<void>(machine);
    return out;
}

[[nodiscard]] std::string indented(const std::string& text) {
    std::string out;
    for (const std::string& line : lines(text))
        out += (line.empty() ? "" : "    ") + line + '\n';
    return out;
}

[[nodiscard]] std::uint64_t agents_of(const Sizes& sizes) {
    return sizes.agents == 0 ? k_agents : sizes.agents;
}

// Strong is what this sshd does by itself; these are added behind it.
void add_legacy(std::string& out, const Machine& machine) {
    out += "\n# For clients of before 2014 (AIX, ESX, old Solaris), on this port only: SHA-1 and CBC, behind "
           "what is\n# better. Without them: setup again with --no-legacy-clients.\n"
           "KexAlgorithms +diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1\n"
           "Ciphers +aes128-cbc,aes192-cbc,aes256-cbc,3des-cbc\n"
           "MACs +hmac-sha1,hmac-sha1-96\n"
           "HostKeyAlgorithms +ssh-rsa\n";
    out += machine.sshd_version >= 805 ? "PubkeyAcceptedAlgorithms +ssh-rsa\n"
                                       : "PubkeyAcceptedKeyTypes +ssh-rsa\n";
}

} // namespace

std::string max_startups(std::uint64_t agents) {
    const std::uint64_t begin = agents + std::max(k_strangers, agents / 4);
    return fmt::format("{}:30:{}", begin, 2 * begin);
}

std::uint64_t login_grace(const Sizes& sizes, unsigned processors) {
    const double queue = static_cast<double>(agents_of(sizes)) * k_login_seconds / processors;
    const auto wanted = std::max(k_shortest_grace, static_cast<std::uint64_t>(queue) + 30);
    return std::min(wanted, std::max(sizes.interval, k_shortest_grace));
}

std::string drop_in(const std::string& shipped, const Machine& machine, const SshWishes& wishes) {
    Rewriting text = rewrite(shipped, machine, wishes);
    std::string global = "# Written by `pandora-gate setup`; changes by hand end with its next --apply.\n";
    for (const std::string& line : lines(text.global))
        global += (begins(line, "MaxStartups ") && wishes.sizes.agents != 0
                       ? "MaxStartups " + max_startups(wishes.sizes.agents)
                       : line) +
                  '\n';
    return global + "Match User " + machine.account() + '\n' + indented(text.matched);
}

std::string own_config(const std::string& shipped, const Machine& machine, const SshWishes& wishes) {
    const Rewriting text = rewrite(shipped, machine, wishes);
    std::string out = fmt::format(
        "# The sshd of pandora-gate's own: agents, on a port of their own. Written by `pandora-gate setup`; "
        "changes by\n# hand end with its next --apply. Check with: sshd -t -f {}\n\n"
        "Port {}\n"
        "PidFile /run/pandora-gate/sshd.pid\n",
        k_own_config, wishes.own_port);
    for (const char* type : {"ed25519", "ecdsa", "rsa"})
        out += fmt::format("HostKey {}{}_key\n", k_own_key, type);
    out += fmt::format("UsePAM yes\n{}AllowUsers {}\nPermitRootLogin no\nPermitUserEnvironment no\n"
                       "FingerprintHash sha256\nStrictModes yes\nUseDNS no\n"
                       "# Which program it names does not matter: ForceCommand stands above it.\n"
                       "Subsystem sftp internal-sftp\n\n",
                       machine.sshd_version >= k_has_pam_service_name ? "PAMServiceName pandora-sshd\n" : "",
                       machine.account());
    out += fmt::format("# For {} agents at the same moment, each every {} s, on {} processor(s): all get in, "
                       "and the last\n# of them has time to.\nMaxStartups {}\nLoginGraceTime {}\n",
                       agents_of(wishes.sizes), wishes.sizes.interval, machine.processors,
                       max_startups(agents_of(wishes.sizes)), login_grace(wishes.sizes, machine.processors));
    if (machine.sshd_version >= 805)
        out += "# A whole site may stand behind one address.\nPerSourceMaxStartups none\n";
    if (machine.sshd_version >= k_has_pam_service_name)
        out += "PerSourcePenalties no\n";
    if (wishes.legacy_clients)
        add_legacy(out, machine);
    return out + '\n' + text.matched;
}

std::string denial(const Machine& machine, const SshWishes& wishes) {
    return fmt::format(
        "# pandora-gate: agents have an sshd of their own, on port {} ({}).\n"
        "# Here their account does not get in. Written by `pandora-gate setup`.\nDenyUsers {}\n",
        wishes.own_port, k_own_config, machine.account());
}

bool reads_drop_in(const std::string& sshd_config) {
    for (const std::string& line : lines(sshd_config)) {
        auto word = words(line);
        if (word.empty())
            continue;
        std::transform(word[0].begin(), word[0].end(), word[0].begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (word[0] == "match")
            return false; // what is included below would be of that block
        if (word[0] == "include" && line.find("sshd_config.d/") != std::string::npos)
            return true;
    }
    return false;
}

std::string with_include(const std::string& sshd_config) {
    return "# Put here by `pandora-gate setup`: the first value that sshd sees is the one that counts.\n"
           "Include /etc/ssh/sshd_config.d/*.conf\n" +
           sshd_config;
}

} // namespace gate::ctl::setup

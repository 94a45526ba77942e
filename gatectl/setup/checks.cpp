#include "gatectl/setup/checks.h"

#include "gatectl/problem.h"
#include "gatectl/setup/services.h"
#include "lib/base/text.h"

#include <algorithm>
#include <cctype>

namespace gate::ctl::setup {

namespace {

constexpr std::size_t k_shown = 300; // bytes of what sshd says
// A start takes tens of milliseconds; a busy machine's, with systemd's own work, a second or two.
constexpr int k_start_ms = 5000;
constexpr int k_silence_ms = 500; // a server that speaks first does so at once

struct Setting {
    std::string name;
    std::string value;
};

// What `sshd -T` prints: keywords in lower case up to 9.x, as in the manual later.
class Effective {
  public:
    Effective(Runner& runner, const Machine& machine, const std::string& config, bool of_account) {
        std::vector<std::string> argv = {machine.sshd, "-T"};
        if (!config.empty())
            argv.insert(argv.end(), {"-f", config});
        if (of_account)
            argv.insert(argv.end(), {"-C", "user=" + machine.account() + ",host=x,addr=127.0.0.1"});
        const Ran ran = runner.run(argv);
        if (ran.status != 0)
            stop(Status::refused, "{} says: {}", words_of(argv), escape_visible(ran.text, k_shown));
        text_ = ran.text;
    }

    [[nodiscard]] std::vector<std::string> values(const std::string& name) const {
        std::vector<std::string> out;
        for (const std::string& line : lines(text_)) {
            const std::size_t end = std::min(line.find(' '), line.size());
            std::string word = line.substr(0, end);
            std::transform(word.begin(), word.end(), word.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            if (word == name)
                out.push_back(line.substr(std::min(end + 1, line.size())));
        }
        return out;
    }
    void demand(const Setting& wanted, const std::string& where) const {
        const auto found = values(wanted.name);
        if (found.size() == 1 && found[0] == wanted.value)
            return;
        stop(Status::refused,
             "{}: for the account {} is \"{}\", and not \"{}\": another file's value comes first (look with "
             "`sshd -T -C user=NAME,host=x,addr=127.0.0.1`)",
             where, wanted.name, found.empty() ? "not set" : escape_visible(found[0], k_shown), wanted.value);
    }

  private:
    std::string text_{};
};

[[nodiscard]] std::vector<Setting> wanted_of(const SshWishes& wishes) {
    return {{"forcecommand", GATE_LIBEXECDIR "/drop"},
            {"authorizedkeyscommand", GATE_LIBEXECDIR "/authkeys %u %f"},
            {"authorizedkeysfile", "none"},
            {"authenticationmethods", wishes.enrolment ? "publickey password" : "publickey"},
            {"passwordauthentication", wishes.enrolment ? "yes" : "no"},
            {"kbdinteractiveauthentication", "no"},
            {"exposeauthinfo", "yes"},
            {"disableforwarding", "yes"},
            {"usepam", "yes"}};
}

} // namespace

void check_syntax(Runner& runner, const Machine& machine, const std::string& config) {
    std::vector<std::string> argv = {machine.sshd, "-t"};
    if (!config.empty())
        argv.insert(argv.end(), {"-f", config});
    const Ran ran = runner.run(argv);
    if (ran.status != 0)
        stop(Status::refused, "{} says: {}", words_of(argv), escape_visible(ran.text, k_shown));
}

std::vector<std::string> check_result(Runner& runner, const Machine& machine, const SshWishes& wishes) {
    const bool own = wishes.own_port != 0;
    const std::string config = own ? k_own_config : "";
    const std::string where = own ? k_own_config : k_drop_in;
    std::vector<std::string> remarks;
    check_syntax(runner, machine);
    if (own)
        check_syntax(runner, machine, config);
    const Effective gate(runner, machine, config, true);
    for (const Setting& setting : wanted_of(wishes))
        if (!setting.value.empty())
            gate.demand(setting, where);
    if (gate.values("subsystem").empty())
        remarks.emplace_back("sshd_config has no line `Subsystem sftp internal-sftp`: scp of OpenSSH 9 and "
                             "later, and sftp, will be refused; add it");
    if (!own)
        return remarks;
    gate.demand({"port", std::to_string(wishes.own_port)}, where);
    const auto denied = Effective(runner, machine, {}, true).values("denyusers");
    if (std::find(denied.begin(), denied.end(), machine.account()) == denied.end())
        stop(Status::refused, "{}: the administrators' sshd does not deny {}: is the file read at all?",
             k_drop_in, machine.account());
    return remarks;
}

void check_greeting(Runner& runner, const SshWishes& wishes) {
    const std::string said = runner.greeting(static_cast<std::uint16_t>(wishes.own_port), k_start_ms);
    if (said.starts_with("SSH-"))
        return;
    stop(Status::refused,
         "{} was started, but on 127.0.0.1 port {} {} within {} s: look at `journalctl -u {}`, and who "
         "has the port (`ss -ltnp`)",
         k_own_unit, wishes.own_port,
         said.empty() ? "no sshd answers" : "something else answers (" + escape_visible(said, k_shown) + ")",
         k_start_ms / 1000, k_own_unit);
}

void check_silence(Runner& runner, const SshWishes& wishes) {
    const std::string said = runner.greeting(static_cast<std::uint16_t>(wishes.own_port), k_silence_ms);
    if (!said.empty())
        stop(Status::refused,
             "another server has port {} already (it says {}): choose another, or end it (`ss -ltnp`)",
             wishes.own_port, escape_visible(said, k_shown));
}

void check_port(Runner& runner, const Machine& machine, const SshWishes& wishes) {
    const auto ports = Effective(runner, machine, {}, false).values("port");
    if (std::find(ports.begin(), ports.end(), std::to_string(wishes.own_port)) != ports.end())
        stop(Status::refused, "port {} is that of the administrators' sshd: name another", wishes.own_port);
}

} // namespace gate::ctl::setup

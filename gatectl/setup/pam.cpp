#include "gatectl/setup/pam.h"

#include "gatectl/problem.h"

#include <algorithm>
#include <functional>

namespace gate::ctl::setup {

namespace {

constexpr const char* k_shells = "shell=/usr/sbin/nologin,/sbin/nologin," GATE_LIBEXECDIR "/drop";
constexpr const char* k_module = "pam_pandora.so";

using Where = std::function<bool(const std::vector<std::string>& words)>;

[[nodiscard]] bool is_of(const std::vector<std::string>& word, std::string_view type) {
    return !word.empty() && (word[0] == type || (word[0].front() == '-' && word[0].substr(1) == type));
}

[[nodiscard]] bool includes(const std::vector<std::string>& word, std::string_view file) {
    return word.size() > 1 && word[0] == "@include" && word[1] == file;
}

[[nodiscard]] bool names_module(const std::string& line) {
    const auto word = words(line);
    return !word.empty() && word[0].front() != '#' &&
           std::any_of(word.begin(), word.end(), [](const std::string& w) { return w.ends_with(k_module); });
}

// Those of this kind only: with services= or without.
[[nodiscard]] std::vector<std::string> without_ours(const std::string& text, bool services) {
    std::vector<std::string> out;
    bool continued = false;
    for (const std::string& line : lines(text)) {
        const bool goes_on = line.ends_with('\\');
        const bool has_services = line.find("services=") != std::string::npos;
        const bool ours = names_module(line) && has_services == services;
        if (names_module(line) && (continued || goes_on))
            stop(Status::refused, "a line of pam_pandora.so in /etc/pam.d goes over several lines: take it "
                                  "out by hand, setup writes its own");
        continued = goes_on;
        if (!ours)
            out.push_back(line);
    }
    return out;
}

void insert_before(std::vector<std::string>& text, const Where& where, const std::string& line) {
    const auto at =
        std::find_if(text.begin(), text.end(), [&](const std::string& l) { return where(words(l)); });
    text.insert(at, line);
}

[[nodiscard]] std::string join(const std::vector<std::string>& text) {
    std::string out;
    for (const std::string& line : text)
        out += line + '\n';
    return out;
}

[[nodiscard]] bool any(const std::vector<std::string>& text, const Where& where) {
    return std::any_of(text.begin(), text.end(), [&](const std::string& l) { return where(words(l)); });
}

} // namespace

std::string with_login_lines(const std::string& text, const Machine& machine, bool enrolment) {
    auto out = without_ours(text, false);
    const std::string rules =
        std::string("requisite  ") + k_module + "  " + machine.who() + " scope=members " + k_shells;
    // The first that asks for a password.
    if (enrolment)
        insert_before(
            out, [](const auto& w) { return includes(w, "common-auth") || is_of(w, "auth"); },
            std::string("auth     [success=done ignore=ignore default=die]  ") + k_module + "  " +
                machine.who() + " scope=members " + k_shells + " enrol");
    insert_before(
        out,
        [](const auto& w) {
            const bool nologin = std::any_of(
                w.begin(), w.end(), [](const std::string& word) { return word.ends_with("pam_nologin.so"); });
            return includes(w, "common-account") || (is_of(w, "account") && !nologin);
        },
        "account  " + rules);
    const Where common = [](const auto& w) {
        return includes(w, "common-session") ||
               (is_of(w, "session") && w.size() > 2 && (w[1] == "include" || w[1] == "substack"));
    };
    const Where first = [](const auto& w) { return is_of(w, "session"); };
    insert_before(out, any(out, common) ? common : first,
                  "session  " + rules + " require_key" + (enrolment ? " enrol" : ""));
    return join(out);
}

std::string with_services_line(const std::string& text, const Machine& machine, const std::string& services) {
    auto out = without_ours(text, true);
    const Where first = [](const auto& w) { return is_of(w, "account"); };
    const std::string line = std::string("account  requisite  ") + k_module + "  " + machine.who() +
                             " scope=members services=" + services;
    // pam-auth-update leaves alone what stands above its own comments.
    if (machine.debian())
        out.insert(out.begin(), line);
    else
        insert_before(out, first, line);
    return join(out);
}

std::string own_service(const Machine& machine, bool enrolment) {
    const std::string rules = std::string(k_module) + "  scope=all " + machine.who() + ' ' + k_shells;
    std::string out =
        "# /etc/pam.d/pandora-sshd: who may log in to the sshd of pandora-gate. Written by `pandora-gate "
        "setup`.\n"
        "# Nobody but the account (scope=all), and nothing is included: no message of the day, no user "
        "manager.\n";
    if (enrolment)
        out += "auth      [success=done ignore=ignore default=die]  " + rules +
               " enrol\nauth      required   pam_unix.so\n";
    else
        out += "auth      requisite  pam_deny.so\n";
    out += "account   requisite  " + rules + "\naccount   required   pam_unix.so\n";
    if (!machine.debian()) // SELinux: the session is not sshd's own domain
        out += "session   required   pam_selinux.so close\n";
    out += "session   requisite  " + rules + " require_key" + (enrolment ? " enrol" : "") + '\n';
    out += "-session  optional   pam_loginuid.so\n";
    if (!machine.debian())
        out += "session   required   pam_selinux.so open\n";
    return out + "password  requisite  pam_deny.so\n";
}

} // namespace gate::ctl::setup

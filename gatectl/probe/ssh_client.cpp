#include "gatectl/probe/ssh_client.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <climits>
#include <cstdlib>
#include <pwd.h>
#include <unistd.h>

namespace gate::ctl {

namespace {

[[nodiscard]] std::string absolute(const std::string& path) {
    char* const real = ::realpath(path.c_str(), nullptr);
    std::string out = real != nullptr ? real : "";
    std::free(real);
    return out;
}

[[nodiscard]] std::string home() {
    const passwd* const who = ::getpwuid(::getuid());
    return who != nullptr && who->pw_dir != nullptr ? who->pw_dir : "/";
}

[[nodiscard]] std::string program(std::string_view name) {
    std::string path = find_program(name);
    if (path.empty())
        stop(Status::unavailable, "there is no {} on this machine: install OpenSSH's clients", name);
    return path;
}

} // namespace

std::string find_program(std::string_view name) {
    for (const char* directory : {"/usr/bin/", "/usr/local/bin/", "/bin/"})
        if (const std::string path = directory + std::string(name); ::access(path.c_str(), X_OK) == 0)
            return path;
    return {};
}

std::string last_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
        text.remove_suffix(1);
    return escape_visible(text.substr(text.rfind('\n') + 1));
}

SshClient::SshClient(const ProbeRequest& request, const ScratchDirectory& scratch)
    : request_(request), key_(absolute(request.key)), host_(request.user + '@' + request.target) {
    if (key_.empty() || ::access(key_.c_str(), R_OK) != 0)
        stop(Status::no_input, "there is no private key {} that can be read", escape_visible(request.key));
    if (request.accept_host_key)
        known_hosts_ = scratch / "known_hosts";
    else
        known_hosts_ =
            request.known_hosts.empty() ? home() + "/.ssh/known_hosts" : absolute(request.known_hosts);
    const bool v6 = request.target.find(':') != std::string::npos;
    in_braces_ = request.user + '@' + (v6 ? '[' + request.target + ']' : request.target);
    for (const char* needed : {"ssh", "scp", "sftp"})
        static_cast<void>(program(needed));
}

SshClient::Words SshClient::common() const {
    return {"-F", "none",
            "-i", key_,
            "-o", "IdentitiesOnly=yes",
            "-o", "BatchMode=yes",
            "-o", "ConnectTimeout=10",
            "-o", "ControlPath=none",
            "-o", "PasswordAuthentication=no",
            "-o", "KbdInteractiveAuthentication=no",
            "-o", "UserKnownHostsFile=" + known_hosts_,
            "-o", std::string("StrictHostKeyChecking=") + (request_.accept_host_key ? "accept-new" : "yes"),
            "-o", "Port=" + std::to_string(request_.port)};
}

ChildRequest SshClient::ssh_request(const Words& options, const Words& command, std::string input,
                                    const Words& environment) const {
    ChildRequest out{.argv = {program("ssh")},
                     .environment = {"PATH=/usr/bin:/bin", "LANG=C", "HOME=" + home()}};
    const Words usual = common();
    out.argv.insert(out.argv.end(), options.begin(), options.end());
    out.argv.insert(out.argv.end(), usual.begin(), usual.end());
    out.argv.insert(out.argv.end(), {"--", host_});
    out.argv.insert(out.argv.end(), command.begin(), command.end());
    out.environment.insert(out.environment.end(), environment.begin(), environment.end());
    out.input = std::move(input);
    return out;
}

Ran SshClient::ssh(const Words& options, const Words& command, std::string input,
                   const Words& environment) const {
    return run_program(ssh_request(options, command, std::move(input), environment), k_patience_ms);
}

Ran SshClient::sftp(const Words& commands) const {
    ChildRequest out = ssh_request({}, {});
    out.argv = common();
    out.argv.insert(out.argv.begin(), program("sftp"));
    out.argv.insert(out.argv.end(), {"-b", "-", "--", in_braces_});
    for (const std::string& command : commands)
        out.input += command + '\n';
    return run_program(out, k_patience_ms);
}

Ran SshClient::scp(const Words& options, const std::string& from, const std::string& to) const {
    ChildRequest out = ssh_request({}, {});
    out.argv = common();
    out.argv.insert(out.argv.begin(), program("scp"));
    out.argv.insert(out.argv.end(), options.begin(), options.end());
    out.argv.insert(out.argv.end(), {"--", from, to});
    return run_program(out, k_patience_ms);
}

std::string SshClient::remote(std::string_view path) const {
    return in_braces_ + ':' + std::string(path);
}

} // namespace gate::ctl

#include "gatectl/probe/ssh_tries.h"

#include "gatectl/probe/forwarding.h"
#include "gatectl/probe/interrupts.h"
#include "gatectl/probe/ssh_client.h"
#include "gatectl/problem.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <unistd.h>

namespace gate::ctl {

namespace {

using Words = SshClient::Words;

constexpr const char* k_world_readable = "/etc/passwd"; // by everybody, on every system
constexpr const char* k_computed = "pandora-42"; // what a shell makes of the next line, and nothing else
constexpr const char* k_compute = "echo pandora-$((40+2))";

[[nodiscard]] bool holds(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// A connection that did not come about says nothing of what was to be tried by it.
[[nodiscard]] bool never_connected(const Ran& ran) {
    return std::ranges::any_of(std::array{"Permission denied (", "kex_exchange_identification",
                                          "Connection refused", "Connection timed out", "No route to host"},
                               [&](const char* words) { return holds(ran.err, words); });
}

class SshProbe {
  public:
    SshProbe(const ProbeRequest& request)
        : request_(request), client_(request, scratch_), forwarding_(client_, scratch_, request.port),
          stem_("pandora-gate-probe-" + random_word()),
          local_(scratch_.write("sent", "a probe wrote this\n")) {}

    // Throws Problem (unavailable).
    void log_in(Context& context) {
        const Ran ran = client_.ssh({"-v"}, {"exit"});
        if (!holds(ran.err, "Authenticated to"))
            stop(Status::unavailable, "cannot log in to {} with that key: {}",
                 escape_visible(request_.target), ran.in_time ? last_line(ran.err) : "no answer");
        if (request_.accept_host_key) {
            const Ran shown =
                run_program({.argv = {find_program("ssh-keygen"), "-lf", client_.known_hosts()}},
                            SshClient::k_patience_ms);
            context.remarks.push_back("the host key was believed unseen: " + last_line(shown.out));
        }
    }

    void run(ProbeReport& report);

    // --- what the tries are made of ----------------------------------------------------------------------

    // A command shows by these words, which it must not echo, that it ran.
    [[nodiscard]] Tried shows(const Words& options, const Words& command, std::string_view words,
                              std::string input = {}, const Words& environment = {}) const {
        const Ran ran = client_.ssh(options, command, std::move(input), environment);
        return judge(ran,
                     holds(ran.out, words) || (holds(ran.err, words) && !holds(ran.err, "pandora-gate:")));
    }
    [[nodiscard]] Tried batch(const Words& commands) const {
        const Ran ran = client_.sftp(commands);
        return judge(ran, ran.status == 0);
    }
    [[nodiscard]] Tried prints(const Words& commands, const std::vector<std::string>& any_of) const {
        const Ran ran = client_.sftp(commands);
        // What the client repeats of the batch is no answer.
        std::string answer;
        for_each_part(ran.out, '\n', [&](std::string_view line) {
            if (!line.starts_with("sftp>"))
                answer += std::string(line) + '\n';
        });
        return judge(
            ran, std::ranges::any_of(any_of, [&](const std::string& word) { return holds(answer, word); }));
    }
    // A file that came from there, whatever the client says.
    [[nodiscard]] Tried fetched(const Ran& ran) const {
        const bool came =
            std::filesystem::exists(scratch_ / "got") && std::filesystem::file_size(scratch_ / "got") > 0;
        std::filesystem::remove(scratch_ / "got");
        return judge(ran, came);
    }
    [[nodiscard]] Tried get(const std::string& path) const {
        return fetched(client_.sftp({"get " + path + ' ' + (scratch_ / "got")}));
    }
    [[nodiscard]] Tried copy(const Words& options, const std::string& path) const {
        return fetched(client_.scp(options, client_.remote(path), scratch_ / "got"));
    }
    // A file that must not come to be there; it is taken away again.
    [[nodiscard]] Tried put(const std::string& path) {
        Tried out = batch({"put " + local_ + ' ' + path});
        if (out.result == TryResult::succeeded)
            remove(path);
        return out;
    }
    void remove(const std::string& path, const char* by = "rm ") {
        if (client_.sftp({by + path}).status != 0)
            left_behind_.push_back(escape_visible(path));
    }

    [[nodiscard]] static Tried judge(const Ran& ran, bool possible) {
        if (possible)
            return {.result = TryResult::succeeded};
        if (!ran.in_time)
            return {.result = TryResult::untried, .note = "no answer"};
        if (never_connected(ran))
            return {.result = TryResult::untried, .note = last_line(ran.err)};
        return {};
    }

    // --- what is tried about
    // --------------------------------------------------------------------------------

    [[nodiscard]] std::string in_path(const std::string& name) const { return request_.path + '/' + name; }
    // A file that is known to be there, if there is one.
    [[nodiscard]] std::string victim() const {
        return !delivered_.empty() ? delivered_ : !own_.empty() ? own_ : in_path(stem_ + ".1.data");
    }

    const ProbeRequest& request_;
    const ScratchDirectory scratch_;
    const SshClient client_;
    const Forwarding forwarding_;
    const std::string stem_;  // of what it makes
    const std::string local_; // a file of ours
    std::string own_;         // one there that is no packet, if it could be made
    std::string delivered_;   // a packet there
    std::vector<std::string> left_behind_;
};

struct Try {
    const char* name;
    const char* what;
    Tried (*attempt)(SshProbe&);
};

[[nodiscard]] Tried write_own(SshProbe& p) {
    const std::string path = p.in_path(p.stem_ + ".txt");
    Tried out = p.batch({"put " + p.local_ + ' ' + path});
    if (out.result == TryResult::succeeded)
        p.own_ = path;
    return out;
}

[[nodiscard]] Tried overwrite(SshProbe& p) {
    if (p.own_.empty())
        return {}; // nothing could be put there to be overwritten
    const std::string other = p.scratch_.write("other", "and this over it\n");
    const Ran ran = p.client_.sftp({"put " + other + ' ' + p.own_});
    return SshProbe::judge(ran, ran.status == 0);
}

[[nodiscard]] Tried rename(SshProbe& p) {
    const std::string to = p.in_path(p.stem_ + ".moved");
    const std::string from = p.victim();
    Tried out = p.batch({"rename " + from + ' ' + to});
    if (out.result == TryResult::succeeded && p.client_.sftp({"rename " + to + ' ' + from}).status != 0)
        p.left_behind_.push_back(escape_visible(to));
    return out;
}

// What is made so, taken away again by that command.
[[nodiscard]] Tried make(SshProbe& p, const std::string& command, const std::string& path,
                         const char* by = "rm ") {
    Tried out = p.batch({command + path});
    if (out.result == TryResult::succeeded)
        p.remove(path, by);
    return out;
}

[[nodiscard]] Tried remove_file(SshProbe& p) {
    Tried out = p.batch({"rm " + p.victim()});
    if (out.result == TryResult::succeeded)
        (p.delivered_.empty() ? p.own_ : p.delivered_).clear();
    return out;
}

[[nodiscard]] Tried without_key(SshProbe& p) {
    const Ran ran = p.client_.ssh({"-v", "-o", "PubkeyAuthentication=no"}, {"exit"});
    const bool in = holds(ran.err, "Authenticated to");
    return {.result = in ? TryResult::succeeded : ran.in_time ? TryResult::refused : TryResult::untried};
}

// echo says its argument, that is the prompt: which is nobody's password.
[[nodiscard]] Tried wrong_password(SshProbe& p) {
    const Ran ran = p.client_.ssh(
        {"-v", "-o", "BatchMode=no", "-o", "PubkeyAuthentication=no", "-o", "PasswordAuthentication=yes",
         "-o", "KbdInteractiveAuthentication=yes", "-o", "NumberOfPasswordPrompts=1"},
        {"exit"}, {}, {"SSH_ASKPASS=/bin/echo", "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0"});
    const bool in = holds(ran.err, "Authenticated to");
    return {.result = in ? TryResult::succeeded : ran.in_time ? TryResult::refused : TryResult::untried};
}

[[nodiscard]] Tried subsystem(SshProbe& p) {
    const Ran ran = p.client_.ssh({"-v", "-s"}, {"netconf"});
    return SshProbe::judge(ran, holds(ran.err, "Sending subsystem: netconf") &&
                                    !holds(ran.err, "subsystem request failed") && ran.status == 0);
}

[[nodiscard]] Tried x11(SshProbe& p) {
    const Ran ran = p.client_.ssh({"-v", "-Y"}, {"exit"}, {}, {"DISPLAY=127.0.0.1:99"});
    return SshProbe::judge(ran, holds(ran.err, "Requesting X11 forwarding") &&
                                    !holds(ran.err, "X11 forwarding request failed"));
}

[[nodiscard]] Tried agent_forwarding(SshProbe& p) {
    const std::string path = p.scratch_ / "agent";
    const std::string program = find_program("ssh-agent");
    if (program.empty())
        return {.result = TryResult::untried, .note = "there is no ssh-agent here"};
    Child agent({.argv = {program, "-D", "-a", path}});
    agent.wait(SshClient::k_patience_ms, [&](const Child&) { return ::access(path.c_str(), F_OK) == 0; });
    return p.shows({"-A"}, {"printenv SSH_AUTH_SOCK"}, "/", {}, {"SSH_AUTH_SOCK=" + path});
}

[[nodiscard]] Tried forwarded_socket(SshProbe& p) {
    const std::string path = "/tmp/" + p.stem_ + ".sock";
    Tried out = p.forwarding_.remote_socket(path);
    if (out.result == TryResult::succeeded)
        p.remove(path);
    return out;
}

[[nodiscard]] Tried rsync(SshProbe& p) {
    const Ran ran = p.client_.ssh({}, {"rsync --server --sender -logDtpr . /etc/passwd"});
    // It speaks first: its version in four bytes.
    return SshProbe::judge(ran, ran.out.size() >= 4 && ran.out[1] == '\0' && ran.out[2] == '\0' &&
                                    ran.out[3] == '\0');
}

[[nodiscard]] Tried list_own(SshProbe& p) {
    const Ran ran = p.client_.sftp({"ls -1a " + p.request_.path});
    bool any = false;
    for_each_part(ran.out, '\n', [&](std::string_view line) {
        const std::string_view name = line.substr(line.rfind('/') + 1);
        any = any || (!line.starts_with("sftp>") && name != "." && name != ".." && !name.empty());
    });
    return SshProbe::judge(ran, any);
}

#define P [](SshProbe & p) -> Tried
// The order matters: what is made early is what later ones read, change and remove.
constexpr Try k_tries[] = {
    {"shell", "a shell", P{return p.shows({}, {}, k_computed, std::string(k_compute) + "\nexit\n");
} // namespace
} // namespace gate::ctl
, {"pty", "a shell at a terminal",
   P{return p.shows({"-tt"}, {}, k_computed, std::string(k_compute) + "\nexit\n");
}
}
, {"command", "run id", P{return p.shows({}, {"id"}, "uid=");
}
}
, {"command-read", "run cat /etc/passwd", P{return p.shows({}, {"cat /etc/passwd"}, "root:");
}
}
, {"environment", "run env", P{return p.shows({}, {"env"}, "PATH=");
}
}
, {"rsync", "run rsync --server", rsync},
    {"git", "run git-upload-pack",
     P{return p.shows({}, {"git-upload-pack /nowhere"}, "not appear to be a git repository");
}
}
, {"scp-command", "a second command behind scp -t",
   P{return p.shows({}, {"scp -t " + p.request_.path + "; " + k_compute}, k_computed);
}
}
, {"scp-target", "a command in the target of scp -t",
   P{return p.shows({}, {"scp -t -d /nowhere/`echo pandora-$((40+2))`"}, k_computed);
}
}
, {"subsystem", "another subsystem", subsystem},
    {"read-scp", "read /etc/passwd by scp", P{return p.copy({}, k_world_readable);
}
}
, {"read-scp-f", "read it by scp -f",
   P{return p.shows({}, {std::string("scp -f ") + k_world_readable}, "root:", std::string(8, '\0'));
}
}
, {"read-sftp", "read it by sftp", P{return p.get(k_world_readable);
}
}
, {"read-keys", "read ~/.ssh/authorized_keys", P{return p.get(".ssh/authorized_keys");
}
}
, {"list-root", "list /", P{return p.prints({"ls -1 /"}, {"etc", "usr", "bin"});
}
}
, {"write-other", "write a file that is no packet", write_own}, {"list", "list data_in", list_own},
    {"stat", "see that a file is there", P{return p.batch({"ls -l " + p.victim()});
}
}
, {"read-back", "read a file back", P{return p.get(p.victim());
}
}
, {"overwrite", "overwrite a file", overwrite},
    {"append", "write behind the end of a file",
     P{return p.batch({"reput " + p.scratch_.write("longer", std::string(4096, 'x')) + ' ' + p.victim()});
}
}
, {"chmod", "change its mode", P{return p.batch({"chmod 600 " + p.victim()});
}
}
, {"rename", "rename it", rename},
    {"hard-link", "give it a second name",
     P{return make(p, "ln " + p.victim() + ' ', p.in_path(p.stem_ + ".hard"));
}
}
, {"symlink", "a symbolic link to /etc/passwd",
   P{return make(p, "ln -s /etc/passwd ", p.in_path(p.stem_ + ".link"));
}
}
, {"mkdir", "make a directory", P{return make(p, "mkdir ", p.in_path(p.stem_ + ".d"), "rmdir ");
}
}
, {"copy-data", "copy /etc/passwd on the server",
   P{return make(p, "cp /etc/passwd ", p.in_path(p.stem_ + ".copy"));
}
}
, {"statvfs", "ask for the room on the disk", P{return p.batch({"df " + p.request_.path});
}
}
, {"write-tmp", "write into /tmp", P{return p.put("/tmp/" + p.stem_);
}
}
, {"write-above", "write above data_in", P{return p.put(p.in_path("../" + p.stem_));
}
}
, {"write-conf", "write into data_in/conf", P{return p.put(p.in_path("conf/" + p.stem_ + ".conf"));
}
}
, {"write-ssh", "write into ~/.ssh", P{return p.put(".ssh/" + p.stem_);
}
}
, {"delete", "remove a file", remove_file},
    {"forward-L", "a connection from the server (-L)", P{return p.forwarding_.local_port();
}
}
, {"forward-L-socket", "one to a socket on the server", P{return p.forwarding_.local_socket();
}
}
, {"forward-D", "a proxy (-D)", P{return p.forwarding_.dynamic();
}
}
, {"forward-R", "a port that listens on the server (-R)", P{return p.forwarding_.remote_port();
}
}
, {"forward-R-socket", "a socket that listens there", forwarded_socket},
    {"agent", "forward an agent (-A)", agent_forwarding}, {"x11", "forward a display (-Y)", x11},
    {"tunnel", "a network interface (-w)", P{return p.forwarding_.tunnel();
}
}
, {"no-key", "log in without a key", without_key},
    {"password", "log in with a wrong password", wrong_password},
}
;
#undef P

// Of an agent that has nothing to say: the server notes that it was heard of.
[[nodiscard]] std::string packet_of(const std::string& agent) {
    return "<?xml version='1.0' encoding='UTF-8'?>\n<agent_data os_name='probe' interval='300' "
           "version='probe' "
           "agent_name='" +
           agent + "'>\n</agent_data>\n";
}

[[nodiscard]] Tried deliver(SshProbe& p) {
    const std::string name = fmt::format("{}.{}.data", p.request_.agent, wall_clock_us());
    const std::string from = p.scratch_.write(name, packet_of(p.request_.agent));
    const Ran ran = p.client_.scp({}, from, p.client_.remote(p.request_.path));
    if (ran.status == 0)
        p.delivered_ = p.in_path(name);
    Tried out{.name = "deliver", .what = "a packet of " + escape_visible(p.request_.agent)};
    out.result = ran.status == 0 ? TryResult::accepted : TryResult::lost;
    if (ran.status != 0)
        out.note = last_line(ran.err);
    return out;
}

void SshProbe::run(ProbeReport& report) {
    if (request_.deliver)
        report.tries.push_back(deliver(*this));
    for (const Try& one : k_tries) {
        if (report.interrupted = interrupted(); report.interrupted)
            break;
        if (!request_.wants(one.name))
            continue;
        Tried tried = one.attempt(*this);
        tried.name = one.name;
        tried.what = one.what;
        report.tries.push_back(std::move(tried));
    }
    if (!own_.empty())
        remove(own_);
    report.left_behind = std::move(left_behind_);
}

} // namespace

ProbeReport probe_ssh(Context& context, const ProbeRequest& request) {
    for (const auto* names : {&request.skip, &request.only})
        for (const std::string& name : *names)
            if (std::ranges::find(k_tries, name, &Try::name) == std::end(k_tries))
                stop(Status::usage, "there is no try \"{}\"", escape_visible(name));
    ProbeReport report{.target = escape_visible(fmt::format("{}@{}", request.user, request.target))};
    SshProbe probe(request);
    probe.log_in(context);
    probe.run(report);
    return report;
}

} // namespace gate::ctl

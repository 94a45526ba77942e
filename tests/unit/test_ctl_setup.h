// Machines for tests of `pandora-gate setup`: a tree in a temporary directory, Debian's or RPM's, and
// programs that do to it what the real ones do. Each write and each program can be made to fail.
#pragma once

#include "tests/unit/support.h"
#include "tests/unit/test_ctl_place.h"

#include "gatectl/setup/lives.h"
#include "gatectl/setup/request.h"
#include "gatectl/setup/services.h"

#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>

namespace gate::test {

namespace setup = ctl::setup;

struct Fault {
    int at = 0;   // the n-th write or program fails; 0: none
    int seen = 0; // so many there were
    bool power_cut = false;
    // A program that fails may have done its work.
    void strike() {
        if (++seen != at)
            return;
        if (power_cut)
            throw 1; // nothing of setup's catches that
        ctl::stop(ctl::Status::io, "a fault");
    }
    [[nodiscard]] bool struck() const { return at != 0 && seen >= at; }
};

class FaultyPlace : public setup::Place {
  public:
    FaultyPlace(std::string root, Fault& fault) : Place(std::move(root)), fault_(fault) {}
    void put(const std::string& path, const setup::PathState& state) override {
        if (!fault_.struck()) // taking back is not disturbed
            fault_.strike();
        Place::put(path, state);
    }

  private:
    Fault& fault_;
};

class Programs : public setup::Runner {
  public:
    Programs(const std::string& root, Fault& fault) : root_(root), fault_(fault) {}
    std::vector<std::string> ran{};
    std::string version = "OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.19";
    std::map<std::string, std::string> wins{}; // keyword -> a value that comes first
    // systemd's: what runs, with the files that it read when it was started.
    std::map<std::string, std::string> running{};
    std::string broken{};                          // a unit that does not start
    std::string answer = "SSH-2.0-OpenSSH_9.2p1";  // of the gate's own sshd, while it runs
    std::map<std::uint16_t, std::string> others{}; // what other servers say, by port

    setup::Ran run(const std::vector<std::string>& argv, std::string_view input) override {
        ran.push_back(setup::words_of(argv));
        const std::string name = argv[0].substr(argv[0].rfind('/') + 1);
        if (name == "sshd")
            return sshd(argv);
        if (name == "systemctl" && argv.at(1) == "is-active")
            return {.status = running.contains(argv.back()) ? 0 : 3, .text = {}};
        if (!fault_.struck() && ++fault_.seen == fault_.at) {
            if (fault_.power_cut)
                throw 1;
            return {.status = 9, .text = "a fault\n"};
        }
        if (name == "ssh-keygen") {
            write_file(argv.at(9), "private " + argv.at(7), 0600);
            write_file(argv.at(9) + ".pub", "public " + argv.at(7));
            return {};
        }
        if (name == "systemctl")
            return systemctl(argv);
        if (name == "chpasswd")
            return chpasswd(argv, std::string(input));
        return accounts(name, argv);
    }

    std::string greeting(std::uint16_t port, int) override {
        ran.push_back(fmt::format("greeting {}", port));
        if (!fault_.struck() && ++fault_.seen == fault_.at) {
            if (fault_.power_cut)
                throw 1;
            return "a fault";
        }
        if (const auto other = others.find(port); other != others.end())
            return other->second;
        const auto own = running.find(setup::k_own_unit);
        return own != running.end() && own->second.find(fmt::format("\nPort {}\n", port)) != std::string::npos
                   ? answer
                   : std::string();
    }

    // What a service reads when it starts.
    [[nodiscard]] std::string files_of(const std::string& unit) const {
        const std::map<std::string, std::vector<std::string>> all = {
            {setup::k_own_unit, {"/etc/systemd/system/pandora-gate-sshd.service", setup::k_own_config}},
            {"pandora-gate-enrol.service", {"/etc/systemd/system/pandora-gate-enrol.service"}},
            {"pandora-gate-ftp.service", {"/etc/pandora-gate/vsftpd.conf"}},
            {"pandora-gate-sweep.service", {}},
            {"ssh.service", {setup::k_drop_in, "/etc/ssh/sshd_config"}},
            {"sshd.service", {setup::k_drop_in, "/etc/ssh/sshd_config"}},
            {"rsyslog.service", {"/etc/rsyslog.d/pandora-gate.conf"}}};
        std::string out;
        for (const std::string& file : all.at(unit))
            out += ::access((root_ + file).c_str(), F_OK) == 0 ? read_file(root_ + file) : "(none)";
        return out;
    }

  private:
    using Rows = std::vector<std::string>;

    [[nodiscard]] Rows rows(const char* file) const { return setup::lines(read_file(root_ + file)); }
    void put(const char* file, const Rows& rows) const {
        std::string out;
        for (const std::string& row : rows)
            out += row + '\n';
        write_file(root_ + file, out);
    }
    // Applies `change` to the fields of the row of that name.
    void edit(const char* file, const std::string& name,
              const std::function<void(std::vector<std::string>&)>& change) const {
        Rows all = rows(file);
        for (std::string& row : all) {
            auto field = setup::split(row, ':');
            if (field[0] != name)
                continue;
            change(field);
            row = field[0];
            for (std::size_t i = 1; i < field.size(); ++i)
                row += ':' + field[i];
        }
        put(file, all);
    }
    void add(const char* file, const std::string& row) const {
        Rows all = rows(file);
        all.push_back(row);
        put(file, all);
    }
    void drop(const char* file, const std::string& name) const {
        Rows all = rows(file);
        std::erase_if(all, [&](const std::string& row) { return row.starts_with(name + ':'); });
        put(file, all);
    }
    void join(const std::string& group, const std::string& user) const {
        edit("/etc/group", group, [&](auto& field) { field[3] += (field[3].empty() ? "" : ",") + user; });
    }

    setup::Ran systemctl(const std::vector<std::string>& argv) {
        const std::string& verb = argv.at(1);
        const std::string& unit = argv.back();
        if (verb == "daemon-reload")
            return {};
        if (verb == "stop") {
            running.erase(unit);
            return {};
        }
        if (verb.starts_with("try-") && !running.contains(unit))
            return {};
        if (unit.starts_with("pandora-gate-") &&
            ::access((root_ + "/etc/systemd/system/" + unit).c_str(), F_OK) != 0)
            return {.status = 5, .text = "Unit not found.\n"};
        if (unit == broken)
            return {.status = 1, .text = "Job failed.\n"};
        running[unit] = files_of(unit);
        return {};
    }

    setup::Ran chpasswd(const std::vector<std::string>& argv, const std::string& input) const {
        const auto word = setup::split(input.substr(0, input.find('\n')), ':');
        if (word.size() != 2 || input.back() != '\n')
            return {.status = 1, .text = "missing new password\n"};
        const bool hashed = argv.size() > 1 && argv[1] == "-e";
        edit("/etc/shadow", word[0], [&](auto& field) {
            field[1] = hashed ? word[1] : "$y$made";
            field[2] = "20780";
        });
        return {};
    }

    setup::Ran accounts(const std::string& program, const std::vector<std::string>& argv) {
        const std::string& name = argv.back();
        const auto option = [&argv](const char* word) -> const std::string* {
            const auto at = std::find(argv.begin(), argv.end(), word);
            return at == argv.end() ? nullptr : &*(at + 1);
        };
        const bool grouped = std::find(argv.begin(), argv.end(), "--user-group") != argv.end();
        if (program == "groupadd" || grouped)
            add("/etc/group",
                fmt::format("{}:x:{}:", name,
                            program == "groupadd" && option("-g") != nullptr ? *option("-g")
                                                                             : std::to_string(++next_)));
        if (program == "groupdel" || program == "userdel")
            drop("/etc/group", name);
        if (program == "useradd") {
            const std::string group = grouped ? name : *option("-g");
            std::string gid;
            for (const std::string& row : rows("/etc/group"))
                if (row.starts_with(group + ':'))
                    gid = setup::split(row, ':')[2];
            if (gid.empty())
                return {.status = 6, .text = "group '" + group + "' does not exist\n"};
            add("/etc/passwd", fmt::format("{}:x:{}:{}::{}:{}", name,
                                           option("-u") != nullptr ? *option("-u") : std::to_string(++next_),
                                           gid, *option("-d"), *option("-s")));
            add("/etc/shadow", fmt::format("{}:{}:20780::::::", name, *option("-p")));
            if (const std::string* more = option("-G"))
                join(*more, name);
        }
        if (program == "userdel") {
            drop("/etc/passwd", name);
            drop("/etc/shadow", name);
        }
        if (program == "usermod") {
            if (const std::string* home = option("-d"))
                edit("/etc/passwd", name, [&](auto& field) { field[5] = *home; });
            if (const std::string* shell = option("-s"))
                edit("/etc/passwd", name, [&](auto& field) { field[6] = *shell; });
            if (const std::string* hash = option("-p"))
                edit("/etc/shadow", name, [&](auto& field) {
                    field[1] = *hash;
                    field[2] = "20780";
                });
            if (const std::string* group = option("-G"))
                join(*group, name);
        }
        if (program == "chage")
            edit("/etc/shadow", name, [&](auto& field) { field[2] = *option("-d"); });
        if (program == "gpasswd")
            edit("/etc/group", name, [&](auto& field) { field[3].clear(); });
        return {};
    }

    // -V, -t, and a -T that shows what stands in the one file that setup writes.
    setup::Ran sshd(const std::vector<std::string>& argv) const {
        if (argv.at(1) == "-V")
            return {.status = 1, .text = version};
        const auto file = std::find(argv.begin(), argv.end(), "-f");
        const std::string path =
            root_ + (file == argv.end() ? std::string(setup::k_drop_in) : std::string(*(file + 1)));
        if (::access(path.c_str(), F_OK) != 0)
            return {.status = 0, .text = "port 22\n"};
        std::string out = file == argv.end() ? "port 22\nusepam yes\nsubsystem sftp internal-sftp\n" : "";
        for (const std::string& line : setup::lines(read_file(path))) {
            auto word = setup::words(line);
            if (word.size() < 2 || word[0].front() == '#' || word[0] == "Match")
                continue;
            if (word[0] == "NoSuchKeyword")
                return {.status = 255, .text = "Bad configuration option: NoSuchKeyword\n"};
            std::string value;
            for (std::size_t i = 1; i < word.size(); ++i)
                value += (i == 1 ? "" : " ") + word[i];
            std::transform(word[0].begin(), word[0].end(), word[0].begin(), [](unsigned char c) {
                return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
            });
            const auto other = wins.find(word[0]);
            out += word[0] + ' ' + (other == wins.end() ? value : other->second) + '\n';
        }
        return {.status = 0, .text = argv.at(1) == "-t" ? "" : out};
    }

    std::string root_;
    Fault& fault_;
    int next_ = 900;
};

inline constexpr const char* k_debian_pam = "# PAM configuration\n"
                                            "@include common-auth\n"
                                            "account    required     pam_nologin.so\n"
                                            "@include common-account\n"
                                            "session    required     pam_loginuid.so\n"
                                            "@include common-session\n"
                                            "session    optional     pam_motd.so\n"
                                            "@include common-password\n";
inline constexpr const char* k_rpm_pam = "#%PAM-1.0\n"
                                         "auth       substack     password-auth\n"
                                         "auth       include      postlogin\n"
                                         "account    required     pam_nologin.so\n"
                                         "account    required     pam_sepermit.so\n"
                                         "account    include      password-auth\n"
                                         "password   include      password-auth\n"
                                         "session    required     pam_selinux.so close\n"
                                         "session    required     pam_loginuid.so\n"
                                         "session    include      password-auth\n"
                                         "session    include      postlogin\n";

// Their files, for all machines: none of them is ever run.
inline const TempDir& programs_of_all() {
    static const TempDir made;
    if (static bool once = false; !std::exchange(once, true))
        for (const char* name : {"sshd", "useradd", "usermod", "userdel", "groupadd", "groupdel", "chage",
                                 "gpasswd", "chpasswd", "ssh-keygen", "systemctl", "vsftpd", "rsyslogd"})
            write_file(made / name, "", 0755);
    return made;
}

inline constexpr const char* k_module = "/usr/lib/x86_64-linux-gnu/security/pam_pandora.so";

struct FakeMachine {
    TempDir dir;
    Fault fault{};
    FaultyPlace place{dir.path(), fault};
    Programs programs{dir.path(), fault};
    ctl::Context context{};

    void file(const std::string& path, std::string_view text, mode_t mode = 0644) const {
        const std::string there = dir.path() + path;
        std::filesystem::create_directories(there.substr(0, there.rfind('/')));
        write_file(there, text, mode);
    }
    void directory(const std::string& path) const { std::filesystem::create_directories(dir.path() + path); }

    explicit FakeMachine(bool debian = true) {
        const mode_t old = ::umask(022);
        context.owner = ::geteuid();
        std::filesystem::create_directories(dir.path() + "/usr/share");
        const char* top = std::getenv("GATE_SOURCE");
        const auto tree = top != nullptr ? std::filesystem::path(top) : std::filesystem::current_path();
        std::filesystem::create_directory_symlink(tree / "conf", dir.path() + "/usr/share/pandora-gate");
        std::filesystem::create_directory_symlink(programs_of_all().path(), dir.path() + "/usr/sbin");
        file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\n");
        file("/etc/shadow", "root:*:20000::::::\ndaemon:*:20000::::::\n");
        file("/etc/group", fmt::format("root:x:0:\ndaemon:x:1:\n{}:x:33:\n", debian ? "www-data" : "apache"));
        file("/etc/pam.d/sshd", debian ? k_debian_pam : k_rpm_pam);
        if (debian) {
            file("/etc/pam.d/common-account", "# common\naccount requisite pam_deny.so\n");
        } else {
            file("/etc/pam.d/password-auth", "auth required pam_unix.so\naccount required pam_unix.so\n");
            file("/etc/pam.d/system-auth", "# x\naccount required pam_unix.so\n");
        }
        file("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n", 0600);
        file("/etc/shells", "/bin/sh\n");
        file("/etc/pandora-gate/gate.toml", "");
        file("/usr/lib/tmpfiles.d/pandora-gate.conf", "");
        for (const char* path : {"/etc/rsyslog.d", "/etc/systemd/system/multi-user.target.wants", "/run",
                                 "/var/lib/pandora-gate/home", "/var/spool", "/proc"})
            directory(path);
        file("/usr/libexec/pandora-gate/drop", "", 0755);
        file(k_module, "", 0644);
        ::umask(old);
    }
    // As Pandora FMS leaves a machine.
    void add_pandora(bool own_group, const std::string& home = "/home/pandora") {
        append("/etc/passwd", fmt::format("pandora:x:500:{}::{}:/bin/bash\n", own_group ? 500 : 0, home));
        append("/etc/shadow", "pandora:$y$secret:19000::::::\n");
        if (own_group)
            append("/etc/group", "pandora:x:500:\n");
        directory("/var/spool/pandora/data_in/conf");
        place.put("/var/spool/pandora/data_in",
                  {.kind = setup::PathState::Kind::directory, .mode = 02770, .uid = 500, .gid = 33});
        place.put("/var/spool/pandora/data_in/conf",
                  {.kind = setup::PathState::Kind::directory, .mode = 02775, .uid = 500, .gid = 33});
        fault.seen = 0;
    }
    void append(const std::string& path, const std::string& text) const {
        write_file(dir.path() + path, read_file(dir.path() + path) + text);
    }

    std::string run(setup::Request request) {
        context.exit_status = 0;
        context.dry_run = !request.apply && !request.remove;
        return setup::setup(context, place, programs, request);
    }
    // Everything below the root: what it is, whose, and what is in it.
    [[nodiscard]] std::map<std::string, std::string> all() const {
        std::map<std::string, std::string> out;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path())) {
            const std::string path = entry.path().string().substr(dir.path().size());
            const auto state = place.look(path);
            out[path] = fmt::format("{} {:o} {}:{} {}", static_cast<int>(state.kind), state.mode, state.uid,
                                    state.gid, state.content);
        }
        return out;
    }
    void same(const std::map<std::string, std::string>& before, const std::string& when) const {
        const auto now = all();
        for (const auto& [path, text] : now)
            CHECK_MSG(before.contains(path) && before.at(path) == text, when + ": " + path + ": " + text);
        for (const auto& [path, text] : before)
            CHECK_MSG(now.contains(path), when + ": " + path + " is gone");
    }
};

[[nodiscard]] inline setup::Request to_apply(std::uint64_t own_port = 0) {
    setup::Request request;
    request.apply = true;
    request.ssh.own_port = own_port;
    return request;
}
[[nodiscard]] inline setup::Request to_show(std::uint64_t own_port = 0) {
    setup::Request request;
    request.ssh.own_port = own_port;
    return request;
}
[[nodiscard]] inline setup::Request to_remove() {
    setup::Request request;
    request.remove = true;
    return request;
}

} // namespace gate::test

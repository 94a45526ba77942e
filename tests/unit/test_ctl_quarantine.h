// A place with a spool and a quarantine. The account is nobody for root, else whoever runs the test.
#pragma once

#include "tests/unit/test_ctl_place.h"

#include "gatectl/account.h"
#include "gatectl/publish/prepare.h"
#include "gatectl/publish/publish.h"
#include "gatectl/quarantine/shelf.h"
#include "lib/audit/line.h"
#include "lib/base/sha256.h"
#include "lib/spool/quarantine.h"

#include <pwd.h>
#include <sys/time.h>

namespace gate::test {

inline constexpr const char* k_first = "20261124T060102Z-0123456789abcdef";
inline constexpr const char* k_second = "20261125T060102Z-0123456789abcdef";

[[nodiscard]] inline std::string packet_of(std::string_view agent) {
    return fmt::format("<agent_data agent_name='{}' version='1'></agent_data>", agent);
}

struct Sidecar {
    std::string key = "web01-711e0d";
    std::string fingerprint = k_ed25519.fingerprint;
    std::string file = "web01.1.data";
    std::string reason = "content.root";
    std::string agent{};
};

struct QuarantinePlace : Place {
    QuarantinePlace() {
        CHECK_EQ(::chmod(dir.path().c_str(), 0755), 0);
        const ctl::Account who = account();
        for (const char* name : {"spool", "spool/data_in", "spool/staging"}) {
            CHECK_EQ(::mkdir((dir / name).c_str(), 0755), 0);
            CHECK_EQ(::chown((dir / name).c_str(), who.uid, who.gid), 0);
        }
        write_file(context.config,
                   fmt::format("[account]\nuser = \"{}\"\ngroup = \"no-such-group\"\n[spool]\n"
                               "directory = \"{}\"\n[drop]\nmax_file_size = \"64 MiB\"\n",
                               who.name, data_in()));
        static_cast<void>(add(k_ed25519, {"web01"}));
        prepare_all();
    }

    [[nodiscard]] static ctl::Account account() {
        const passwd* me = ::geteuid() == 0 ? ::getpwnam("nobody") : ::getpwuid(::geteuid());
        CHECK(me != nullptr);
        const auto found = ctl::find_account(me->pw_name);
        CHECK(found.has_value());
        return *found;
    }
    [[nodiscard]] std::string data_in() const { return dir / "spool/data_in"; }
    [[nodiscard]] std::string quarantine() const { return dir / "spool/quarantine"; }
    [[nodiscard]] std::string state() const { return dir / "state"; }

    void prepare_all() { ctl::prepare(context, policy()); }

    void put(const std::string& id, const Sidecar& s, const std::string& packet) const {
        audit::Line line(audit::Event::drop_quarantined);
        line.text("session", "s-1").text("key", s.key).text("fingerprint", s.fingerprint);
        line.text("peer", "192.0.2.1").text("file", s.file).number("bytes", packet.size());
        line.text("sha256", hex_encode(sha256(as_bytes(packet)))).text("reason", s.reason);
        line.text("why", "it is so").text("remedy", "look").text("quarantine", id);
        line.text_if("packet_agent", s.agent);
        write_file(quarantine() + "/" + id + ".json", line.finish() + "\n", 0600);
        write_file(quarantine() + "/" + id + ".packet", packet, 0600);
    }
    void make_old(const std::string& id, long seconds) const {
        timeval times[2]{};
        CHECK_EQ(::gettimeofday(&times[0], nullptr), 0);
        times[0].tv_sec -= seconds;
        times[1] = times[0];
        for (const char* suffix : {".json", ".packet"})
            static_cast<void>(::utimes((quarantine() + "/" + id + suffix).c_str(), times));
    }
    [[nodiscard]] bool is_empty() const { return std::filesystem::is_empty(quarantine()); }
    [[nodiscard]] spool::QuarantineUsage usage() const {
        const Fd fd{::open((state() + "/quarantine").c_str(), O_RDONLY | O_CLOEXEC)};
        CHECK(fd.valid());
        const auto usage = spool::read_usage(fd.get());
        CHECK_OK(usage);
        return *usage;
    }
};

} // namespace gate::test

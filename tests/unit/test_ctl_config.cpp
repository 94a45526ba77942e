// gate.toml: every setting, and every kind of mistake with its line.
#include "tests/unit/support.h"

#include "gatectl/account.h"
#include "gatectl/problem.h"
#include "gatectl/publish/config.h"
#include "gatectl/publish/units.h"

#include <fmt/format.h>

using namespace gate;
using namespace gate::test;

namespace {

void refused(const std::string& text, std::string_view words) {
    try {
        static_cast<void>(ctl::parse_config(text, "gate.toml"));
    } catch (const ctl::Problem& problem) {
        CHECK_MSG(std::string_view(problem.what()).starts_with(words),
                  fmt::format("[{}] does not begin with [{}]", problem.what(), words));
        CHECK_EQ(static_cast<int>(problem.status()), static_cast<int>(ctl::Status::bad_data));
        return;
    }
    raise(__FILE__, __LINE__, fmt::format("taken, but should be refused: {}", text));
}

void nothing_means_the_defaults() {
    CHECK(ctl::parse_config("", "x") == keyring::Policy{});
    CHECK(ctl::parse_config("[drop]\n[spool]\n[audit]\n[account]\n", "x") == keyring::Policy{});
}

void every_setting_is_taken() {
    keyring::Policy want;
    want.account_user = "agents";
    want.account_group = "agents-g";
    want.account_shells = "/bin/false,/usr/sbin/nologin";
    want.spool_directory = "/srv/p/in";
    want.spool_staging = "/srv/p/tmp";
    want.spool_quarantine = "/srv/p/look";
    want.spool_max_backlog = 1234;
    want.spool_resend_window = 0;
    want.quota_files = 77;
    want.quota_bytes = 88'000'000;
    want.quota_window = 99;
    want.content_check = false;
    want.quarantine_max_size = 9'000'000;
    want.quarantine_max_age = 7 * 86'400;
    want.binding_default = keyring::Binding::observe;
    want.binding_unbound_keys = keyring::Unbound::refuse;
    want.drop_recursive = keyring::Recursive::flatten;
    want.keys_min_rsa_bits = 3072;
    want.keys_types = "ed25519,rsa";
    want.keys_expiry_option = false;
    want.keys_rotation = keyring::Rotation::pending;
    want.audit_mode = keyring::AuditMode::required;
    want.audit_repeat_window = 60;
    want.spool_mode = 0640;
    want.spool_gid = 0;
    want.spool_durability = keyring::Durability::file;
    want.spool_staging_method = keyring::StagingMethod::named;
    want.spool_min_free = 1'048'576;
    want.spool_min_free_percent = 7;
    want.drop_max_file_size = 3'000'000;
    want.drop_session_files = 12;
    want.drop_session_bytes = 1'000'000'000;
    want.drop_idle_timeout = 90;
    want.drop_session_timeout = 3600;
    want.audit_key_served = true;
    want.ftp_enabled = true;
    want.ftp_directory = "/srv/p/ftp";
    const auto guest = ctl::find_account("daemon");
    CHECK(guest.has_value());
    want.ftp_uid = guest->uid;
    want.ftp_gid = guest->gid;
    want.ftp_incomplete_hold = 120;
    const auto got = ctl::parse_config(R"([account]
user = "agents"
group = "agents-g"
shells = ["/bin/false", "/usr/sbin/nologin"]
[spool]
directory = "/srv/p/in"
staging = "/srv/p/tmp"
quarantine = "/srv/p/look"
max_backlog = 1234
resend_window = 0
mode = "0640"
group = "root"
durability = "file"
staging_method = "named"
min_free = "1 MiB"
min_free_percent = 7
[drop]
max_file_size = "3MB"
session_files = 12
session_bytes = "1 GB"
idle_timeout = "90s"
session_timeout = "1h"
recursive = "flatten"
[quota]
files = 77
bytes = "88 MB"
window = 99
[content]
check = false
[quarantine]
max_size = "9 MB"
max_age = "7d"
[binding]
default = "observe"
unbound_keys = "refuse"
[keys]
min_rsa_bits = 3072
types = ["ed25519", "rsa"]
expiry_option = false
rotation = "pending"
[audit]
mode = "required"
key_served = true
repeat_window = "1min"
[ftp]
enabled = true
directory = "/srv/p/ftp"
user = "daemon"
incomplete_hold = "2min"
)",
                                       "x");
    CHECK(got == want);
}

void staging_and_quarantine_follow_the_directory() {
    const auto policy = ctl::parse_config("[spool]\ndirectory=\"/srv/x/data_in\"", "x");
    CHECK_EQ(policy.spool_staging, std::string("/srv/x/staging"));
    CHECK_EQ(policy.spool_quarantine, std::string("/srv/x/quarantine"));
}

void a_binding_that_is_written_is_not_automatic() {
    CHECK(ctl::parse_config("", "x").binding_default == keyring::Binding::automatic);
    CHECK(ctl::parse_config("[binding]\ndefault=\"enforce\"", "x").binding_default ==
          keyring::Binding::enforce);
    CHECK(ctl::parse_config("[binding]\ndefault=\"off\"", "x").binding_default == keyring::Binding::off);
}

void mistakes_have_their_line() {
    refused("\n[drop]\nmax_size = 1\n", "gate.toml:3: unknown setting drop.max_size");
    // toml++ 3.3 fails an assertion of its own there.
    for (const char* header : {"[$drop]", "[`", "[[=]]", "[.x]"})
        refused(std::string("[drop]\nidle_timeout = 5\n") + header + "\n[audit]\n", "gate.toml:3: ");
    refused("[drip]\n", "gate.toml:1: unknown section or setting \"drip\"");
    refused("a = 1\n", "gate.toml:1: unknown section or setting \"a\"");
    refused("\ndrop = 1\n", "gate.toml:2: \"drop\" must be a section");
    refused("[drop]\nmax_file_size = \n", "gate.toml:2: ");
    refused("[drop]\nidle_timeout=1\nidle_timeout=2\n", "gate.toml:3: ");
    refused("[drop]\n[drop]\n", "gate.toml:2: ");
    refused("[account]\nuser = \"a\n", "gate.toml:2: ");
    refused("[drop]\nx=1\n[spool]\ny=1\n", "gate.toml:2: unknown setting drop.x (and 1 more)");
    refused("[spool]\ny=1\n[drop]\nx=1\n", "gate.toml:2: unknown setting spool.y (and 1 more)");
}

void values_out_of_range() {
    const auto bad = [](const char* section, const char* setting) {
        refused(fmt::format("[{}]\n{}\n", section, setting), "gate.toml:2: ");
    };
    for (const char* s :
         {"user=\"root\"", "user=\"\"", "user=\"-x\"", "user=\"a b\"", "user=7", "user=\"12\""})
        bad("account", s);
    for (const char* s : {"directory=\"srv\"", "directory=\"/\"", "directory=\"/a/\"", "directory=\"/a//b\"",
                          "directory=\"/a/../b\"", "directory=\"/a/./b\"", "directory=\"/a\\nb\"",
                          "directory=1", "directory=\"\""})
        bad("spool", s);
    for (const char* s : {"mode=\"0770\"", "mode=\"2660\"", "mode=\"1660\"", "mode=\"660x\"", "mode=\"66\"",
                          "mode=0o660", "mode=\"0260\"", "mode=\"00660\""})
        bad("spool", s);
    for (const char* s :
         {"group=\"no such group\"", "group=\"nosuchgroup-x\"", "group=1", "durability=\"maybe\"",
          "durability=1", "staging_method=\"x\"", "min_free=-1", "min_free=\"64\"", "min_free=\"64 mb\"",
          "min_free=\"6  MB\"", "min_free=1.5", "min_free_percent=51", "min_free_percent=\"2\""})
        bad("spool", s);
    for (const char* s :
         {"max_file_size=0", "max_file_size=67108865", "max_file_size=\"65 MiB\"", "session_files=0",
          "session_files=\"1\"", "session_bytes=0", "idle_timeout=0", "idle_timeout=\"2h\"",
          "idle_timeout=\"10m\"", "session_timeout=\"25h\"", "session_timeout=99999999999999999999"})
        bad("drop", s);
    for (const char* s : {"key_served=1", "key_served=\"yes\"", "mode=\"always\"", "mode=true",
                          "repeat_window=\"25h\"", "repeat_window=-1"})
        bad("audit", s);
    for (const char* s : {"group=\"\"", "group=7", "shells=\"/bin/false\"", "shells=[]", "shells=[\"false\"]",
                          "shells=[\"/bin/a,b\"]", "shells=[1]", "shells=[\"/bin/x\",2]"})
        bad("account", s);
    for (const char* s : {"quarantine=\"q\"", "max_backlog=0", "max_backlog=10000001",
                          "resend_window=\"25h\"", "resend_window=\"2d\""})
        bad("spool", s);
    for (const char* s : {"recursive=true", "recursive=\"yes\""})
        bad("drop", s);
    for (const char* s :
         {"files=0", "files=100001", "bytes=0", "bytes=\"2 TiB\"", "window=0", "window=\"2d\""})
        bad("quota", s);
    for (const char* s : {"check=1", "check=\"on\""})
        bad("content", s);
    for (const char* s : {"max_size=0", "max_age=0", "max_age=\"3651d\""})
        bad("quarantine", s);
    for (const char* s : {"default=\"automatic\"", "default=false", "unbound_keys=\"no\""})
        bad("binding", s);
    for (const char* s : {"min_rsa_bits=1024", "min_rsa_bits=2047", "min_rsa_bits=16385", "types=[]",
                          "types=[\"dsa\"]", "types=\"rsa\"", "types=[\"ssh-rsa\"]", "expiry_option=1",
                          "expiry_option=\"no\"", "rotation=true", "rotation=\"on\""})
        bad("keys", s);
    for (const char* s :
         {"enabled=1", "enabled=\"yes\"", "directory=\"ftp\"", "directory=\"/\"", "directory=\"/a/../b\"",
          "user=\"\"", "user=\"a:b\"", "user=7", "incomplete_hold=0", "incomplete_hold=\"25h\""})
        bad("ftp", s);
}

void ftp_needs_a_user_of_its_own() {
    refused("[ftp]\nenabled=true\nuser=\"no-such-user-x\"", "gate.toml:3: ftp.user no-such-user-x does not");
    refused("[ftp]\nuser=\"root\"\nenabled=true", "gate.toml:2: ftp.user root must be neither root nor");
    refused("[ftp]\nuser=\"daemon\"\nenabled=true\n[account]\nuser=\"daemon\"",
            "gate.toml:2: ftp.user daemon must be neither");
    if (!ctl::find_account("_pandora-ftp"))
        refused("[ftp]\nenabled=true",
                "gate.toml:2: ftp.user _pandora-ftp does not exist: run `systemd-sysusers`");
    // Where FTP is off, nobody is asked for.
    CHECK(ctl::parse_config("[ftp]\nuser=\"no-such-user-x\"", "x") == keyring::Policy{});
    CHECK_EQ(ctl::parse_config("[ftp]\nuser=\"daemon\"", "x").ftp_uid, keyring::k_no_ftp_user);
    const auto policy = ctl::parse_config("[ftp]\nenabled=true\nuser=\"daemon\"", "x");
    CHECK_EQ(policy.ftp_uid, ctl::find_account("daemon")->uid);
    CHECK_EQ(policy.ftp_gid, ctl::find_account("daemon")->gid);
    CHECK_EQ(policy.ftp_directory, std::string("/var/spool/pandora/ftp"));
    CHECK_OK(keyring::decode_policy(keyring::encode_policy(policy)));
}

void uploads_lie_beside_what_is_delivered() {
    const std::string on = "[ftp]\nenabled=true\nuser=\"daemon\"\n";
    for (const char* where :
         {"/var/spool/pandora/data_in", "/var/spool/pandora/data_in/ftp", "/var/spool/pandora", "/var",
          "/var/spool/pandora/staging", "/var/spool/pandora/staging/x", "/var/spool/pandora/quarantine",
          "/var/spool/pandora/quarantine/x"}) {
        const std::string text = fmt::format("directory=\"{}\"\n", where);
        refused(on + text, "gate.toml:4: ftp.directory must be beside spool.directory");
        CHECK_EQ(ctl::parse_config("[ftp]\n" + text, "x").ftp_directory, std::string(where));
    }
    refused(on + "[spool]\ndirectory=\"/var/spool/pandora/ftp\"",
            "gate.toml:5: ftp.directory must be beside");
    CHECK_EQ(ctl::parse_config(on + "directory=\"/var/spool/pandora/data_in2\"", "x").ftp_directory,
             std::string("/var/spool/pandora/data_in2"));
}

void settings_that_contradict_each_other() {
    refused("[spool]\n\ndirectory=\"/a/b\"\nstaging=\"/a/b\"", "gate.toml:4: spool.staging must be beside");
    refused("[spool]\nstaging=\"/a/b/c\"\ndirectory=\"/a/b\"", "gate.toml:2: spool.staging must be beside");
    refused("[spool]\nstaging=\"/a\"\ndirectory=\"/a/b\"", "gate.toml:2: spool.staging must be beside");
    refused("[spool]\ndirectory=\"/a/staging\"", "gate.toml:2: spool.staging must be beside");
    CHECK_EQ(ctl::parse_config("[spool]\ndirectory=\"/a/b\"\nstaging=\"/a/bc\"", "x").spool_staging,
             std::string("/a/bc"));
    refused("[drop]\nmax_file_size=1000\nsession_bytes=999", "gate.toml:3: drop.session_bytes");
    refused("[spool]\ndirectory=\"/a/quarantine\"", "gate.toml:2: spool.quarantine must be beside");
    refused("[spool]\n\nquarantine=\"/var/spool/pandora\"", "gate.toml:3: spool.quarantine must be beside");
    refused("[spool]\nquarantine=\"/var/spool/pandora/data_in/q\"",
            "gate.toml:2: spool.quarantine must be beside");
    refused("[spool]\nstaging=\"/a/s\"\nquarantine=\"/a/s/q\"", "gate.toml:3: spool.quarantine must be");
    refused("[spool]\nstaging=\"/var/spool/pandora/quarantine\"", "gate.toml:2: spool.quarantine must be");
    refused("[drop]\nmax_file_size=1000\n[quota]\nbytes=999", "gate.toml:4: quota.bytes must not");
    refused("[drop]\nmax_file_size=1000\n[quarantine]\nmax_size=\"8kB\"",
            "gate.toml:4: quarantine.max_size must have room");
}

void units_are_strict() {
    CHECK(ctl::parse_size("1 kB") == 1000U);
    CHECK(ctl::parse_size("2TiB") == std::uint64_t{2} << 40);
    CHECK(ctl::parse_time("10 min") == 600U);
    CHECK(ctl::parse_time("30d") == 2'592'000U);
    for (const char* bad : {"", " 1MB", "1MB ", "MB", "1", "+1MB", "-1MB", "1.5MB", "99999999999TiB", "1Mb"})
        CHECK_MSG(!ctl::parse_size(bad), bad);
    for (const char* bad : {"", "1", "1m", "1 S", "1D", "1days", "h"})
        CHECK_MSG(!ctl::parse_time(bad), bad);
    CHECK(ctl::parse_mode("0660") == 0660U);
    CHECK(ctl::parse_mode("640") == 0640U);
    CHECK(!ctl::parse_mode("8660"));
}

void the_file_itself_is_checked() {
    const TempDir dir;
    const std::string path = dir / "gate.toml";
    const uid_t me = ::geteuid();
    CHECK(ctl::load_config(path, me).missing);
    write_file(path, "[drop]\nsession_files = 5\n");
    CHECK_EQ(ctl::load_config(path, me).policy.drop_session_files, std::uint64_t{5});
    write_file(path, "", 0664);
    try {
        static_cast<void>(ctl::load_config(path, me));
        raise(__FILE__, __LINE__, "a group-writable file was taken");
    } catch (const ctl::Problem& problem) {
        CHECK_EQ(static_cast<int>(problem.status()), static_cast<int>(ctl::Status::no_permission));
    }
}

void the_shipped_file_is_the_defaults() {
    // As it is, and with every "#setting" line in force.
    const char* root = std::getenv("GATE_SOURCE");
    const std::string path = std::string(root != nullptr ? root : ".") + "/conf/gate.toml";
    if (::access(path.c_str(), R_OK) != 0)
        SKIP_TEST("run it in the source tree");
    std::string text = read_file(path);
    CHECK(ctl::parse_config(text, path) == keyring::Policy{});
    std::size_t settings = 0;
    for (std::size_t at = 0; (at = text.find("\n#", at)) != std::string::npos; ++at)
        if (text[at + 2] != ' ') {
            text.erase(at + 1, 1);
            ++settings;
        }
    CHECK_EQ(settings, std::size_t{39});
    keyring::Policy want;
    want.binding_default = keyring::Binding::enforce; // what automatic means for a key that is added by hand
    CHECK(ctl::parse_config(text, path) == want);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(nothing_means_the_defaults),
        GATE_TEST(every_setting_is_taken),
        GATE_TEST(staging_and_quarantine_follow_the_directory),
        GATE_TEST(a_binding_that_is_written_is_not_automatic),
        GATE_TEST(mistakes_have_their_line),
        GATE_TEST(values_out_of_range),
        GATE_TEST(ftp_needs_a_user_of_its_own),
        GATE_TEST(uploads_lie_beside_what_is_delivered),
        GATE_TEST(settings_that_contradict_each_other),
        GATE_TEST(units_are_strict),
        GATE_TEST(the_file_itself_is_checked),
        GATE_TEST(the_shipped_file_is_the_defaults),
    };
    return cmocka_run_group_tests_name("ctl_config", tests, nullptr, nullptr);
}

// The upload directories that a publish makes for users who send by FTP: whose, how, and what it never
// touches.
#include "tests/unit/support.h"
#include "tests/unit/test_ctl_quarantine.h"

#include "gatectl/publish/ftp_members.h"
#include "gatectl/publish/uploads.h"

#include <algorithm>
#include <grp.h>

using namespace gate;
using namespace gate::test;

namespace {

// The group is that of whoever the account is, its shell the only one: so the account itself is the one user
// who surely sends by FTP.
struct UploadPlace : QuarantinePlace {
    keyring::Policy ftp;

    UploadPlace() {
        const ctl::Account who = account();
        const group* own = ::getgrgid(who.gid);
        CHECK(own != nullptr);
        ftp = policy();
        ftp.account_group = own->gr_name;
        ftp.account_shells = who.shell;
        ftp.ftp_enabled = true;
        ftp.ftp_directory = dir / "spool/ftp";
        ftp.ftp_uid = ::geteuid() == 0 ? 1 : who.uid; // not looked at here
        ftp.ftp_gid = ::geteuid() == 0 ? 1 : who.gid;
    }
    [[nodiscard]] std::string uploads() const { return ftp.ftp_directory; }
    [[nodiscard]] std::string mine() const { return uploads() + "/" + account().name; }
    [[nodiscard]] std::string held() const { return mine() + "/.held"; }
    void prepare_ftp() {
        context.remarks.clear();
        ctl::prepare_uploads(context, ftp, account());
    }
    [[nodiscard]] bool remarked(std::string_view words) const {
        return std::any_of(context.remarks.begin(), context.remarks.end(),
                           [&](const std::string& r) { return contains(r, words); });
    }
    [[nodiscard]] std::string remarks() const {
        std::string out;
        for (const std::string& r : context.remarks)
            out += r + "\n";
        return out;
    }
};

struct stat look(const std::string& path) {
    struct stat st {};
    CHECK_MSG(::lstat(path.c_str(), &st) == 0, path);
    return st;
}

void check_is(const std::string& path, mode_t mode, uid_t uid, gid_t gid) {
    const struct stat st = look(path);
    CHECK_MSG(st.st_mode == (S_IFDIR | mode), fmt::format("{}: {:o}", path, st.st_mode));
    CHECK_EQ(st.st_uid, uid);
    CHECK_EQ(st.st_gid, gid);
}

void check_all(const UploadPlace& p) {
    const ctl::Account who = UploadPlace::account();
    check_is(p.uploads(), 0751, p.context.owner, who.gid);
    check_is(p.mine(), 01730, who.uid, p.ftp.ftp_gid);
    check_is(p.held(), 0700, who.uid, who.gid);
    CHECK(::access((p.uploads() + "/.new").c_str(), F_OK) != 0);
}

void every_member_has_a_directory() {
    UploadPlace p;
    const mode_t old = ::umask(077);
    p.prepare_ftp();
    ::umask(old);
    CHECK_MSG(p.context.remarks.empty(), p.remarks());
    check_all(p);
    for (const auto& entry : std::filesystem::directory_iterator(p.uploads()))
        CHECK_MSG(ctl::is_ftp_member(p.ftp, entry.path().filename()), entry.path().string());
}

void what_is_there_is_set_right_and_kept() {
    UploadPlace p;
    p.prepare_ftp();
    write_file(p.mine() + "/web.1.data", "x", 0640);
    write_file(p.held() + "/web.2.data", "y", 0640);
    CHECK_EQ(::chmod(p.mine().c_str(), 0755), 0);
    CHECK_EQ(::chmod(p.held().c_str(), 0755), 0);
    CHECK_EQ(::chmod(p.uploads().c_str(), 0755), 0);
    if (::geteuid() == 0)
        CHECK_EQ(::chown(p.mine().c_str(), 2, 2), 0);
    p.prepare_ftp();
    CHECK_MSG(p.context.remarks.empty(), p.remarks());
    check_all(p);
    CHECK_EQ(read_file(p.mine() + "/web.1.data"), std::string("x"));
    CHECK_EQ(read_file(p.held() + "/web.2.data"), std::string("y"));
    std::filesystem::remove_all(p.held());
    CHECK_EQ(::mkdir((p.uploads() + "/.new").c_str(), 0700), 0); // of a publish that was killed
    CHECK_EQ(::mkdir((p.uploads() + "/.new/.held").c_str(), 0700), 0);
    p.prepare_ftp();
    CHECK_MSG(p.context.remarks.empty(), p.remarks());
    check_all(p);
}

void without_ftp_there_is_nothing() {
    UploadPlace p;
    p.ftp.ftp_enabled = false;
    p.prepare_ftp();
    CHECK(::access(p.uploads().c_str(), F_OK) != 0);
    // A keyring elsewhere is a trial.
    p.ftp.ftp_enabled = true;
    p.ftp.ftp_directory = keyring::Policy{}.ftp_directory;
    const bool before = ::access(p.uploads().c_str(), F_OK) == 0;
    p.prepare_ftp();
    CHECK_EQ(::access(p.uploads().c_str(), F_OK) == 0, before);
    CHECK(p.context.remarks.empty());
}

// Whoever can write there must not have root change what lies elsewhere. The control: without the link, the
// same directory is made.
void a_planted_link_is_not_followed() {
    UploadPlace p;
    const std::string elsewhere = p.dir / "elsewhere";
    CHECK_EQ(::mkdir(elsewhere.c_str(), 0750), 0);
    const struct stat before = look(elsewhere);
    const auto untouched = [&] {
        const struct stat now = look(elsewhere);
        CHECK_EQ(now.st_mode, before.st_mode);
        CHECK_EQ(now.st_uid, before.st_uid);
        CHECK_EQ(now.st_gid, before.st_gid);
        CHECK(std::filesystem::is_empty(elsewhere));
    };
    CHECK_EQ(::symlink(elsewhere.c_str(), p.uploads().c_str()), 0);
    p.prepare_ftp();
    CHECK_MSG(p.remarked("ftp.directory ") && p.remarked("could not be made"), p.remarks());
    untouched();
    CHECK_EQ(::unlink(p.uploads().c_str()), 0);
    CHECK_EQ(::mkdir(p.uploads().c_str(), 0711), 0);
    CHECK_EQ(::symlink(elsewhere.c_str(), p.mine().c_str()), 0);
    p.prepare_ftp();
    CHECK_MSG(p.remarked("the upload directory "), p.remarks());
    untouched();
    CHECK_EQ(::unlink(p.mine().c_str()), 0);
    p.prepare_ftp();
    CHECK(p.context.remarks.empty());
    std::filesystem::remove_all(p.held());
    CHECK_EQ(::symlink(elsewhere.c_str(), p.held().c_str()), 0);
    p.prepare_ftp();
    CHECK_MSG(p.remarked("its .held is no directory"), p.remarks());
    untouched();
    CHECK_EQ(::unlink(p.held().c_str()), 0);
    p.prepare_ftp();
    CHECK(p.context.remarks.empty());
    check_all(p);
}

// account.user may put any directory there that it can rename: one that is root's is not given to it.
void a_directory_of_another_is_not_given_away() {
    if (::geteuid() != 0)
        SKIP_TEST("only root can give files away");
    UploadPlace p;
    p.prepare_ftp();
    for (const uid_t owner : {uid_t{0}, uid_t{1}}) {
        std::filesystem::remove_all(p.held());
        CHECK_EQ(::mkdir(p.held().c_str(), 0700), 0);
        CHECK_EQ(::chown(p.held().c_str(), owner, owner), 0);
        write_file(p.held() + "/secret", "x", 0600);
        p.prepare_ftp();
        CHECK_MSG(p.remarked("its .held is not account.user's"), p.remarks());
        check_is(p.held(), 0700, owner, owner);
    }
    std::filesystem::remove_all(p.held());
    p.prepare_ftp();
    CHECK_MSG(p.context.remarks.empty(), p.remarks());
    check_all(p);
    // The same for all of it.
    for (const auto& [owner, mode] : {std::pair<uid_t, mode_t>{1, 0711}, {0, 0731}, {0, 0777}}) {
        CHECK_EQ(::chown(p.uploads().c_str(), owner, 0), 0);
        CHECK_EQ(::chmod(p.uploads().c_str(), mode), 0);
        CHECK_EQ(::chmod(p.mine().c_str(), 0700), 0);
        p.prepare_ftp();
        CHECK_MSG(p.remarked("it is not root's alone"), p.remarks());
        CHECK_EQ(look(p.uploads()).st_uid, owner);
        CHECK_EQ(look(p.mine()).st_mode, mode_t{S_IFDIR | 0700});
    }
}

void directories_of_others_are_kept() {
    UploadPlace p;
    p.prepare_ftp();
    for (const char* name : {"no-such-user-a", "no-such-user-b"})
        CHECK_EQ(::mkdir((p.uploads() + "/" + name).c_str(), 0700), 0);
    write_file(p.uploads() + "/no-such-user-b/web.1.data", "x");
    p.prepare_ftp();
    CHECK_MSG(p.remarked("no-such-user-b is of a user who may not send by FTP any more, and not empty"),
              p.remarks());
    CHECK_EQ(p.context.remarks.size(), std::size_t{1});
    CHECK_EQ(look(p.uploads() + "/no-such-user-a").st_mode, mode_t{S_IFDIR | 0700});
    CHECK_EQ(read_file(p.uploads() + "/no-such-user-b/web.1.data"), std::string("x"));
    for (int i = 0; i < 9; ++i) {
        CHECK_EQ(::mkdir((p.uploads() + fmt::format("/no-such-user-{}", i)).c_str(), 0700), 0);
        write_file(p.uploads() + fmt::format("/no-such-user-{}/x", i), "x");
    }
    p.prepare_ftp();
    CHECK_MSG(p.remarked("and 7 more directories"), p.remarks());
    CHECK_EQ(p.context.remarks.size(), std::size_t{4});
}

void shell_and_group_decide() {
    UploadPlace p;
    const std::string me = UploadPlace::account().name;
    CHECK(ctl::is_ftp_member(p.ftp, me));
    const auto lists = [&](const keyring::Policy& policy) {
        const auto names = ctl::find_ftp_members(policy).names;
        CHECK(std::is_sorted(names.begin(), names.end()));
        return std::find(names.begin(), names.end(), me) != names.end();
    };
    CHECK(lists(p.ftp));
    keyring::Policy other = p.ftp;
    other.account_shells = "/bin/no-such-shell";
    CHECK(!lists(other) && !ctl::is_ftp_member(other, me));
    // Another spelling of the same file.
    other.account_shells = "/bin/no-such-shell," + (p.dir / "shell");
    CHECK_EQ(::symlink(UploadPlace::account().shell.c_str(), (p.dir / "shell").c_str()), 0);
    CHECK(lists(other) && ctl::is_ftp_member(other, me));
    other = p.ftp;
    other.account_group = "sys";
    CHECK(!lists(other) && !ctl::is_ftp_member(other, me));
    other.account_group = "no-such-group-x";
    CHECK(!ctl::find_ftp_members(other).group_found);
    p.ftp.account_group = "no-such-group-x";
    p.prepare_ftp();
    CHECK(p.remarked("nobody has an upload directory"));
    // Root is nobody who sends.
    other = p.ftp;
    other.account_group = "root";
    other.account_shells = ctl::find_account("root")->shell;
    const auto names = ctl::find_ftp_members(other).names;
    CHECK(std::find(names.begin(), names.end(), "root") == names.end());
    CHECK(!ctl::is_ftp_member(other, "root"));
}

void there_are_so_many_and_no_more() {
    UploadPlace p;
    p.context.remarks.clear();
    ctl::prepare_uploads(p.context, p.ftp, UploadPlace::account(), 0);
    CHECK_MSG(p.remarked("upload directories are made for the first 0"), p.remarks());
    CHECK(std::filesystem::is_empty(p.uploads()));
}

void a_publish_makes_them() {
    UploadPlace p;
    p.context.remarks.clear();
    ctl::prepare(p.context, p.ftp);
    check_all(p);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(every_member_has_a_directory),
        GATE_TEST(what_is_there_is_set_right_and_kept),
        GATE_TEST(without_ftp_there_is_nothing),
        GATE_TEST(a_planted_link_is_not_followed),
        GATE_TEST(a_directory_of_another_is_not_given_away),
        GATE_TEST(directories_of_others_are_kept),
        GATE_TEST(shell_and_group_decide),
        GATE_TEST(there_are_so_many_and_no_more),
        GATE_TEST(a_publish_makes_them),
    };
    return cmocka_run_group_tests_name("ctl_uploads", tests, nullptr, nullptr);
}

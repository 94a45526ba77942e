// lib/keyring: the builder by itself, and a keyring that comes from elsewhere. What counts of it is the copy:
// the system call that writes it is replaced here, so that it can be spoilt on its way.
#include "tests/unit/support_keyring.h"

#include "lib/keyring/builder.h"

#include <algorithm>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

namespace {
bool g_spoil = false; // flip one bit of what is written
} // namespace

extern "C" ssize_t write(int fd, const void* data, size_t size) {
    if (!g_spoil || size < 300)
        return syscall(SYS_write, fd, data, size);
    std::string other(static_cast<const char*>(data), size);
    other[200] = static_cast<char>(other[200] ^ 1); // in a record
    return syscall(SYS_write, fd, other.data(), size);
}

using namespace gate;
using namespace gate::keyring;
using test::TempDir;

namespace {

constexpr std::size_t k_keys = 100;

[[nodiscard]] Contents contents(std::uint64_t generation) {
    auto random = test::seeded();
    return test::make_contents(k_keys, random, generation);
}

[[nodiscard]] bool there(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

// Of a keyring that is whole; 0: there is none.
[[nodiscard]] std::uint64_t generation_of(const std::string& path) {
    const auto reader = Reader::open(path.c_str(), ::geteuid());
    if (!reader && reader.error().code == Errc::missing)
        return 0;
    CHECK_OK(reader);
    CHECK_OK(reader->verify());
    return reader->header().generation;
}

void a_builder_that_is_dropped_leaves_nothing() {
    const TempDir dir;
    const std::string path = dir / "fresh";
    auto random = test::seeded();
    {
        auto builder = Builder::create(path, 1, 0);
        CHECK_OK(builder);
        Builder moved = std::move(*builder);
        CHECK(there(path));
        CHECK_OK(moved.add(test::make_key(1, random)));
        CHECK_OK(moved.finish({}));
        CHECK_EQ(generation_of(path), 1U);
    }
    CHECK(!there(path));
    {
        auto builder = Builder::create(path, 1, 0);
        CHECK_OK(builder);
        CHECK_OK(builder->finish({}));
        builder->keep();
    }
    CHECK_EQ(generation_of(path), 1U);
}

void a_file_that_was_not_finished_is_no_keyring() {
    const TempDir dir;
    auto random = test::seeded();
    auto builder = Builder::create(dir / "fresh", 1, 0);
    CHECK_OK(builder);
    for (std::size_t i = 0; i < 5'000; ++i)
        CHECK_OK(builder->add(test::make_key(i, random)));
    CHECK(test::read_file(dir / "fresh").size() > 100'000);
    CHECK_ERR(Reader::open((dir / "fresh").c_str(), ::geteuid()), Errc::damaged);
}

void what_one_key_is_refused_for_does_not_touch_the_others() {
    const TempDir dir;
    const Contents all = contents(1);
    auto builder = Builder::create(dir / "fresh", 1, 0);
    CHECK_OK(builder);
    for (const KeyRecord& key : all.keys) {
        KeyRecord bad = key;
        bad.blob.clear();
        CHECK_ERR(builder->add(bad), Errc::bad_input);
        bad.blob = std::string(k_max_blob + 1, 'x');
        CHECK_ERR(builder->add(bad), Errc::too_large);
        bad = key;
        bad.revoke_reason = std::string(k_max_record, 'x');
        CHECK_ERR(builder->add(bad), Errc::too_large);
        CHECK_OK(builder->add(key));
    }
    CHECK_EQ(builder->keys(), k_keys);
    CHECK_OK(builder->finish({}));
    const auto reader = Reader::open((dir / "fresh").c_str(), ::geteuid());
    CHECK_OK(reader->verify());
    CHECK_EQ(builder->active(), reader->header().active_count);
    for (const KeyRecord& key : all.keys)
        CHECK(**reader->find(key.fingerprint) == key);
}

void one_fingerprint_twice_is_refused() {
    const Contents all = contents(1);
    // Side by side, far apart, and across the border of two pages.
    for (const std::size_t twice : {k_keys - 1, std::size_t{0}, k_keys / 2}) {
        const TempDir dir;
        auto builder = Builder::create(dir / "fresh", 1, 0);
        CHECK_OK(builder);
        for (const KeyRecord& key : all.keys)
            CHECK_OK(builder->add(key));
        KeyRecord again = all.keys[twice];
        again.id = "another";
        CHECK_OK(builder->add(again));
        CHECK_ERR(builder->finish({}), Errc::bad_input);
        CHECK_ERR(builder->finish({}), Errc::bad_input); // it stays so
    }
    std::vector<KeyRecord> sorted = all.keys;
    std::sort(sorted.begin(), sorted.end(),
              [](const KeyRecord& a, const KeyRecord& b) { return a.fingerprint < b.fingerprint; });
    for (std::size_t twice = 0; twice < k_keys; ++twice) {
        const TempDir dir;
        auto builder = Builder::create(dir / "fresh", 1, 0);
        CHECK_OK(builder);
        for (std::size_t i = 0; i < k_keys; ++i) {
            CHECK_OK(builder->add(sorted[i]));
            if (i == twice)
                CHECK_OK(builder->add(sorted[i]));
        }
        CHECK_ERR(builder->finish({}, Builder::Sync::later), Errc::bad_input);
    }
}

// A delta: records of the keyring in place as they are, others new.
void records_are_copied_as_they_are() {
    const TempDir dir;
    const std::string path = dir / "keyring";
    Contents all = contents(1);
    CHECK_OK(publish(path, all, ::geteuid()));
    KeyRecord& changed = all.keys[5];
    changed.agents.push_back({"one more", std::string(32, 'b')});
    const auto reader = Reader::open(path.c_str(), ::geteuid());
    auto builder = Builder::create(path + ".new", 2, 0);
    CHECK_OK(builder);
    const auto copied = reader->each([&](const Reader::Stored& stored) {
        if (stored.fingerprint != changed.fingerprint)
            CHECK_OK(builder->copy(stored.fingerprint, stored.payload, stored.state));
    });
    CHECK_OK(copied);
    CHECK_OK(builder->add(changed));
    CHECK_OK(builder->finish({}, Builder::Sync::later));
    CHECK_OK(put_in_place(path + ".new", path, ::geteuid()));
    CHECK_EQ(generation_of(path), 2U);
    CHECK_EQ(generation_of(path + ".previous"), 1U);
    const auto now = Reader::open(path.c_str(), ::geteuid());
    for (const KeyRecord& key : all.keys)
        CHECK(**now->find(key.fingerprint) == key);
}

void what_does_not_read_back_is_not_put_in_place() {
    const TempDir dir;
    const std::string path = dir / "keyring";
    CHECK_OK(publish(path, contents(1), ::geteuid()));
    g_spoil = true;
    const auto done = publish(path, contents(2), ::geteuid());
    g_spoil = false;
    CHECK_ERR(done, Errc::damaged);
    CHECK_EQ(generation_of(path), 1U);
    CHECK(!there(path + ".new"));
    CHECK_ERR(put_in_place(dir / "none", path, ::geteuid()), Errc::missing);
    CHECK_EQ(generation_of(path), 1U);
}

// A place with a keyring, and one that was published elsewhere.
struct Standby {
    TempDir dir;
    std::string path = dir / "keyring";
    std::string from = dir / "from-elsewhere";

    Standby(std::uint64_t here, std::uint64_t elsewhere) {
        if (here != 0)
            CHECK_OK(publish(path, contents(here), ::geteuid()));
        test::write_file(from, test::keyring_bytes(contents(elsewhere)));
    }
    [[nodiscard]] Result<void> take(bool allow_older = false) const {
        return install(from, path, ::geteuid(), allow_older);
    }
    // Refused, and nothing has changed.
    void refuses(Errc code, bool allow_older = false) const {
        const std::string before = there(path) ? test::read_file(path) : "";
        const auto done = take(allow_older);
        CHECK(!done);
        CHECK_EQ(done.error().code, code);
        CHECK_EQ(there(path) ? test::read_file(path) : "", before);
        CHECK(!there(path + ".new"));
        CHECK(!there(path + ".previous"));
    }
};

void a_newer_keyring_is_installed() {
    const Standby first(0, 7);
    test::write_file(first.path + ".new", "half a keyri");
    CHECK_OK(first.take());
    CHECK_EQ(generation_of(first.path), 7U);
    CHECK(!there(first.path + ".previous"));

    const Standby next(7, 8);
    CHECK_OK(next.take());
    CHECK_EQ(generation_of(next.path), 8U);
    CHECK_EQ(generation_of(next.path + ".previous"), 7U);
    CHECK(there(next.from)); // it is copied, not taken away
    CHECK(!there(next.path + ".new"));
    struct stat st {};
    CHECK(::stat(next.path.c_str(), &st) == 0);
    CHECK_EQ(st.st_mode & 07777U, 0644U);
}

void a_keyring_that_is_not_newer_is_refused_unless_asked_for() {
    for (const std::uint64_t elsewhere : {6U, 7U}) {
        const Standby s(7, elsewhere);
        s.refuses(Errc::denied);
        CHECK_OK(s.take(true));
        CHECK_EQ(generation_of(s.path), elsewhere);
        CHECK_EQ(generation_of(s.path + ".previous"), 7U);
    }
}

void in_place_of_a_damaged_one_only_if_asked_for() {
    const Standby s(7, 8);
    test::write_file(s.path, "not a keyring at all");
    s.refuses(Errc::denied);
    CHECK_OK(s.take(true));
    CHECK_EQ(generation_of(s.path), 8U);
}

void the_file_from_elsewhere_must_be_one_that_can_be_trusted() {
    const Standby s(7, 8);
    CHECK(::chmod(s.from.c_str(), 0664) == 0);
    s.refuses(Errc::writable);
    CHECK(::chmod(s.from.c_str(), 0602) == 0);
    s.refuses(Errc::writable, true);
    CHECK(::chmod(s.from.c_str(), 0600) == 0);
    CHECK(::rename(s.from.c_str(), (s.dir / "real").c_str()) == 0);
    CHECK(::symlink("real", s.from.c_str()) == 0);
    s.refuses(Errc::not_regular);
    CHECK(::unlink(s.from.c_str()) == 0);
    s.refuses(Errc::missing);
    CHECK(::mkfifo(s.from.c_str(), 0600) == 0);
    s.refuses(Errc::not_regular);
    CHECK(::unlink(s.from.c_str()) == 0);
    CHECK(::rename((s.dir / "real").c_str(), s.from.c_str()) == 0);
    CHECK_OK(s.take());
}

void the_file_of_another_user_is_refused() {
    if (::geteuid() != 0)
        SKIP_TEST("only root can give files away, and `make check` needs no root");
    constexpr uid_t k_somebody = 4242;
    const Standby s(7, 8);
    CHECK(::chown(s.from.c_str(), k_somebody, 0) == 0);
    s.refuses(Errc::wrong_owner);
    // Its owner's readers believe it, but what root installs would be root's.
    const auto done = install(s.from, s.path, k_somebody, true);
    CHECK_ERR(done, Errc::wrong_owner);
    CHECK_EQ(generation_of(s.path), 7U);
}

void a_damaged_or_cut_file_is_refused() {
    const Standby s(7, 8);
    const std::string bytes = test::read_file(s.from);
    for (const std::size_t length : {std::size_t{0}, std::size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
        test::write_file(s.from, bytes.substr(0, length));
        s.refuses(Errc::truncated, true);
    }
    for (std::size_t at = 0; at < 3'000; at += 11) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 4);
        test::write_file(s.from, damaged);
        s.refuses(Errc::damaged, true);
    }
    Header newer{};
    std::memcpy(&newer, bytes.data(), sizeof newer);
    ++newer.version;
    newer.checksum = header_checksum(newer);
    std::string versioned = bytes;
    std::memcpy(versioned.data(), &newer, sizeof newer);
    test::write_file(s.from, versioned);
    s.refuses(Errc::version, true);
    test::write_file(s.from, bytes);
    CHECK_OK(s.take());
}

void the_copy_is_what_is_checked() {
    const Standby s(7, 8);
    g_spoil = true;
    const auto done = s.take(true);
    g_spoil = false;
    CHECK_ERR(done, Errc::damaged);
    CHECK_EQ(generation_of(s.path), 7U);
    CHECK(!there(s.path + ".new"));
    CHECK_OK(s.take());
}

void a_disk_that_is_full_keeps_the_old_one() {
    const TempDir dir;
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", dir.path().c_str(), "tmpfs", 0, "size=96k") != 0)
        SKIP_TEST("only root can mount a small file system, and `make check` needs no root");
    const std::string path = dir / "keyring";
    const auto one = publish(path, contents(1), ::geteuid()); // 30 kB
    auto random = test::seeded();
    const auto many = publish(path, test::make_contents(400, random, 2), ::geteuid());
    const bool left = there(path + ".new");
    const std::uint64_t now = generation_of(path);
    const auto again = publish(path, contents(3), ::geteuid());
    const std::uint64_t after = generation_of(path);
    CHECK(::umount(dir.path().c_str()) == 0);
    CHECK_OK(one);
    CHECK_ERR(many, Errc::no_space);
    CHECK(!left);
    CHECK_EQ(now, 1U);
    CHECK_OK(again);
    CHECK_EQ(after, 3U);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_builder_that_is_dropped_leaves_nothing),
        GATE_TEST(a_file_that_was_not_finished_is_no_keyring),
        GATE_TEST(what_one_key_is_refused_for_does_not_touch_the_others),
        GATE_TEST(one_fingerprint_twice_is_refused),
        GATE_TEST(records_are_copied_as_they_are),
        GATE_TEST(what_does_not_read_back_is_not_put_in_place),
        GATE_TEST(a_newer_keyring_is_installed),
        GATE_TEST(a_keyring_that_is_not_newer_is_refused_unless_asked_for),
        GATE_TEST(in_place_of_a_damaged_one_only_if_asked_for),
        GATE_TEST(the_file_from_elsewhere_must_be_one_that_can_be_trusted),
        GATE_TEST(the_file_of_another_user_is_refused),
        GATE_TEST(a_damaged_or_cut_file_is_refused),
        GATE_TEST(the_copy_is_what_is_checked),
        GATE_TEST(a_disk_that_is_full_keeps_the_old_one),
    };
    return cmocka_run_group_tests_name("keyring_install", tests, nullptr, nullptr);
}

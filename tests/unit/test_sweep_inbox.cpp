// What the sweep takes for an upload: its words, its directories, and opening and copying what strangers put
// there and may go on changing.
#include "tests/unit/support.h"

#include "ftpsweep/inbox.h"
#include "ftpsweep/options.h"

#include <fcntl.h>
#include <functional>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <utility>

using namespace gate;
using namespace gate::sweep;

namespace {

bool g_held_fails = false;       // .held cannot be opened now
std::function<void()> g_at_half; // done once, when half of what is asked for has been read

} // namespace

// In front of the C library's.
extern "C" int openat(int dir, const char* name, int flags, ...) {
    if (g_held_fails && std::string_view(name) == k_held_name) {
        errno = EMFILE;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_openat, dir, name, flags, 0));
}
extern "C" ssize_t pread(int fd, void* data, size_t size, off_t at) {
    if (!g_at_half)
        return ::syscall(SYS_pread64, fd, data, size, at);
    const ssize_t n = ::syscall(SYS_pread64, fd, data, size / 4, at);
    std::exchange(g_at_half, nullptr)();
    return n;
}

namespace {

std::expected<Options, std::string> parse(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    return parse_options(argv);
}

void words_are_taken_whole_or_not_at_all() {
    CHECK(parse({}).has_value());
    CHECK(!parse({})->once && !parse({})->inbox);
    CHECK(parse({"--once"})->once);
    const auto other = parse({"--sender", "a", "--once", "--inbox", "/in//", "--owner", "daemon"});
    CHECK(other.has_value() && other->once);
    CHECK_EQ(other->inbox->directory, "/in");
    CHECK_EQ(other->inbox->owner, "daemon");
    CHECK_EQ(other->inbox->sender, "a");
    CHECK_EQ(parse({"--inbox", "/", "--owner", "o", "--sender", "s"})->inbox->directory, "/");
    const std::vector<std::string> wrong[] = {
        {"once"},
        {"--help"},
        {""},
        {"--once=1"},
        {"--inbox"},
        {"--inbox", ""},
        {"--inbox", "/a"},
        {"--owner", "x", "--sender", "y"},
        {"--inbox", "a", "--owner", "x", "--sender", "y"},
        {"--inbox", "/a", "--owner", "x", "--sender", "../y"},
        {"--inbox", "/a", "--inbox", "/b", "--owner", "x", "--sender", "y"},
    };
    for (const auto& words : wrong)
        CHECK_MSG(!parse(words) && !parse(words).error().empty(), words.empty() ? "" : words[0]);
}

void a_sender_is_one_name() {
    for (const char* good : {"a", "alice", "a.b-c_d", "DOM\\user", "user@host", "\xC3\xA4"})
        CHECK_MSG(is_sender_name(good), good);
    for (const std::string& bad : std::vector<std::string>{"", ".", "..", ".a", "-a", "a/b", "a:b", "a\n",
                                                           "\x7F", std::string(201, 'a')})
        CHECK_MSG(!is_sender_name(bad), bad);
    CHECK(is_sender_name(std::string(200, 'a')));
}

struct Box {
    Box() {
        std::filesystem::create_directories(dir / "in/.held");
        auto opened = open_inbox(dir / "in", 100);
        CHECK_OK(opened);
        inbox = std::move(*opened);
    }
    [[nodiscard]] std::string path(std::string_view name) const { return dir / "in/" + std::string(name); }
    void put(std::string_view name, std::string_view content) const { test::write_file(path(name), content); }
    [[nodiscard]] Result<Upload> open(const char* name) const {
        return open_upload(inbox.uploads.get(), name, ::geteuid());
    }

    test::TempDir dir;
    Inbox inbox;
};

void places_are_directories_of_senders() {
    test::TempDir dir;
    for (const char* name : {"bob", "alice", ".hidden", "-x", "a:b"})
        std::filesystem::create_directory(dir / name);
    const auto places = find_places(dir.path());
    CHECK_OK(places);
    CHECK_EQ(places->size(), 2U);
    CHECK_EQ((*places)[0].sender, "alice");
    CHECK_EQ((*places)[0].directory, dir / "alice");
    CHECK_EQ((*places)[0].id, "alice");
    CHECK_EQ((*places)[1].sender, "bob");
    CHECK_ERR(find_places(dir / "none"), Errc::missing);
    CHECK_EQ(::symlink(dir.path().c_str(), (dir / "link").c_str()), 0);
    CHECK_ERR(find_places(dir / "link"), Errc::not_regular);
}

void an_inbox_is_read_in_order_and_never_through_a_link() {
    Box box;
    for (const char* name : {"b", "a", "c", ".held/y", ".held/x"})
        box.put(name, "x");
    const auto whole = open_inbox(box.dir / "in", 100);
    CHECK_OK(whole);
    CHECK(whole->names == std::vector<std::string>({"a", "b", "c"}));
    CHECK(whole->held_names == std::vector<std::string>({"x", "y"}));
    const auto part = open_inbox(box.dir / "in", 2);
    CHECK_OK(part);
    CHECK_EQ(part->names.size(), 2U);
    CHECK_OK(open_inbox(box.dir / "in", 0));
    CHECK_EQ(::symlink((box.dir / "in").c_str(), (box.dir / "link").c_str()), 0);
    CHECK_ERR(open_inbox(box.dir / "link", 1), Errc::not_regular);
    CHECK_ERR(open_inbox(box.dir / "none", 1), Errc::missing);
    CHECK_ERR(open_inbox(box.path("a"), 1), Errc::not_regular);
    // One that cannot be opened now is there all the same: what a journal says of it cannot be told.
    g_held_fails = true;
    const auto starved = open_inbox(box.dir / "in", 0);
    g_held_fails = false;
    CHECK_ERR(starved, Errc::system);
    // A link in place of .held: nothing is held.
    std::filesystem::remove_all(box.path(".held"));
    CHECK_EQ(::symlink("/tmp", box.path(".held").c_str()), 0);
    const auto without = open_inbox(box.dir / "in", 10);
    CHECK_OK(without);
    CHECK(!without->held.valid() && without->held_names.empty());
}

void only_a_regular_file_with_one_name_is_an_upload() {
    Box box;
    box.put("good", "content");
    const auto upload = box.open("good");
    CHECK_OK(upload);
    CHECK_EQ(upload->identity.size, 7U);
    CHECK_ERR(box.open("none"), Errc::missing);
    CHECK_EQ(::symlink("good", box.path("link").c_str()), 0);
    CHECK_ERR(box.open("link"), Errc::not_regular);
    CHECK_EQ(::symlink("/etc/passwd", box.path("away").c_str()), 0);
    CHECK_ERR(box.open("away"), Errc::not_regular);
    CHECK_EQ(::symlink("nowhere", box.path("dangling").c_str()), 0);
    CHECK_ERR(box.open("dangling"), Errc::not_regular);
    std::filesystem::create_directory(box.path("directory"));
    CHECK_ERR(box.open("directory"), Errc::not_regular);
    CHECK_EQ(::mkfifo(box.path("fifo").c_str(), 0666), 0);
    CHECK_ERR(box.open("fifo"), Errc::not_regular); // and does not wait for a writer
    const Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = box.path("s");
    CHECK(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    CHECK_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    CHECK_ERR(box.open("s"), Errc::not_regular);
    CHECK_EQ(::link(box.path("good").c_str(), (box.dir / "other").c_str()), 0);
    CHECK_ERR(box.open("good"), Errc::not_regular);
    CHECK_EQ(::unlink((box.dir / "other").c_str()), 0);
    CHECK_OK(box.open("good"));
    CHECK_ERR(open_upload(box.inbox.uploads.get(), "good", ::geteuid() + 1), Errc::wrong_owner);
    for (const char* name : {"link", "directory", "fifo", "none"})
        CHECK(is_no_upload(box.open(name).error()));
    CHECK(!is_no_upload(open_upload(-1, "good", 0).error()));
}

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void a_copy_is_the_whole_upload() {
    Box box;
    std::vector<std::byte> buffer(100'000);
    for (const std::size_t size : {0U, 1U, 65'536U, 100'000U}) {
        const std::string content(size, 'x');
        box.put("a", content);
        const auto upload = box.open("a");
        CHECK_OK(upload);
        const auto copied = copy(*upload, buffer);
        CHECK_OK(copied);
        CHECK(text_of(*copied) == content);
    }
    box.put("a", std::string(100'001, 'x'));
    CHECK_ERR(copy(*box.open("a"), buffer), Errc::too_large);
}

// Each kind of change after the upload was opened.
void a_copy_of_what_changes_is_none() {
    Box box;
    std::vector<std::byte> buffer(1000);
    const std::function<void(const std::string&)> changes[] = {
        [](const std::string& path) { CHECK_EQ(::truncate(path.c_str(), 3), 0); },
        [](const std::string& path) { CHECK_EQ(::truncate(path.c_str(), 30), 0); },
        [](const std::string& path) { test::write_file(path, "something else"); },
        [](const std::string& path) { // the same size
            const Fd fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
            CHECK_EQ(::pwrite(fd.get(), "XX", 2, 4), 2);
        },
        [](const std::string& path) { // and its times put back
            struct stat st {};
            CHECK_EQ(::stat(path.c_str(), &st), 0);
            test::write_file(path, "0123456789");
            const timespec times[2] = {st.st_atim, st.st_mtim};
            CHECK_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
        },
        [](const std::string& path) { CHECK_EQ(::link(path.c_str(), (path + "2").c_str()), 0); },
    };
    for (const auto& change : changes) {
        box.put("a", "0123456789");
        const auto upload = box.open("a");
        CHECK_OK(upload);
        CHECK_OK(copy(*upload, buffer)); // from now on the clock has moved on
        change(box.path("a"));
        CHECK_ERR(copy(*upload, buffer), Errc::closed);
        std::filesystem::remove(box.path("a2"));
    }
}

// In the middle of the copy the other half becomes another one's: the two are never taken for one upload.
void a_copy_is_never_of_two_moments() {
    Box box;
    const std::string contents[] = {std::string(1000, 'A'), std::string(1000, 'B')};
    std::vector<std::byte> buffer(2000);
    for (const bool changed : {false, true}) { // false: the control
        box.put("a", contents[0]);
        const auto upload = box.open("a");
        CHECK_OK(upload);
        g_at_half = [&] {
            if (changed)
                test::write_file(box.path("a"), contents[1]);
        };
        const auto copied = copy(*upload, buffer);
        CHECK(!g_at_half); // it has been called
        const std::string seen(text_of(std::span(buffer).first(1000)));
        CHECK_EQ(seen, changed ? std::string(500, 'A') + std::string(500, 'B') : contents[0]);
        if (changed)
            CHECK_ERR(copied, Errc::closed);
        else
            CHECK_OK(copied);
    }
}

// Another process: fcntl's locks do not hold against their own.
class Receiver {
  public:
    explicit Receiver(const std::string& path, short kind) {
        int ready[2];
        CHECK_EQ(::pipe(ready), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
            struct flock lock {};
            lock.l_type = kind;
            if (::fcntl(fd, F_SETLK, &lock) != 0 || ::write(ready[1], "x", 1) != 1)
                ::_exit(1);
            ::pause();
            ::_exit(0);
        }
        char byte = 0;
        CHECK_EQ(::read(ready[0], &byte, 1), 1);
        ::close(ready[0]);
        ::close(ready[1]);
    }
    ~Receiver() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

  private:
    pid_t pid_;
};

void what_is_locked_is_being_received() {
    Box box;
    box.put("a", "0123456789");
    std::vector<std::byte> buffer(100);
    const auto upload = box.open("a");
    CHECK_OK(upload);
    {
        const Receiver receiver(box.path("a"), F_WRLCK);
        const auto busy = is_being_received(*upload);
        CHECK_OK(busy);
        CHECK(*busy);
        CHECK_ERR(copy(*upload, buffer), Errc::closed);
    }
    {
        const Receiver reader(box.path("a"), F_RDLCK);
        CHECK(!*is_being_received(*upload));
    }
    CHECK(!*is_being_received(*upload));
    CHECK_OK(copy(*upload, buffer));
}

void a_packet_ends_with_its_root_element() {
    const auto ends = [](std::string_view text) {
        return ends_like_a_packet(std::as_bytes(std::span(text)));
    };
    for (const std::string_view good : {"<agent_data></agent_data>", "</agent_data>", "x</agent_data>\n",
                                        "x</agent_data> \t\r\n\r\n", "</agent_data></agent_data>"})
        CHECK_MSG(ends(good), std::string(good));
    for (const std::string_view bad :
         {"", " ", "\n", "<agent_data>", "<agent_data/>", "</agent_data", "/agent_data>", "</agent_data>x",
          "</agent_data >", "</AGENT_DATA>", "</agent_data></module>", "</agent_data><!-- -->"})
        CHECK_MSG(!ends(bad), std::string(bad));
    CHECK(!ends(std::string_view("</agent_data>\0", 14)));
    const std::string whole = "<agent_data agent_name='a'><m/></agent_data>";
    for (std::size_t n = 0; n < whole.size(); ++n) // cut anywhere
        CHECK(!ends(std::string_view(whole).substr(0, n)));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(words_are_taken_whole_or_not_at_all),
        GATE_TEST(a_sender_is_one_name),
        GATE_TEST(places_are_directories_of_senders),
        GATE_TEST(an_inbox_is_read_in_order_and_never_through_a_link),
        GATE_TEST(only_a_regular_file_with_one_name_is_an_upload),
        GATE_TEST(a_copy_is_the_whole_upload),
        GATE_TEST(a_copy_of_what_changes_is_none),
        GATE_TEST(a_copy_is_never_of_two_moments),
        GATE_TEST(what_is_locked_is_being_received),
        GATE_TEST(a_packet_ends_with_its_root_element),
    };
    return cmocka_run_group_tests_name("sweep inbox", tests, nullptr, nullptr);
}

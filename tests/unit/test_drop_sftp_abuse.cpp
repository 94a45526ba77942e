// forcecmd/front/sftp: what no decent client sends. Every request that arrives whole is answered exactly once
// with its number, and nothing is delivered that was not closed.
#include "tests/unit/support.h"

#include "tests/unit/fake_sftp_client.h"

#include <algorithm>
#include <set>

using namespace gate;
using namespace gate::test;
using namespace std::string_literals;
using spool::Reason;

namespace {

const std::string k_bad = "bad_message malformed request";
const std::string k_no_handle = "failure no such handle";

std::string unsupported() {
    return "op_unsupported " + spool::sentence(Reason::unsupported);
}

void a_bad_handle_is_no_handle() {
    for (const std::string& h :
         {""s, "\0"s, "\0\0\0"s, "\0\0\0\1"s, "\0\0\0\7"s, "\0\0\0\x08"s, "\0\0\0\x0f"s, "\0\0\0\x10"s,
          "\xff\xff\xff\xff"s, "\0\0\0\0\0"s, "12345678"s}) {
        const std::string id = str(h);
        const Session s = sftp_session(
            open(1, "a.1.data") + request(Type::write, 2, id + be64(0) + str("x")) +
            request(Type::close, 3, id) + request(Type::fstat, 4, id) +
            request(Type::read, 5, id + be64(0) + be32(1)) + request(Type::fsetstat, 6, id + k_no_attrs) +
            request(Type::readdir, 7, id) + extension(8, "fsync@openssh.com", id) + close(9, 0));
        for (std::size_t i = 1; i <= 7; ++i)
            CHECK_EQ(s.lines.at(i), std::to_string(i + 1) + " " + k_no_handle);
        CHECK_EQ(s.lines.at(8), "9 ok");
    }
}

void a_closed_handle_is_no_handle() {
    const Session s = sftp_session(open(1, "a.1.data") + close(2, 0) + close(3, 0) + write(4, 0, 0, "x"));
    CHECK_EQ(s.answers, "1 handle\n2 ok\n3 " + k_no_handle + "\n4 " + k_no_handle + "\n");
    CHECK_EQ(s.delivered.size(), 1U);
}

void a_directory_is_no_file() {
    // Directories are numbered behind the files.
    const std::uint32_t h = drop::k_max_open_files;
    const Session s = sftp_session(by_path(Type::opendir, 1, ".") + request(Type::readdir, 2, handle(h)) +
                                   write(3, h, 0, "x") + request(Type::fstat, 4, handle(h)) +
                                   fsetstat(5, h, size_attrs(7)) + close(6, h) + close(7, h));
    CHECK_EQ(s.lines.at(0), "1 handle");
    CHECK_EQ(s.lines.at(1), "2 eof");
    CHECK(s.lines.at(2).starts_with("3 failure"));
    CHECK_EQ(s.lines.at(3), "4 directory");
    CHECK_EQ(s.lines.at(5), "6 ok");
    CHECK_EQ(s.lines.at(6), "7 " + k_no_handle);
    CHECK_EQ(s.calls, "");
}

void handles_are_bounded_and_come_back() {
    std::string files;
    for (std::uint32_t i = 0; i < 20; ++i)
        files += open(i, "a." + std::to_string(i) + ".data");
    const Session s = sftp_session(files + close(30, 0) + open(31, "b.1.data"));
    for (std::uint32_t i = 0; i < 20; ++i)
        CHECK_EQ(s.lines.at(i) == std::to_string(i) + " handle", i < drop::k_max_open_files);
    CHECK_EQ(s.lines.back(), "31 handle");
    std::string directories;
    for (std::uint32_t i = 0; i < 20; ++i)
        directories += by_path(Type::opendir, i, ".");
    const Session d = sftp_session(directories);
    CHECK_EQ(d.lines.at(0), "0 handle");
    CHECK(d.lines.at(19).starts_with("19 failure"));
}

void unknown_requests_are_answered() {
    std::set<int> known;
    for (const Type t :
         {Type::open, Type::close, Type::read, Type::write, Type::lstat, Type::fstat, Type::setstat,
          Type::fsetstat, Type::opendir, Type::readdir, Type::remove, Type::mkdir, Type::rmdir,
          Type::realpath, Type::stat, Type::rename, Type::readlink, Type::symlink, Type::extended})
        known.insert(static_cast<int>(t));
    for (int type = 0; type < 256; ++type) {
        const Session s = sftp_session(request(static_cast<Type>(type), 77, ""));
        CHECK_EQ(s.answers, "77 " + (known.contains(type) ? k_bad : unsupported()) + "\n");
    }
}

void extensions_that_are_not_offered_are_refused() {
    for (const std::string name :
         {"statvfs@openssh.com", "fstatvfs@openssh.com", "hardlink@openssh.com", "lsetstat@openssh.com",
          "copy-data", "home-directory", "users-groups-by-id@openssh.com", "limits@openssh.co", "",
          "LIMITS@OPENSSH.COM"})
        CHECK_EQ(sftp_session(extension(5, name, str("/etc/passwd") + str("x"))).answers,
                 "5 " + unsupported() + "\n");
}

// Every field cut off at every byte, and every length too long.
void truncated_requests_are_malformed() {
    const std::string attrs = be32(0x8000000f) + be64(1) + be32(0) + be32(0) + be32(0644) + be32(1) +
                              be32(2) + be32(1) + str("k") + str("v");
    const std::pair<Type, std::string> bodies[] = {
        {Type::open, str("a.1.data") + be32(0x1a) + attrs},
        {Type::write, handle(0) + be64(0) + str("data")},
        {Type::fsetstat, handle(0) + attrs},
        {Type::setstat, str(".") + attrs},
        {Type::close, handle(0)},
        {Type::stat, str("a.1.data")},
        {Type::realpath, str("x")},
        {Type::rename, str("a.1.data") + str("b.1.data")},
        {Type::extended, str("expand-path@openssh.com") + str("x")},
    };
    for (const auto& [type, body] : bodies) {
        for (std::size_t n = 0; n < body.size(); ++n) {
            const Session s = sftp_session(open(1, "z.1.data") + request(type, 2, body.substr(0, n)));
            CHECK_MSG(s.lines.at(1) == "2 " + k_bad, s.lines.at(1) + " at " + std::to_string(n));
        }
    }
    for (const std::uint32_t length : {5U, 0x7fffffffU, UINT32_MAX, UINT32_MAX - 3}) {
        CHECK_EQ(sftp_session(request(Type::stat, 2, be32(length) + "abcd")).answers, "2 " + k_bad + "\n");
        const Session s = sftp_session(open(1, "a.1.data") +
                                       request(Type::write, 2, handle(0) + be64(0) + be32(length) + "abcd"));
        CHECK_EQ(s.lines.at(1), "2 " + k_bad);
    }
}

void a_count_of_4294967295_extended_attributes_ends_with_the_packet() {
    const std::string attrs = be32(0x80000000) + be32(UINT32_MAX);
    std::string many = attrs;
    for (int i = 0; i < 1000; ++i)
        many += str("") + str("");
    for (const std::string& a : {attrs, attrs + str("k"), many})
        CHECK_EQ(sftp_session(request(Type::open, 1, str("a.1.data") + be32(0x1a) + a)).answers,
                 "1 " + k_bad + "\n");
    // Unknown flags mean nothing.
    CHECK_EQ(sftp_session(request(Type::open, 1, str("a.1.data") + be32(0x1a) + be32(0x7ffffff0))).answers,
             "1 handle\n");
}

// Nothing can be answered to these: the session ends, files are discarded, the status tells.
void frames_that_make_no_sense_end_the_session() {
    const std::string before = open(1, "a.1.data") + write(2, 0, 0, "x");
    for (const std::string& frame :
         {be32(0), be32(drop::sftp::k_max_packet + 1), be32(UINT32_MAX), be32(0x80000000),
          "GET / HTTP/1.1\r\n\r\n"s, be32(1) + "\x04", be32(4) + "\x04\0\0\0"s, be32(1) + "\xc8"}) {
        const Session s = sftp_session(before + frame + close(3, 0));
        CHECK_EQ(s.answers, "1 handle\n2 ok\n");
        CHECK(s.finished);
        CHECK_EQ(s.status, 1);
        CHECK(s.delivered.empty());
        CHECK(s.calls.find("refused transfer.protocol") != std::string::npos);
        CHECK(s.calls.ends_with("abort a.1.data transfer.protocol\n"));
    }
}

void the_largest_packet_is_taken() {
    const std::string bytes(drop::sftp::k_max_write, 'x');
    const Session s =
        sftp_session(open(1, "a.1.data") + write(2, 0, 0, bytes) +
                     by_path(Type::stat, 3, std::string(drop::sftp::k_max_packet - 9, '/')) + close(4, 0));
    CHECK_EQ(s.answers, "1 handle\n2 ok\n3 directory\n4 ok\n");
    CHECK_EQ(s.delivered.at(0).second.size(), bytes.size());
}

void nothing_is_served_before_init() {
    static const spool::VirtualTree tree("/d");
    const auto make = [](drop::Dropbox& d) { return std::make_unique<drop::sftp::Server>(d, tree); };
    for (const std::string& first : {open(1, "a.1.data"), by_path(Type::stat, 1, "/"), close(1, 0),
                                     extension(1, "limits@openssh.com"), packet(Type::version, be32(3))}) {
        const Outcome o = play_any_way(make, {}, first + k_init + open(2, "a.1.data"));
        CHECK_EQ(o.answers, "");
        CHECK_EQ(o.status, 1);
        CHECK(o.finished);
        CHECK(o.delivered.empty());
    }
    CHECK_EQ(play_any_way(make, {}, "").status, 0);
}

// The end of input after every byte: what was closed is delivered, everything else is discarded, and each
// request that arrived whole has its answer.
void the_end_of_input_discards_what_was_not_closed() {
    const std::vector<std::string> requests = {open(1, "a.1.data"), write(2, 0, 0, "hello"),
                                               close(3, 0),         open(4, "b.1.data"),
                                               write(5, 0, 0, "x"), open(6, "c.1.data.part")};
    std::string input;
    std::vector<std::size_t> ends;
    for (const std::string& one : requests) {
        input += one;
        ends.push_back(input.size());
    }
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        const Session s = sftp_session(std::string_view(input).substr(0, cut));
        const auto whole =
            static_cast<std::size_t>(std::ranges::count_if(ends, [&](auto e) { return e <= cut; }));
        CHECK_EQ(s.lines.size(), whole);
        CHECK_EQ(s.delivered.size(), whole >= 3 ? 1U : 0U);
    }
}

// Any mixture of requests, some of them damaged: one answer each, in order, and only what was closed whole.
void every_request_is_answered_once_in_order() {
    constexpr std::string_view k_paths[] = {"a.1.data", "b.1.data", "a.1.data.part", ".", "/etc", "x"};
    auto random = seeded();
    unsigned delivered = 0;
    for (int round = 0; round < 4000; ++round) {
        std::string input;
        const auto n = static_cast<std::uint32_t>(1 + random() % 30);
        for (std::uint32_t id = 0; id < n; ++id) {
            const auto h = static_cast<std::uint32_t>(random() % 3 == 0 ? random() % 20 : 0);
            const std::string_view path = k_paths[random() % std::size(k_paths)];
            std::string one;
            switch (random() % 8) {
            case 0:
            case 1:
                one = open(id, path, static_cast<std::uint32_t>(random() % 4 == 0 ? random() % 64 : 0x1a));
                break;
            case 2:
            case 3:
                one = write(id, h, random() % 3, "abc");
                break;
            case 4:
                one = close(id, h);
                break;
            case 5:
                one = fsetstat(id, h, size_attrs(random() % 6));
                break;
            case 6:
                one = request(random() % 2 == 0 ? Type::rename : Type::symlink, id,
                              str(path) + str(k_paths[random() % std::size(k_paths)]));
                break;
            default:
                one = request(static_cast<Type>(1 + random() % 255), id, str(path) + k_no_attrs);
            }
            if (random() % 8 == 0) { // damaged behind the number, but framed
                const std::size_t at = 9 + random() % std::max<std::size_t>(one.size() - 9, 1);
                if (at < one.size())
                    one[at] = static_cast<char>(static_cast<unsigned char>(random() & 0xff));
            }
            input += one;
        }
        const Session s = sftp_session(input);
        CHECK_EQ(s.lines.size(), n);
        for (std::uint32_t id = 0; id < n; ++id)
            CHECK_MSG(s.lines[id].starts_with(std::to_string(id) + " "), s.lines[id]);
        for (const auto& [name, content] : s.delivered) {
            spool::FileName parsed;
            CHECK_MSG(spool::parse_file_name(name, parsed) == Reason::none, escape_visible(name));
            CHECK(content.size() <= 6);
            ++delivered;
        }
    }
    print_message("files delivered %u\n", delivered);
    CHECK(delivered > 500);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_bad_handle_is_no_handle),
        GATE_TEST(a_closed_handle_is_no_handle),
        GATE_TEST(a_directory_is_no_file),
        GATE_TEST(handles_are_bounded_and_come_back),
        GATE_TEST(unknown_requests_are_answered),
        GATE_TEST(extensions_that_are_not_offered_are_refused),
        GATE_TEST(truncated_requests_are_malformed),
        GATE_TEST(a_count_of_4294967295_extended_attributes_ends_with_the_packet),
        GATE_TEST(frames_that_make_no_sense_end_the_session),
        GATE_TEST(the_largest_packet_is_taken),
        GATE_TEST(nothing_is_served_before_init),
        GATE_TEST(the_end_of_input_discards_what_was_not_closed),
        GATE_TEST(every_request_is_answered_once_in_order),
    };
    return cmocka_run_group_tests_name("drop_sftp_abuse", tests, nullptr, nullptr);
}

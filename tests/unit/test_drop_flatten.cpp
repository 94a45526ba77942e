// drop.recursive = flatten: `scp -r` and `put -r` deliver the files, and make no directory anywhere.
#include "tests/unit/support.h"

#include "forcecmd/front/scp/sink.h"
#include "tests/unit/fake_sftp_client.h"

using namespace gate;
using spool::ClientRequest;
using spool::Reason;
using spool::VirtualTree;
using test::by_path;
using test::Outcome;
using test::Type;
using Place = VirtualTree::Place;

namespace {

const std::string k_home = "/var/spool/pandora/data_in";
const VirtualTree k_flat(k_home, true);
const VirtualTree k_tree(k_home);
const std::string k_ack(1, '\0');

Outcome scp(const VirtualTree& tree, std::string target, bool recursive, std::string_view input) {
    ClientRequest request;
    request.kind = ClientRequest::Kind::scp_sink;
    request.target = std::move(target);
    request.recursive = recursive;
    return test::play_any_way(
        [&](drop::Dropbox& dropbox) { return std::make_unique<drop::scp::Sink>(dropbox, tree, request); }, {},
        input);
}

const std::string k_recursive = "D0755 0 dir\nC0644 1 a.1.data\nx" + k_ack +
                                "D0700 0 deeper\nC0644 1 a.2.data\ny" + k_ack + "E\nE\nC0644 1 a.3.data\nz" +
                                k_ack;

void scp_delivers_the_files_of_directories() {
    for (const std::string target : {".", "", "/var/spool/pandora/data_in/dir"}) {
        const Outcome o = scp(k_flat, target, true, k_recursive);
        CHECK_EQ(o.answers, std::string(1 + 1 + 2 + 1 + 2 + 2 + 2, '\0'));
        CHECK_EQ(o.calls, "begin a.1.data 1\nwrite a.1.data @0\ncommit a.1.data 1\n"
                          "begin a.2.data 1\nwrite a.2.data @0\ncommit a.2.data 1\n"
                          "begin a.3.data 1\nwrite a.3.data @0\ncommit a.3.data 1\n");
        CHECK_EQ(o.status, 0);
    }
}

void scp_refuses_directories_that_nobody_asked_for() {
    for (const auto& [tree, recursive] : {std::pair{&k_flat, false}, {&k_tree, true}, {&k_tree, false}}) {
        const Outcome o = scp(*tree, ".", recursive, "D0755 0 dir\n");
        CHECK(o.answers.find(spool::sentence(Reason::recursive)) != std::string::npos);
        CHECK_EQ(o.status, 1);
    }
}

void scp_leaves_no_directory_that_it_has_not_entered() {
    const Outcome o = scp(k_flat, ".", true, "D0755 0 dir\nE\nE\n");
    CHECK_EQ(o.answers.substr(0, 3), std::string(3, '\0'));
    CHECK(o.answers.find(spool::sentence(Reason::protocol)) != std::string::npos);
    CHECK_EQ(o.status, 1);
}

void scp_goes_only_so_deep() {
    std::string input;
    for (unsigned depth = 0; depth < drop::scp::k_max_depth + 1; ++depth)
        input += "D0755 0 d\n";
    const Outcome o = scp(k_flat, ".", true, input);
    CHECK_EQ(o.answers.substr(0, 1 + drop::scp::k_max_depth), std::string(1 + drop::scp::k_max_depth, '\0'));
    CHECK(o.answers.find(spool::sentence(Reason::recursive)) != std::string::npos);
}

void scp_names_of_directories_are_nothing() {
    const Outcome o = scp(k_flat, ".", true, "D0755 0 ../../etc\nC0644 1 a.1.data\nx" + k_ack + "E\n");
    CHECK_EQ(o.status, 0);
    CHECK_EQ(o.delivered.at(0).first, "a.1.data");
}

test::Session sftp(const VirtualTree& tree, std::string_view requests) {
    const Outcome o = test::play_any_way(
        [&](drop::Dropbox& dropbox) { return std::make_unique<drop::sftp::Server>(dropbox, tree); }, {},
        test::k_init + std::string(requests));
    test::Session out{{}, test::read_answers(o.answers), o.calls, o.delivered, o.finished, o.status};
    out.lines.erase(out.lines.begin());
    for (const std::string& line : out.lines)
        out.answers += line + '\n';
    return out;
}

// What OpenSSH's scp -r asks: is it there, make it, is it one now, then the files.
std::string put_recursively() {
    const std::string dir = k_home + "/dir";
    return by_path(Type::stat, 1, dir) + test::request(Type::mkdir, 2, test::str(dir) + test::k_no_attrs) +
           by_path(Type::stat, 3, dir) + test::open(4, dir + "/a.1.data") + test::write(5, 0, 0, "x") +
           test::close(6, 0) + by_path(Type::stat, 7, dir + "/a.1.data") +
           test::request(Type::setstat, 8, test::str(dir) + test::k_no_attrs) + by_path(Type::rmdir, 9, dir);
}

void sftp_delivers_the_files_of_directories() {
    const auto s = sftp(k_flat, put_recursively());
    CHECK_EQ(s.answers.substr(0, s.answers.find("9 ")),
             "1 no_such_file No such file\n2 ok\n3 directory\n4 handle\n5 ok\n6 ok\n7 file 1\n8 ok\n");
    CHECK(s.answers.find("9 permission_denied") != std::string::npos);
    CHECK_EQ(s.delivered.at(0).first, "a.1.data");
}

void sftp_makes_no_directory_otherwise() {
    const auto s = sftp(k_tree, put_recursively());
    CHECK(s.answers.find("2 permission_denied") != std::string::npos);
    CHECK(s.answers.find("4 permission_denied") != std::string::npos);
    CHECK(s.delivered.empty());
}

void sftp_makes_only_so_many_directories() {
    std::string requests;
    for (std::uint32_t n = 0; n <= drop::sftp::k_max_made_directories; ++n)
        requests +=
            test::request(Type::mkdir, n, test::str(k_home + "/d" + std::to_string(n)) + test::k_no_attrs);
    const auto s = sftp(k_flat, requests);
    CHECK_EQ(s.lines.at(drop::sftp::k_max_made_directories - 1),
             std::to_string(drop::sftp::k_max_made_directories - 1) + " ok");
    CHECK(s.lines.back().find("permission_denied") != std::string::npos);
}

void only_what_lies_below_data_in_is_flattened() {
    CHECK(k_flat.locate(k_home + "/x/y/a.1.data").place == Place::file);
    CHECK_EQ(k_flat.locate(k_home + "/x/y/a.1.data").name, "a.1.data");
    for (const std::string& path :
         {std::string("/etc/x/a.1.data"), k_home + "x/a.1.data", k_home + "/../x/a.1.data",
          k_home + "/x/../../y/a.1.data", std::string("/x/a.1.data"), k_home + "/x/"})
        CHECK_MSG(k_flat.locate(path).place != Place::file, path);
    CHECK(k_tree.locate(k_home + "/x/a.1.data").place == Place::outside);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(scp_delivers_the_files_of_directories),
        GATE_TEST(scp_refuses_directories_that_nobody_asked_for),
        GATE_TEST(scp_leaves_no_directory_that_it_has_not_entered),
        GATE_TEST(scp_goes_only_so_deep),
        GATE_TEST(scp_names_of_directories_are_nothing),
        GATE_TEST(sftp_delivers_the_files_of_directories),
        GATE_TEST(sftp_makes_no_directory_otherwise),
        GATE_TEST(sftp_makes_only_so_many_directories),
        GATE_TEST(only_what_lies_below_data_in_is_flattened),
    };
    return cmocka_run_group_tests_name("drop_flatten", tests, nullptr, nullptr);
}

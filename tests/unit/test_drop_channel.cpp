// forcecmd/channel and sealed: messages between front and publisher, and the content that rides on
// them.
#include "tests/unit/support.h"

#include "forcecmd/channel.h"
#include "forcecmd/sealed.h"

#include <algorithm>
#include <array>
#include <span>
#include <sys/mman.h>
#include <sys/socket.h>
#include <vector>

using namespace gate;
using drop::Channel;
using drop::Op;
using drop::Reply;
using drop::Request;
using drop::SealedContent;

namespace {

std::pair<Channel, Channel> make_pair() {
    auto made = Channel::make_pair();
    CHECK_OK(made);
    return std::move(*made);
}

std::size_t open_descriptors() {
    std::size_t n = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        n += entry.path().empty() ? 0U : 1U;
    return n;
}

// A raw message with any number of descriptors.
void send_raw(int fd, std::string_view bytes, const std::vector<int>& files = {}) {
    iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 64)> control{};
    if (!files.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(sizeof(int) * files.size());
        cmsghdr* head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * files.size());
        std::memcpy(CMSG_DATA(head), files.data(), sizeof(int) * files.size());
    }
    CHECK(::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

std::string_view bytes_of(const Request& request) {
    return {reinterpret_cast<const char*>(&request), sizeof request};
}

void a_request_and_a_reply_arrive_whole() {
    auto [front, publisher] = make_pair();
    Request request;
    request.op = Op::begin;
    request.file = 7;
    request.size = 42;
    request.reason = spool::Reason::aborted;
    request.set_text("web1.17.data");
    CHECK_OK(front.send(request));
    const auto received = publisher.receive_request();
    CHECK_OK(received);
    CHECK_EQ(received->request.op, Op::begin);
    CHECK_EQ(received->request.file, 7U);
    CHECK_EQ(received->request.size, 42U);
    CHECK_EQ(received->request.reason, spool::Reason::aborted);
    CHECK_EQ(received->request.get_text(), "web1.17.data");
    CHECK(!received->file.valid());
    CHECK_OK(publisher.send(Reply{.reason = spool::Reason::space_free, .granted_size = 3}));
    const auto reply = front.receive_reply();
    CHECK_OK(reply);
    CHECK(reply->kind == Reply::Kind::answer);
    CHECK_EQ(reply->reason, spool::Reason::space_free);
    CHECK_EQ(reply->granted_size, 3U);
}

void content_rides_in_the_message() {
    auto [front, publisher] = make_pair();
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, drop::k_max_inline}) {
        const std::string content(size, 'c');
        CHECK_OK(front.send(Request{}, -1, content));
        const auto received = publisher.receive_request();
        CHECK_OK(received);
        const auto bytes = received->content;
        CHECK_EQ(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), content);
    }
    CHECK_OK(front.send(Request{}, -1, std::string(drop::k_max_inline + 1, 'c')));
    CHECK_ERR(publisher.receive_request(), Errc::bad_input);
}

void polling_takes_what_is_there_and_waits_for_nothing() {
    auto [front, publisher] = make_pair();
    auto polled = front.poll_reply();
    CHECK_OK(polled);
    CHECK(!polled->has_value());
    CHECK_OK(publisher.send(Reply{.kind = Reply::Kind::grant, .any_size = 1, .granted_size = 4096}));
    polled = front.poll_reply();
    CHECK_OK(polled);
    CHECK(polled->has_value() && (*polled)->kind == Reply::Kind::grant && (*polled)->granted_size == 4096);
    { const Channel gone = std::move(publisher); }
    CHECK_ERR(front.poll_reply(), Errc::closed);
}

// A socket that is closed with something unread tells the other side of a reset, before what it had sent.
void what_was_said_before_leaving_is_heard_although_something_was_left_unread() {
    auto [front, publisher] = make_pair();
    CHECK_OK(publisher.send(Reply{.kind = Reply::Kind::grant}));
    Request bye;
    bye.op = Op::bye;
    CHECK_OK(front.send(bye));
    { const Channel gone = std::move(front); }
    const auto received = publisher.receive_request();
    CHECK_OK(received);
    CHECK_EQ(received->request.op, Op::bye);
    CHECK_ERR(publisher.receive_request(), Errc::closed);
}

void text_is_cut_and_a_lie_about_its_size_is_harmless() {
    Request request;
    request.set_text(std::string(1000, 'x'));
    CHECK_EQ(request.get_text(), std::string(request.text.size(), 'x'));
    request.text_size = UINT16_MAX;
    CHECK_EQ(request.get_text().size(), request.text.size());
    request.set_text("");
    CHECK_EQ(request.get_text(), "");
    // What is cut is still too long for a name: it cannot become one that is accepted.
    CHECK(request.text.size() > 240);
}

void a_message_of_the_wrong_size_is_refused() {
    const Request request;
    for (const std::size_t size :
         {std::size_t{1}, sizeof request - 1, sizeof request + drop::k_max_inline + 1}) {
        auto [front, publisher] = make_pair();
        std::string bytes(bytes_of(request));
        bytes.resize(size, '\0');
        send_raw(front.fd(), bytes);
        CHECK_ERR(publisher.receive_request(), Errc::bad_input);
        bytes.resize(size == 1 ? 1 : sizeof(Reply) + 1);
        send_raw(publisher.fd(), bytes);
        CHECK_ERR(front.receive_reply(), Errc::bad_input);
    }
}

void a_descriptor_is_handed_over() {
    auto [front, publisher] = make_pair();
    const std::size_t before = open_descriptors();
    {
        const Fd file{::memfd_create("x", MFD_CLOEXEC)};
        CHECK(::write(file.get(), "hello", 5) == 5);
        CHECK_OK(front.send(Request{}, file.get()));
        const auto received = publisher.receive_request();
        CHECK_OK(received);
        CHECK(received->file.valid() && received->file.get() != file.get());
        char text[5];
        CHECK(::pread(received->file.get(), text, 5, 0) == 5);
        CHECK_EQ(std::string_view(text, 5), "hello");
        CHECK((::fcntl(received->file.get(), F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK_EQ(open_descriptors(), before);
}

void no_descriptor_leaks_however_many_come() {
    auto [front, publisher] = make_pair();
    const std::size_t before = open_descriptors();
    const Fd file{::memfd_create("x", MFD_CLOEXEC)};
    for (const std::size_t count : {1U, 2U, 4U, 5U, 64U}) {
        {
            send_raw(front.fd(), bytes_of(Request{}), std::vector<int>(count, file.get()));
            const auto received = publisher.receive_request();
            if (count == 1)
                CHECK_OK(received);
            else if (count > 5)
                CHECK_ERR(received, Errc::bad_input);
        }
        CHECK_EQ(open_descriptors(), before + 1);
        // With a message of the wrong size, and on a reply, where none belongs.
        send_raw(front.fd(), "short", std::vector<int>(count, file.get()));
        CHECK_ERR(publisher.receive_request(), Errc::bad_input);
        const Reply reply;
        send_raw(publisher.fd(), {reinterpret_cast<const char*>(&reply), sizeof reply},
                 std::vector<int>(count, file.get()));
        static_cast<void>(front.receive_reply().has_value());
        CHECK_EQ(open_descriptors(), before + 1);
    }
}

void a_peer_that_is_gone_is_noticed() {
    auto [front, publisher] = make_pair();
    CHECK_OK(front.send(Request{}));
    { const Channel gone = std::move(front); }
    CHECK_OK(publisher.receive_request()); // what was sent before still arrives
    CHECK_ERR(publisher.receive_request(), Errc::closed);
    CHECK_ERR(publisher.send(Reply{}), Errc::closed); // and no SIGPIPE
    CHECK_ERR(publisher.receive_reply(), Errc::closed);
}

constexpr int k_all_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Fd memory(std::string_view content, int seals) {
    Fd fd{::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    CHECK(::write(fd.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    CHECK(::fcntl(fd.get(), F_ADD_SEALS, seals) == 0);
    return fd;
}

void sealed_content_is_mapped() {
    for (const std::string& content :
         {std::string("hello"), std::string(2'000'000, 'x'), std::string("\0", 1)}) {
        const Fd fd = memory(content, k_all_seals);
        const auto sealed = SealedContent::map(fd.get(), content.size());
        CHECK_OK(sealed);
        CHECK(std::ranges::equal(sealed->bytes(), std::as_bytes(std::span(content))));
    }
    const Fd empty = memory("", k_all_seals);
    const auto nothing = SealedContent::map(empty.get(), 0);
    CHECK_OK(nothing);
    CHECK(nothing->bytes().empty());
}

// Whoever could still change it could have something else published than was checked.
void content_with_a_seal_missing_is_refused() {
    for (const int missing : {F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL, k_all_seals}) {
        const Fd fd = memory("hello", k_all_seals & ~missing);
        CHECK_ERR(SealedContent::map(fd.get(), 5), Errc::bad_input);
    }
}

void content_of_another_size_is_refused() {
    const Fd fd = memory("hello", k_all_seals);
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{4}, std::uint64_t{6}, UINT64_MAX})
        CHECK_ERR(SealedContent::map(fd.get(), size), Errc::bad_input);
}

void content_that_is_no_memfd_is_refused() {
    const test::TempDir dir;
    test::write_file(dir / "file", "hello");
    const Fd file{::open((dir / "file").c_str(), O_RDONLY | O_CLOEXEC)};
    const Fd directory{::open(dir.path().c_str(), O_RDONLY | O_CLOEXEC)};
    const Fd unsealable{::memfd_create("x", MFD_CLOEXEC)};
    const auto [socket, other] = make_pair();
    for (const int fd : {file.get(), directory.get(), unsealable.get(), socket.fd(), -1})
        CHECK_ERR(SealedContent::map(fd, 5), Errc::bad_input);
    CHECK_ERR(SealedContent::map(unsealable.get(), 0), Errc::bad_input);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_request_and_a_reply_arrive_whole),
        GATE_TEST(content_rides_in_the_message),
        GATE_TEST(polling_takes_what_is_there_and_waits_for_nothing),
        GATE_TEST(what_was_said_before_leaving_is_heard_although_something_was_left_unread),
        GATE_TEST(text_is_cut_and_a_lie_about_its_size_is_harmless),
        GATE_TEST(a_message_of_the_wrong_size_is_refused),
        GATE_TEST(a_descriptor_is_handed_over),
        GATE_TEST(no_descriptor_leaks_however_many_come),
        GATE_TEST(a_peer_that_is_gone_is_noticed),
        GATE_TEST(sealed_content_is_mapped),
        GATE_TEST(content_with_a_seal_missing_is_refused),
        GATE_TEST(content_of_another_size_is_refused),
        GATE_TEST(content_that_is_no_memfd_is_refused),
    };
    return cmocka_run_group_tests_name("drop_channel", tests, nullptr, nullptr);
}

// What a front that was taken over may say to its publisher.
#include "tests/hostile/hostile.h"

#include "lib/base/fs.h"

#include <array>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gate::drop::hostile {

namespace {

constexpr std::string_view k_content = "<agent_data/>";
constexpr int k_all_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Fd memory(int seals) {
    Fd fd{::memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (::pwrite(fd.get(), k_content.data(), k_content.size(), 0) < 0 ||
        ::fcntl(fd.get(), F_ADD_SEALS, seals) != 0)
        fd.reset();
    return fd;
}

Request deliver(std::string_view name, std::uint64_t size) {
    Request request;
    request.op = Op::deliver;
    request.size = size;
    request.set_text(name);
    request.set_verdict({spool::Content::well_formed, "test"});
    return request;
}

std::string answer(Channel& channel) {
    const auto reply = channel.receive_reply();
    return reply ? std::string(spool::text_of(reply->reason).code) : "the publisher is gone";
}

std::string send(Channel& channel, const Request& request, int file = -1) {
    return channel.send(request, file) ? answer(channel) : "the publisher is gone";
}

std::string flood(Channel& channel) {
    Request request;
    request.op = Op::begin;
    while (channel.send(request))
        ;
    return "the publisher is gone";
}

std::string short_message(Channel& channel) {
    std::array<char, 10> bytes{};
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    static_cast<void>(::sendmsg(channel.fd(), &message, MSG_NOSIGNAL) < 0);
    return answer(channel);
}

} // namespace

// `argument` is the name that is delivered.
std::string forge(Channel& channel, std::string_view what, const std::string& argument) {
    const std::uint64_t size = k_content.size();
    Request request = deliver(argument, size);
    if (what == "honest")
        return send(channel, request, memory(k_all_seals).get());
    if (what == "unknown_operation") {
        request.op = Op{99};
        return send(channel, request);
    }
    if (what == "overlong_name") {
        request.text.fill('a');
        request.text_size = 0xFFFF;
        return send(channel, request, memory(k_all_seals).get());
    }
    if (what == "unsealed")
        return send(channel, request, memory(0).get());
    if (what == "not_sealed_against_writing")
        return send(channel, request, memory(k_all_seals & ~F_SEAL_WRITE).get());
    if (what == "another_size")
        return send(channel, deliver(argument, size + 1), memory(k_all_seals).get());
    if (what == "no_content")
        return send(channel, request);
    if (what == "not_open") {
        request.op = Op::commit;
        request.file = 3;
        return send(channel, request, memory(k_all_seals).get());
    }
    if (what == "short_message")
        return short_message(channel);
    if (what == "flood")
        return flood(channel);
    return "no such message";
}

} // namespace gate::drop::hostile

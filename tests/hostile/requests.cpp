// The way of a probe: from the client's command to the process that tries it, and back as a line.
#include "tests/hostile/hostile.h"

#include "lib/base/file.h"

#include <cstring>
#include <span>
#include <unistd.h>

namespace gate::drop::hostile {

namespace {

constexpr std::string_view k_word = "hostile ";
constexpr Op k_probe{0x50524f42};

// "a b c" -> "a", and "b c" stays.
std::string take_word(std::string& text) {
    const std::size_t end = text.find(' ');
    std::string word = text.substr(0, end);
    text.erase(0, end == std::string::npos ? end : end + 1);
    return word;
}

std::string say(int error) {
    return error == 0 ? "done" : std::string("refused ") + ::strerrorname_np(error);
}

std::string ask_publisher(Channel& channel, const std::string& text) {
    Request request;
    request.op = k_probe;
    request.set_text(text);
    if (!channel.send(request))
        return "the publisher is gone";
    const auto reply = channel.receive_reply();
    return reply ? say(static_cast<int>(reply->granted_size)) : "the publisher is gone";
}

} // namespace

bool is_request(const Login& login) {
    return login.command && login.command->starts_with(k_word);
}

bool is_enrolment(const Login& login) {
    return login.command && login.command->starts_with("hostile enrol ");
}

int serve_enrolment(const Login& login, int service, int log) {
    std::string text = login.command->substr(k_word.size());
    static_cast<void>(take_word(text)); // `enrol`
    const std::string probe = take_word(text);
    Target target{.parts = {}, .other = ::getppid(), .argument = text};
    target.parts.channel = service;
    target.parts.log = log;
    const std::string said = say(try_probe(probe, target)) + '\n';
    static_cast<void>(write_all(STDOUT_FILENO, std::as_bytes(std::span(said))).has_value());
    return 0;
}

int serve(Channel& channel, const Login& login) {
    std::string text = login.command->substr(k_word.size());
    const std::string process = take_word(text);
    std::string said;
    if (process == "publisher") {
        said = ask_publisher(channel, text);
    } else {
        const std::string probe = take_word(text);
        if (process == "forge") {
            said = forge(channel, probe, text);
        } else {
            Target target{.parts = {}, .other = ::getppid(), .argument = text};
            target.parts.channel = channel.fd();
            said = say(try_probe(probe, target));
        }
    }
    said += '\n';
    static_cast<void>(write_all(STDOUT_FILENO, std::as_bytes(std::span(said))).has_value());
    return 0;
}

bool take(const Request& request, Channel& channel, const PublisherParts& parts) {
    if (request.op != k_probe)
        return false;
    std::string text(request.get_text());
    const std::string probe = take_word(text);
    const int error = try_probe(probe, {.parts = parts, .other = parts.front, .argument = text});
    Reply reply;
    reply.granted_size = static_cast<std::uint64_t>(error);
    static_cast<void>(channel.send(reply).has_value());
    return true;
}

} // namespace gate::drop::hostile

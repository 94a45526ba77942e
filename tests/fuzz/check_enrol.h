// A login that hands a key over, by stdin and by SFTP: at most one line is handed over, it is the only one
// there is and can stand in a message to the service; nobody is told success for what was refused; every SFTP
// request is answered once, in order and under its number, and no answer shows anything but the session's own
// file.
#pragma once

#include "forcecmd/front/enrol/asked.h"
#include "forcecmd/front/enrol/key_text.h"
#include "forcecmd/front/enrol/sftp_key.h"
#include "forcecmd/front/enrol/stdin_key.h"
#include "tests/fuzz/peak.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/sftp_script.h"

#include <array>
#include <sstream>
#include <vector>

namespace gate::fuzz {

class ModelDesk final : public drop::enrol::Desk {
  public:
    explicit ModelDesk(enrol::Answer answer) : answer_(answer) {}

    enrol::Reply hand_over(std::string_view line) override {
        const auto message =
            enrol::decode_request(encode(enrol::Request{enrol::Wish::enrol, std::string(line)}));
        REQUIRE(message && message->line == line);
        REQUIRE(line.front() != '#' && line.front() != ' ' && line.back() != ' ');
        handed.emplace_back(line);
        return {answer_, "so it is"};
    }
    void refused(spool::Reason why, std::string_view) override {
        REQUIRE(why != spool::Reason::none && why < spool::Reason::last_);
        refusals.push_back(why);
    }

    std::vector<std::string> handed;
    std::vector<spool::Reason> refusals;

  private:
    const enrol::Answer answer_;
};

// What a session has brought about.
struct EnrolPlayed {
    std::string answers;
    std::vector<std::string> handed;
    std::vector<spool::Reason> refusals;
    int status = 0;
    bool operator==(const EnrolPlayed&) const = default;
};

template<class Machine, class... Args>
[[nodiscard]] EnrolPlayed play_enrolment(std::string_view input, enrol::Answer answer, std::size_t chunk,
                                         bool interrupted, const Args&... args) {
    const Peak peak;
    const std::size_t all = input.size();
    EnrolPlayed out;
    ModelDesk desk(answer);
    Machine machine(desk, args...);
    machine.start(out.answers);
    while (!input.empty() && !machine.finished()) {
        const std::string piece(input.substr(0, chunk == 0 ? input.size() : chunk));
        machine.feed(piece, out.answers);
        input.remove_prefix(piece.size());
    }
    if (interrupted)
        machine.interrupt(spool::Reason::session_timeout, out.answers);
    else
        machine.end_of_input(out.answers);
    REQUIRE(machine.finished());
    REQUIRE(peak.bytes() <= 512 * 1024 + 32 * all);
    REQUIRE(desk.handed.size() <= 1);
    out.status = machine.exit_status();
    out.handed = std::move(desk.handed);
    out.refusals = std::move(desk.refusals);
    return out;
}

// The lines that are not blank and no comment, by other means than the machine's.
[[nodiscard]] inline std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> out;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line.back() == '\r')
            line.pop_back();
        while (!line.empty() && (line.back() == ' ' || line.back() == '\t'))
            line.pop_back();
        line.erase(0, std::min(line.find_first_not_of(" \t"), line.size()));
        if (!line.empty() && line.front() != '#')
            out.push_back(line);
    }
    return out;
}

inline void check_enrol_by_stdin(std::string_view text, enrol::Answer answer, bool interrupted) {
    const auto whole = play_enrolment<drop::enrol::StdinKey>(text, answer, 0, interrupted, "cat");
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}})
        REQUIRE(play_enrolment<drop::enrol::StdinKey>(text, answer, chunk, interrupted, "cat") == whole);
    REQUIRE(whole.handed.size() + whole.refusals.size() == 1);
    REQUIRE(!whole.answers.empty() && whole.answers.back() == '\n');
    if (whole.handed.empty()) {
        REQUIRE(whole.status == 1);
        return;
    }
    REQUIRE(!interrupted);
    REQUIRE(whole.handed == lines_of(text));
    REQUIRE((whole.status == 0) == (answer != enrol::Answer::refused));
}

// An SFTP session for the names that an enrolment knows, and others.
class EnrolScript {
  public:
    explicit EnrolScript(std::string_view input) : in_(input) {}

    [[nodiscard]] std::string bytes() {
        std::string out = ssh_packet(1, big_endian(3, 4));
        while (!in_.done())
            out += request();
        return out;
    }

  private:
    [[nodiscard]] std::string path() {
        static constexpr std::array<std::string_view, 12> k_paths = {".ssh/authorized_keys",
                                                                     "/.ssh/authorized_keys",
                                                                     "~/.ssh/authorized_keys",
                                                                     ".ssh/../.ssh/authorized_keys",
                                                                     ".ssh",
                                                                     "/",
                                                                     ".",
                                                                     "",
                                                                     "..",
                                                                     "/etc/passwd",
                                                                     "a.1.data",
                                                                     "/.ssh/authorized_keys/x"};
        const std::uint8_t which = in_.byte();
        return ssh_string(which < 0xe0 ? k_paths[which % k_paths.size()] : in_.text());
    }
    [[nodiscard]] std::string handle() { return ssh_string(big_endian(in_.byte() % 6, 4)); }

    [[nodiscard]] std::string request() {
        const std::string id = big_endian(next_id_ += 3, 4);
        const auto make = [&id](Type type, const std::string& body) {
            return ssh_packet(static_cast<std::uint8_t>(type), id + body);
        };
        constexpr std::array k_by_path = {Type::realpath, Type::stat,   Type::lstat,  Type::mkdir,
                                          Type::opendir,  Type::remove, Type::rename, Type::setstat};
        constexpr std::array k_by_handle = {Type::fstat, Type::readdir, Type::fsetstat, Type::read};
        const std::string none = big_endian(0, 4);
        switch (in_.below(10)) {
        case 0:
        case 1: {
            const std::string name = path();
            return make(Type::open, name + big_endian(in_.byte() < 0xd0 ? 0x1a : 1, 4) + none);
        }
        case 2:
        case 3:
        case 4: {
            const std::string at = handle();
            const std::uint8_t offset = in_.byte();
            return make(Type::write, at + big_endian(offset < 0xf0 ? offset % 32 : UINT64_MAX - offset, 8) +
                                         ssh_string(in_.text()));
        }
        case 5:
            return make(Type::close, handle());
        case 6: {
            const Type type = k_by_path[in_.below(k_by_path.size())];
            return make(type, path() + (type == Type::rename ? path() : none));
        }
        case 7: {
            const Type type = k_by_handle[in_.below(k_by_handle.size())];
            return make(type, handle() + none);
        }
        case 8: {
            const std::uint8_t type = in_.byte();
            return ssh_packet(type, id + std::string(in_.text()));
        }
        default:
            return std::string(in_.text());
        }
    }

    Decisions in_;
    std::uint32_t next_id_ = 0;
};

// Each request that is whole has one answer, of its number.
inline void check_enrol_answers(std::string_view bytes, std::string_view answers) {
    const auto number = [](std::string_view text, std::size_t at) {
        std::uint32_t value = 0;
        for (const char c : text.substr(at, 4))
            value = value << 8 | static_cast<unsigned char>(c);
        return value;
    };
    for (bool first = true; !answers.empty(); first = false) {
        REQUIRE(answers.size() >= 9 && number(answers, 0) <= answers.size() - 4);
        REQUIRE(bytes.size() >= 5 && number(bytes, 0) <= bytes.size() - 4);
        const auto type = static_cast<Type>(answers[4]);
        REQUIRE(type == Type::status || type == Type::handle || type == Type::name || type == Type::attrs ||
                (first && type == Type::version)); // DATA is not among them
        REQUIRE(first == (type == Type::version));
        REQUIRE(first || number(answers, 5) == number(bytes, 5));
        answers.remove_prefix(number(answers, 0) + 4);
        bytes.remove_prefix(number(bytes, 0) + 4);
    }
}

inline void check_enrol_by_sftp(std::string_view bytes, enrol::Answer answer, bool interrupted) {
    const auto whole = play_enrolment<drop::enrol::SftpKey>(bytes, answer, 0, interrupted);
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}})
        REQUIRE(play_enrolment<drop::enrol::SftpKey>(bytes, answer, chunk, interrupted) == whole);
    check_enrol_answers(bytes, whole.answers);
    if (!whole.handed.empty() && answer == enrol::Answer::refused)
        REQUIRE(whole.status == 1);
    if (whole.status != 0)
        REQUIRE(!whole.refusals.empty() || answer == enrol::Answer::refused);
}

// First byte: how the key comes, what the service says, how the session ends.
inline void check_enrol(std::string_view input) {
    Decisions in(input);
    const std::uint8_t how = in.byte();
    const auto answer = static_cast<enrol::Answer>(how / 4 % 3 + 1);
    const bool interrupted = (how & 0x80) != 0;
    const std::string_view rest = in.rest();
    if (how % 4 == 0)
        check_enrol_by_stdin(rest, answer, interrupted);
    else if (how % 4 == 1)
        check_enrol_by_sftp(rest, answer, interrupted);
    else if (how % 4 == 2)
        check_enrol_by_sftp(EnrolScript(rest).bytes(), answer, interrupted);
    else { // the command: nothing that is a packet's way in is taken for another
        const std::string command(rest);
        const auto asked = drop::enrol::parse_asked(command);
        using Kind = drop::enrol::Asked::Kind;
        REQUIRE(!asked.scp_protocol || asked.kind == Kind::refused);
        REQUIRE(asked.kind != Kind::install || command == "enrol" ||
                command.find("authorized_keys") != std::string::npos);
        REQUIRE(!command.starts_with("scp ") || asked.kind == Kind::refused);
        REQUIRE((asked.kind == Kind::greeting) == command.empty());
    }
}

} // namespace gate::fuzz

// A Desk in memory with a scripted answer and a log of what it was asked, and the means to play a client's
// bytes to a Machine of the enrolment in any chunking.
#pragma once

#include "forcecmd/front/dropbox.h"
#include "forcecmd/front/enrol/desk.h"
#include "tests/unit/support.h"

#include <functional>
#include <memory>
#include <string>

namespace gate::test {

class FakeDesk final : public drop::enrol::Desk {
  public:
    enrol::Reply reply{enrol::Answer::accepted, "it may log in now"};
    std::string calls; // a line each

    enrol::Reply hand_over(std::string_view line) override {
        calls += "key " + escape_visible(line, 10'000) + '\n';
        return reply;
    }
    void refused(spool::Reason why, std::string_view request) override {
        calls += "refused " + std::string(spool::text_of(why).code) + ' ' + escape_visible(request) + '\n';
    }
};

struct Enrolled {
    std::string answers;
    std::string calls;
    bool finished = false; // before the end of input
    int status = 0;
    bool operator==(const Enrolled&) const = default;
};

using MakeEnrolment = std::function<std::unique_ptr<drop::Machine>(drop::enrol::Desk&)>;

inline Enrolled play_enrolment(const MakeEnrolment& make, const enrol::Reply& reply, std::string_view input,
                               const std::function<std::size_t()>& chunk) {
    FakeDesk desk;
    desk.reply = reply;
    Enrolled out;
    const auto machine = make(desk);
    machine->start(out.answers);
    while (!input.empty() && !machine->finished()) {
        // A copy of just these bytes: reading behind them is seen by the sanitizers.
        const std::string piece(input.substr(0, chunk()));
        machine->feed(piece, out.answers);
        input.remove_prefix(piece.size());
    }
    out.finished = machine->finished();
    if (!out.finished)
        machine->end_of_input(out.answers);
    CHECK(machine->finished());
    // To what is over, nothing is said, and nothing comes of it.
    const std::string said = out.answers;
    const std::string done = desk.calls;
    machine->feed("ssh-ed25519 MORE\n", out.answers);
    machine->end_of_input(out.answers);
    machine->interrupt(spool::Reason::idle_timeout, out.answers);
    CHECK_EQ(out.answers, said);
    CHECK_EQ(desk.calls, done);
    out.status = machine->exit_status();
    out.calls = std::move(desk.calls);
    return out;
}

// The same in one piece, cut at every byte, byte by byte, and in random pieces: there must be no difference.
inline Enrolled enrol_any_way(const MakeEnrolment& make, const enrol::Reply& reply, std::string_view input) {
    const Enrolled whole = play_enrolment(make, reply, input, [&] { return input.size(); });
    auto random = seeded();
    const auto again = [&](const std::function<std::size_t()>& chunk) {
        const Enrolled other = play_enrolment(make, reply, input, chunk);
        CHECK_EQ(escape_visible(other.answers, 100'000), escape_visible(whole.answers, 100'000));
        CHECK_EQ(other.calls, whole.calls);
        CHECK_MSG(other == whole, "chunking makes a difference");
    };
    again([] { return std::size_t{1}; });
    for (int way = 0; way < 4; ++way)
        again([&, most = std::size_t{4} << (way * 3)] { return 1 + random() % most; });
    constexpr std::size_t k_cuts = 600; // of longer inputs the beginning
    for (std::size_t at = 1; at < std::min(input.size(), k_cuts); ++at) {
        bool first = true;
        again([&] { return std::exchange(first, false) ? at : input.size(); });
    }
    return whole;
}

} // namespace gate::test

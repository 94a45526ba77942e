// What the protocols of an enrolment may ask for: the Desk, where a public key is handed in. They turn a
// client's bytes into these calls, and know no rule of who may let in what: the enrolment service does.
#pragma once

#include "lib/enrol/message.h"
#include "lib/spool/reason.h"

#include <string_view>

namespace gate::drop::enrol {

class Desk {
  public:
    Desk() = default;
    Desk(const Desk&) = delete;
    Desk& operator=(const Desk&) = delete;
    virtual ~Desk() = default;

    // Hands one line of a public key over (as only_key() gives it), at most once in a session; waits for the
    // answer. A service that does not answer is a refusal, which the audit is told of.
    [[nodiscard]] virtual gate::enrol::Reply hand_over(std::string_view line) = 0;
    // A refusal that was decided here, for the audit: what was asked for, in the client's words.
    virtual void refused(spool::Reason why, std::string_view request) = 0;
};

} // namespace gate::drop::enrol

// What becomes of uploads that are not simply taken, for the audit. Each of it may be seen again at every
// pass: told once in audit.repeat_window.
#pragma once

#include "lib/spool/drop_trail.h"

namespace gate::sweep {

using spool::DropFacts;

class Trail : public spool::DropTrail {
  public:
    using DropTrail::DropTrail;

    // It cannot be taken now, and waits where it is.
    void waiting(const DropFacts& upload, spool::Reason why, const Error* cause = nullptr);
    // Its packet has no end: it waits `seconds` for another one of the same name. `replaced`: it took the
    // place of one that waited already.
    void held(const DropFacts& upload, std::uint64_t seconds, bool replaced);
    // The one that was held is gone: the same name came again, whole.
    void replaced(const DropFacts& upload);
    // It is not taken, ever, and stays where it is.
    void refused(const DropFacts& upload, spool::Reason why, const Error* cause = nullptr);
    // A sweep was ended after it had taken the upload, before it could say so or remove it.
    void recovered(const DropFacts& upload);
    // The pass was ended, because going on could lose or double something.
    void failed(const Error& cause);
};

// A pass cannot work at all; `sender` is empty where it is not known whose.
void report_failure(std::string_view sender, const Error& cause);

} // namespace gate::sweep

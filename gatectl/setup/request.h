// What was asked of `pandora-gate setup`, and how it is told.
#pragma once

#include "gatectl/context.h"
#include "gatectl/setup/place.h"
#include "gatectl/setup/runner.h"
#include "gatectl/setup/sshd.h"

#include <string>
#include <vector>

namespace gate::ctl::setup {

struct Request {
    std::string part; // empty: account and ssh
    bool apply = false;
    bool remove = false;
    bool force = false; // with remove: what was changed since, too
    std::vector<std::string> yes_break;
    std::string ftp_user;
    SshWishes ssh;
    // What was said in so many words, also where it is what nobody has to say: an earlier setup's wish for it
    // is not kept.
    struct Said {
        bool legacy_clients = false;
        bool enrolment = false;
        bool agents = false;
        bool interval = false;
    } said{};

    [[nodiscard]] bool wants(const std::string& which) const {
        return part.empty() ? which != "ftp" || remove : part == which;
    }
};

// Returns what belongs on stdout; throws Problem. Nothing is changed then: what was begun is taken back.
[[nodiscard]] std::string setup(Context& context, Place& place, Runner& runner, const Request& request);

} // namespace gate::ctl::setup

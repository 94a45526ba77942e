// `pandora-gate enrol ...`, and `keys pending`, `approve`, `reject`. Each returns what belongs on stdout;
// each throws Problem.
#pragma once

#include "gatectl/context.h"

#include <string>
#include <vector>

namespace gate::ctl {

struct CodeRequest {
    std::vector<std::string> agents{};
    std::string duration = "2h"; // how long the code is good
    std::vector<std::string> from{};
    std::string expires{}; // of the key, as typed; empty: never
    std::string note{};
    bool replace = false;
    std::string csv{}; // a table in place of --agent, --from, --expires; "-": standard input
};

[[nodiscard]] std::string make_codes(Context& context, const CodeRequest& request);
[[nodiscard]] std::string list_codes(Context& context);
[[nodiscard]] std::string cancel_code(Context& context, const std::string& id);

[[nodiscard]] std::string enrolment_on(Context& context, const std::string& duration);
[[nodiscard]] std::string enrolment_off(Context& context);
[[nodiscard]] std::string enrolment_status(Context& context);

struct ServeRequest {
    bool once = false; // one connection, then end
};
[[nodiscard]] std::string serve_enrolment(Context& context, const ServeRequest& request);

struct ApproveRequest {
    std::string id{}; // empty: the only one that waits
    std::vector<std::string> agents{};
    bool replace = false;
};
[[nodiscard]] std::string list_pending(Context& context);
[[nodiscard]] std::string approve_key(Context& context, const ApproveRequest& request);
[[nodiscard]] std::string reject_key(Context& context, const std::string& id);

} // namespace gate::ctl

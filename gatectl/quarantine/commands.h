// `pandora-gate quarantine ...`. Each returns what belongs on stdout; each throws Problem.
#pragma once

#include "gatectl/context.h"

#include <string>
#include <vector>

namespace gate::ctl {

inline constexpr int k_something_waits = 3; // exit status of `quarantine list`

[[nodiscard]] std::string list_quarantine(Context& context, bool json);

struct ShowRequest {
    std::string id;
    bool json = false;
    bool raw = false; // the packet's bytes
};
[[nodiscard]] std::string show_quarantine(Context& context, const ShowRequest& request);

struct ReleaseRequest {
    std::vector<std::string> ids;
    bool rebind = false; // the packet's agent is bound to the key as well
};
[[nodiscard]] std::string release_quarantine(Context& context, const ReleaseRequest& request);

struct PurgeRequest {
    std::vector<std::string> ids;
    std::string older_than; // "30d"
    bool all = false;
};
// Without anything: what is older than quarantine.max_age.
[[nodiscard]] std::string purge_quarantine(Context& context, const PurgeRequest& request);

} // namespace gate::ctl

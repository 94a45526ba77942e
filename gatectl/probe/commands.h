// `pandora-gate probe HOST`, `probe ftp://HOST`: what the vendor's document asks its reader to do last: log
// in as an agent does, and try everything that must not be possible. It needs neither root nor a store, and
// runs from any machine. What a try has left behind it takes away again, where it can. Throws Problem.
#pragma once

#include "gatectl/context.h"
#include "gatectl/registry.h"

#include <algorithm>
#include <string>
#include <vector>

namespace gate::ctl {

struct ProbeRequest {
    std::string target{}; // HOST, or ftp://HOST[:PORT]
    int port = 0;         // 0: 22, or what the URL says
    std::string user = "pandora";
    std::string path = "/var/spool/pandora/data_in";
    std::string agent = "pandora-gate-probe"; // whose files it says to send
    // by SSH
    std::string key{};
    std::string known_hosts{};    // empty: the user's own
    bool accept_host_key = false; // by FTP: a certificate that nobody vouches for
    bool deliver = false;         // a packet of `agent`, too
    // by FTP
    std::string password_file{};
    std::string ca{}; // who vouches for the certificate; empty: whom this machine believes
    bool plain = false;
    std::vector<std::string> skip{};
    std::vector<std::string> only{}; // none: all
    bool json = false;

    [[nodiscard]] bool wants(const std::string& name) const {
        const auto in = [&name](const std::vector<std::string>& names) {
            return std::find(names.begin(), names.end(), name) != names.end();
        };
        return !in(skip) && (only.empty() || in(only));
    }
};

// The context's exit status: 0 nothing succeeded, 1 something did (or what must be accepted was not), 2
// something could not be tried.
[[nodiscard]] std::string probe(Context& context, const ProbeRequest& request);

void register_probe(const Registry& registry);

} // namespace gate::ctl

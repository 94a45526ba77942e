#include "forcecmd/front/front.h"

#include "forcecmd/front/pump.h"
#include "forcecmd/front/remote_dropbox.h"
#include "forcecmd/front/request.h"
#include "forcecmd/front/scp/sink.h"
#include "forcecmd/front/sftp/server.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <algorithm>
#include <memory>

namespace gate::drop {

namespace {

void print(int fd, std::string_view text) {
    // A client that does not listen any more is no error of ours.
    static_cast<void>(write_all(fd, std::as_bytes(std::span(text))).has_value());
}

// Three lines for a person who logs in by hand: who you are here, what this is, how to use it.
void greet(const Login& login) {
    // More names than this do not help a reader; a broker's key may have thousands.
    constexpr std::size_t k_shown_agents = 3;
    std::string agents;
    for (std::size_t i = 0; i < login.key.agents.size() && i < k_shown_agents; ++i)
        agents += (i == 0 ? "" : ", ") + escape_visible(login.key.agents[i].name);
    if (login.key.agents.size() > k_shown_agents)
        agents += ", ...";
    const std::string first = login.key.agents.empty() ? "AGENT" : escape_visible(login.key.agents[0].name);
    print(STDOUT_FILENO,
          "You are the key " + keyring::format_fingerprint(login.key.fingerprint) + " (" + login.key.id +
              "), sending for: " + agents +
              ".\nThis account only receives Pandora FMS data: it has no shell, and nothing can be "
              "listed or read.\nSend a packet with: scp " +
              first + ".1.data " + login.policy.account_user + "@SERVER:" + login.policy.spool_directory +
              "\n");
}

int refuse(RemoteDropbox& dropbox, const ClientRequest& request, std::string_view command) {
    dropbox.refused(request.reason, command);
    const std::string text = spool::sentence(request.reason) + "\n";
    if (request.scp_protocol)
        print(STDOUT_FILENO, '\1' + text);
    else
        print(STDERR_FILENO, text);
    return 1;
}

int serve(Channel& channel, RemoteDropbox& dropbox, const Login& login) {
#ifdef GATE_HOSTILE
    if (hostile::is_request(login))
        return hostile::serve(channel, login);
#endif
    const ClientRequest request = parse_request(login.command);
    const VirtualTree tree(login.policy.spool_directory,
                           login.policy.drop_recursive == keyring::Recursive::flatten);
    std::unique_ptr<Machine> machine;
    switch (request.kind) {
    case ClientRequest::Kind::exit:
        return 0;
    case ClientRequest::Kind::interactive:
        dropbox.refused(spool::Reason::shell, {}); // told the audit; the person is greeted
        greet(login);
        return 0;
    case ClientRequest::Kind::refused:
        return refuse(dropbox, request, login.command.value_or(""));
    case ClientRequest::Kind::scp_sink:
        machine = std::make_unique<scp::Sink>(dropbox, tree, request);
        break;
    case ClientRequest::Kind::sftp:
        machine = std::make_unique<sftp::Server>(dropbox, tree);
        break;
    }
    const int status = pump(*machine, Ends{.publisher = channel.fd()},
                            Timeouts{login.policy.drop_idle_timeout, login.policy.drop_session_timeout});
    return dropbox.broken() ? std::max(1, status) : status;
}

} // namespace

int run_front(Channel channel, const Login& login) {
    RemoteDropbox dropbox(channel, login.policy, login.key);
    const int status = serve(channel, dropbox, login);
    Request bye;
    bye.op = Op::bye;
    bye.size = static_cast<std::uint64_t>(status);
    static_cast<void>(channel.send(bye).has_value()); // without it the publisher takes the worst
    return status;
}

} // namespace gate::drop

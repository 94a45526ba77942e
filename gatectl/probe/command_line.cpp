#include "gatectl/probe/commands.h"
#include "gatectl/probe/ftp_tries.h"
#include "gatectl/probe/interrupts.h"
#include "gatectl/probe/ssh_tries.h"
#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <memory>

namespace gate::ctl {

namespace {

constexpr std::string_view k_ftp = "ftp://";

// HOST, [HOST], HOST:PORT, [HOST]:PORT; what follows a slash is taken off.
void split_url(ProbeRequest& request) {
    std::string host = request.target.substr(k_ftp.size());
    host.resize(std::min(host.find('/'), host.size()));
    const std::size_t bracket = host.rfind(']');
    const std::size_t colon = host.rfind(':');
    if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
        const auto port = parse_u64(std::string_view(host).substr(colon + 1));
        if (!port || *port == 0 || *port > 65535)
            stop(Status::usage, "\"{}\" has no port behind its colon", escape_visible(request.target));
        request.port = static_cast<int>(*port);
        host.resize(colon);
    }
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    request.target = host;
}

[[nodiscard]] ProbeReport run(Context& context, ProbeRequest request) {
    const bool ftp = request.target.starts_with(k_ftp);
    const int usual = ftp ? 21 : 22;
    if (ftp)
        split_url(request);
    if (request.target.empty() || request.target.starts_with('-') || request.user.starts_with('-'))
        stop(Status::usage, "\"{}\" is no host", escape_visible(request.target));
    if (request.port == 0)
        request.port = usual;
    if (ftp ? request.password_file.empty() : request.key.empty())
        stop(Status::usage, "{}", ftp ? "give --password-file FILE" : "give --key PRIVATE_KEY");
    return ftp ? probe_ftp(context, request) : probe_ssh(context, request);
}

} // namespace

std::string probe(Context& context, const ProbeRequest& request) {
    const Interrupts signals;
    const ProbeReport report = run(context, request);
    if (report.interrupted)
        context.remarks.emplace_back("interrupted: not all was tried");
    context.exit_status = exit_status(report);
    return request.json ? dump(to_json(report)) : to_text(report, static_cast<std::size_t>(context.columns));
}

void register_probe(const Registry& registry) {
    const auto request = std::make_shared<ProbeRequest>();
    auto* probe =
        registry.app.add_subcommand("probe", "Log in as an agent does, and try all that is forbidden");
    probe->add_option("HOST", request->target, "A host, or ftp://HOST[:PORT]")->required();
    probe->add_option("--port", request->port, "Its port")->type_name("N")->check(CLI::Range(1, 65535));
    probe->add_option("--user", request->user, "The account")->capture_default_str();
    probe->add_option("--path", request->path, "data_in")->type_name("DIRECTORY")->capture_default_str();
    probe->add_option("--agent", request->agent, "Whose files it says to send")
        ->type_name("NAME")
        ->capture_default_str();
    probe->add_option("--key", request->key, "SSH: the private key")->type_name("FILE");
    probe->add_option("--known-hosts", request->known_hosts, "SSH: instead of ~/.ssh/known_hosts")
        ->type_name("FILE");
    probe->add_flag("--accept-host-key", request->accept_host_key,
                    "Believe whatever key, or certificate, it has");
    probe->add_flag("--deliver", request->deliver, "SSH: a packet of --agent too, which must be accepted");
    probe->add_option("--password-file", request->password_file, "FTP: its first line is the password")
        ->type_name("FILE");
    probe->add_option("--ca", request->ca, "FTP: who vouches for the certificate")->type_name("FILE");
    probe->add_flag("--plain", request->plain, "FTP: also without TLS");
    probe->add_option("--skip", request->skip, "Leave this try out; may be repeated")
        ->type_name("TRY")
        ->expected(1)
        ->take_all();
    probe->add_option("--only", request->only, "Try nothing but this; may be repeated")
        ->type_name("TRY")
        ->expected(1)
        ->take_all();
    probe->add_flag("--json", request->json, "For programs");
    probe->callback([request, context = &registry.context, run = &registry.command] {
        *run = [request, context] { return gate::ctl::probe(*context, *request); };
    });
}

} // namespace gate::ctl

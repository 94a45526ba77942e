#include "gatectl/setup/command_line.h"

#include "gatectl/problem.h"
#include "gatectl/setup/request.h"

#include <memory>

namespace gate::ctl {

namespace {

constexpr std::uint64_t k_most_agents = 100'000; // a server's documented scale is 2,500
constexpr std::uint64_t k_longest_interval = 24 * 60 * 60;

struct Words {
    setup::Request request;
    bool no_enrolment = false;
    bool no_legacy_clients = false;
    const CLI::Option* agents = nullptr;
    const CLI::Option* interval = nullptr;
};

[[nodiscard]] std::string run(Context& context, Words& words) {
    setup::Request& request = words.request;
    request.ssh.enrolment = !words.no_enrolment;
    request.said.enrolment = request.said.enrolment || words.no_enrolment;
    request.said.legacy_clients = request.ssh.legacy_clients || words.no_legacy_clients;
    request.said.agents = words.agents->count() != 0;
    request.said.interval = words.interval->count() != 0;
    if (context.owner != 0)
        stop(Status::no_permission, "setup changes the machine: run it as root, for instance with sudo");
    if (!request.ftp_user.empty() && request.part != "ftp")
        stop(Status::usage, "--user is for `setup ftp`");
    if (request.apply)
        context.dry_run = false;
    else if (!request.remove)
        context.dry_run = true;
    setup::Place place;
    setup::Runner runner;
    return setup::setup(context, place, runner, request);
}

} // namespace

void register_setup(const Registry& registry) {
    Context& context = registry.context;
    auto words = std::make_shared<Words>();
    setup::Request& request = words->request;
    auto* one = registry.app.add_subcommand("setup", "Make the account, sshd and PAM (or FTP) ready, or take "
                                                     "that back");
    one->add_option("PART", request.part, "Only this; without it, account and ssh")
        ->check(CLI::IsMember({"account", "ssh", "ftp"}));
    auto* dry = one->add_flag("--dry-run", context.dry_run, "Only show what would be changed (the default)");
    auto* apply = one->add_flag("--apply", request.apply, "Change it")->excludes(dry);
    auto* remove =
        one->add_flag("--remove", request.remove, "Take back what setup has changed")->excludes(apply);
    one->add_flag("--force", request.force, "With --remove: also what was changed since")->needs(remove);
    one->add_flag("--json", context.json, "For programs");
    one->add_option("--yes-break", request.yes_break, "What lives as the account and may stop to work")
        ->type_name("NAME")
        ->allow_extra_args(false);
    one->add_option("--own-port", request.ssh.own_port, "An sshd of its own, on this port")
        ->type_name("PORT")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{65535}));
    auto* legacy = one->add_flag("--legacy-clients", request.ssh.legacy_clients,
                                 "Old key exchanges and ciphers there, too")
                       ->needs("--own-port");
    one->add_flag("--no-legacy-clients", words->no_legacy_clients, "Not any more")->excludes(legacy);
    words->agents =
        one->add_option("--agents", request.ssh.sizes.agents, "How many may come at the same moment")
            ->type_name("N")
            ->check(CLI::Range(std::uint64_t{1}, k_most_agents));
    words->interval =
        one->add_option("--interval", request.ssh.sizes.interval, "Seconds between two packets of one agent")
            ->type_name("SECONDS")
            ->check(CLI::Range(std::uint64_t{1}, k_longest_interval));
    auto* keys_only = one->add_flag("--no-enrolment", words->no_enrolment,
                                    "Keys only: no password of any kind is looked at");
    one->add_flag("--enrolment", request.said.enrolment,
                  "Keys come in by enrolment again (the default at first)")
        ->excludes(keys_only);
    one->add_option("--user", request.ftp_user, "With ftp: make this user, with a password of its own")
        ->type_name("NAME");
    one->callback([&context, words, command = &registry.command] {
        *command = [&context, words] { return run(context, *words); };
    });
}

} // namespace gate::ctl

// sweep: takes what was uploaded by FTP to where the Pandora server reads it. sweep(8).
//
// One process watches, and starts another one for each directory in which something has arrived.

#include "ftpsweep/account.h"
#include "ftpsweep/options.h"
#include "ftpsweep/watch.h"
#include "lib/base/text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <exception>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

namespace {

using namespace gate;
using namespace gate::sweep;

// Exit statuses; sweep(8) lists them.
constexpr int k_exit_waiting = 1;
constexpr int k_exit_usage = 64;
constexpr int k_exit_keyring = 65;
constexpr int k_exit_failed = 70;
constexpr int k_exit_changed = 75;
constexpr int k_exit_account = 77;
constexpr int k_exit_config = 78;

constexpr const char* k_usage = "usage: sweep [--once] [--inbox DIRECTORY --owner USER --sender NAME]";

int complain(int status, const std::string& what, const char* remedy) {
    std::fprintf(stderr, "sweep: %s; %s\n", what.c_str(), remedy);
    return status;
}

std::string explain(const Error& error) {
    return error.sys_errno == 0 ? std::string(error.what)
                                : std::string(error.what) + ": " + ::strerrordesc_np(error.sys_errno);
}

// Not the sender's alone, who may have an upload directory too; no name of a user has a colon.
std::string id_of(const OtherInbox& inbox) {
    const std::uint64_t hash = XXH3_64bits(inbox.directory.data(), inbox.directory.size());
    return inbox.sender + ':' + hex_encode(std::bit_cast<std::array<std::uint8_t, sizeof hash>>(hash));
}

Result<Duty> read_duty(const Options& options) {
    GATE_TRY(keyring::Reader keyring, keyring::Reader::open(keyring::k_default_path));
    GATE_TRY(keyring::Policy policy, keyring.policy());
    Duty out{.keyring = std::move(keyring), .policy = std::move(policy), .places = {}, .parent = {}};
    if (options.inbox) {
        GATE_TRY(out.owner, find_user(options.inbox->owner));
        out.places.push_back({options.inbox->sender, options.inbox->directory, id_of(*options.inbox)});
        return out;
    }
    if (!out.policy.ftp_enabled)
        return out;
    out.owner = out.policy.ftp_uid;
    out.parent = out.policy.ftp_directory;
    return out;
}

// What `publish` makes after it has published.
Result<void> add_places(Duty& duty) {
    if (duty.parent.empty())
        return {};
    GATE_TRY(duty.places, find_places(duty.parent));
    return {};
}

int sweep_once(const Duty& duty) {
    bool waiting = false;
    bool failed = false;
    for (const Place& place : duty.places) {
        PassStatus status{};
        while ((status = start_pass(duty, place, true)) == PassStatus::more) {
        }
        failed = failed || status == PassStatus::failed;
        waiting = waiting || status != PassStatus::done;
    }
    if (failed)
        return complain(k_exit_failed, "not everything could be swept", "the audit log has the cause");
    return waiting ? k_exit_waiting : 0;
}

// A new keyring may say that somebody else does this, or in other groups.
bool is_for_us(const Duty& next, const Duty& now) {
    return next.policy.account_user == now.policy.account_user && next.policy.ftp_gid == now.policy.ftp_gid &&
           next.parent == now.parent; // none: FTP is not enabled any more
}

int sweep_for_ever(const Options& options, Duty duty) {
    std::string directory = keyring::k_default_path;
    directory.resize(directory.rfind('/'));
    auto watch = Watch::start(directory);
    if (!watch)
        return complain(k_exit_failed, explain(watch.error()), "see fs.inotify in sysctl(8)");
    for (;;) {
        watch->serve(duty);
        auto next = read_duty(options);
        if (!next)
            continue; // the last good keyring holds
        if (!is_for_us(*next, duty))
            return complain(k_exit_changed, "the settings of FTP have changed", "start it again");
        if (add_places(*next))
            duty = std::move(*next);
    }
}

int run(int argc, char** argv) {
    ::umask(077);
    const auto options = parse_options({argv + 1, static_cast<std::size_t>(std::max(argc - 1, 0))});
    if (!options)
        return complain(k_exit_usage, options.error(), k_usage);
    auto duty = read_duty(*options);
    if (!duty)
        return complain(k_exit_keyring, explain(duty.error()), "run pandora-gate publish");
    if (!options->inbox && !duty->policy.ftp_enabled)
        return complain(k_exit_config, "ftp.enabled is false",
                        "set it in gate.toml and run pandora-gate publish");
    if (const auto added = add_places(*duty); !added)
        return complain(k_exit_keyring, explain(added.error()), "run pandora-gate publish");
    if (const auto become = become_account(duty->policy); !become)
        return complain(k_exit_account, explain(become.error()), "run it as root");
    return options->once ? sweep_once(*duty) : sweep_for_ever(*options, std::move(*duty));
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& e) {
        return complain(k_exit_failed, e.what(), "it was ended as it was: start it again");
    }
}

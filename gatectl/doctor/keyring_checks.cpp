// The store, what was published of it, the policy, and the keys themselves.
#include "gatectl/doctor/table.h"

#include "gatectl/problem.h"
#include "gatectl/publish/compare.h"
#include "gatectl/publish/policy_text.h"
#include "lib/base/text.h"

#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

constexpr const char* k_publish = "pandora-gate publish";

void no_keyring(const Facts& f, Report& report) {
    if (f.keyring.state == Present::State::none)
        report.add(fmt::format("there is no {}", escape_visible(f.context.keyring)), k_publish);
}

void damaged(const Facts& f, Report& report) {
    if (f.keyring.state == Present::State::unusable)
        return report.add(fmt::format("{}: {}", escape_visible(f.context.keyring), describe(f.keyring.error)),
                          k_publish);
    if (const auto whole = f.keyring.reader->verify(); !whole)
        report.add(fmt::format("{}: {}", escape_visible(f.context.keyring), describe(whole.error())),
                   k_publish);
    else if (!f.keyring.policy)
        report.add(fmt::format("{}: its policy cannot be read", escape_visible(f.context.keyring)),
                   k_publish);
}

void unreadable(const Facts& f, Report& report) {
    const auto st = f.machine.stat(f.context.keyring);
    for (const char* name : {"_pandora-gate", f.user().c_str()}) {
        const auto user = find_user(f.machine, name);
        if (st && user && !may(*user, *st, 4))
            return report.add(fmt::format("{} has mode {:04o}: {} may not read it",
                                          escape_visible(f.context.keyring), st->st_mode & 07777U, name),
                              fmt::format("chmod 644 {}", escape_visible(f.context.keyring)));
    }
}

void bad_config(const Facts& f, Report& report) {
    if (!f.config_wrong.empty())
        report.add(f.config_wrong,
                   "mend that line, then pandora-gate publish --dry-run and pandora-gate publish");
}

void config_changed(const Facts& f, Report& report) {
    if (!f.keyring.policy || !f.config || *f.config == *f.keyring.policy)
        return;
    report.add(fmt::format("{} says other than the keyring: {}", escape_visible(f.context.config),
                           some_of(policy_changes(*f.keyring.policy, *f.config))),
               k_publish);
}

void no_store(const Facts& f, Report& report) {
    if (f.store.missing)
        report.add(fmt::format("there is no {}", escape_visible(f.context.store)),
                   "pandora-gate restore FILE, unless this is a standby server, which needs none");
}

void bad_store(const Facts& f, Report& report) {
    if (!f.store.wrong.empty())
        report.add(f.store.wrong, "pandora-gate restore FILE, from a backup");
}

void behind(const Facts& f, Report& report) {
    const auto& last = f.store.published;
    if (f.store.missing || last.generation == 0)
        return;
    if (f.keyring.generation < last.generation)
        report.add(fmt::format("the keyring is generation {}, the store has published {}",
                               f.keyring.generation, last.generation),
                   k_publish);
    else if (f.keyring.generation == last.generation && mark_of(*f.keyring.reader) != last.mark)
        report.add(
            fmt::format("the keyring calls itself generation {}, but is not the one that the store published",
                        last.generation),
            k_publish);
}

void ahead(const Facts& f, Report& report) {
    if (!f.store.missing && f.keyring.generation > f.store.published.generation)
        report.add(
            fmt::format(
                "the keyring is generation {}, the store has published {}: a rollback, or a keyring from "
                "elsewhere",
                f.keyring.generation, f.store.published.generation),
            "pandora-gate publish, if the store is what should be in force");
}

void no_previous(const Facts& f, Report& report) {
    const std::string previous = f.context.keyring + ".previous";
    if (f.keyring.generation > 1 && !f.machine.exists(previous))
        report.add(fmt::format("there is no {}", escape_visible(previous)), k_publish);
}

void no_keys(const Facts& f, Report& report) {
    if (f.store.active == 0)
        report.add(fmt::format("none of the {} key(s) in the store is good now", f.store.keys),
                   "pandora-gate keys list, then pandora-gate keys add FILE --agent NAME");
}

void weak(const Facts& f, Report& report) {
    if (!f.store.weak.empty())
        report.add(some_of(f.store.weak), "pandora-gate keys rotate AGENT NEWKEY, for each");
}

void expiring(const Facts& f, Report& report) {
    if (!f.store.expiring.empty())
        report.add(some_of(f.store.expiring), "pandora-gate keys list --expiring-within 30d");
}

void unbound(const Facts& f, Report& report) {
    if (!f.store.unbound.empty())
        report.add(some_of(f.store.unbound),
                   "pandora-gate keys learned, then pandora-gate keys bind --learned");
}

constexpr Check k_checks[] = {
    {"keyring.missing", Severity::error, "nothing has been published", "Logins know no key.",
     "sshd.not_set_up", no_keyring},
    {"keyring.damaged", Severity::error, "the keyring cannot be used",
     "Every login is refused while what is read of it is damaged.", "sshd.not_set_up keyring.missing",
     damaged},
    {"keyring.unreadable", Severity::error, "authkeys or drop may not read it",
     "They cannot tell who may log in, and refuse.", "sshd.not_set_up keyring.missing keyring.damaged",
     unreadable},
    {"config.bad", Severity::error, "gate.toml cannot be read",
     "The next publish refuses; what was published last stays in force.", "sshd.not_set_up", bad_config},
    {"config.unpublished", Severity::warning, "gate.toml is newer than the keyring",
     "Logins follow the published policy, not the file.",
     "sshd.not_set_up config.bad keyring.missing keyring.damaged", config_changed},
    {"store.missing", Severity::note, "there is no store of keys", "Keys cannot be changed here.",
     "sshd.not_set_up keyring.missing", no_store},
    {"store.unusable", Severity::error, "the store cannot be used",
     "Logins go on with the keyring, but no key can be added or revoked.", "sshd.not_set_up store.missing",
     bad_store},
    {"keyring.behind", Severity::error, "the keyring is older than the store",
     "A key that was added does not work; one that was revoked may.",
     "sshd.not_set_up keyring.missing keyring.damaged store.unusable", behind},
    {"keyring.ahead", Severity::note, "the keyring is newer than the store",
     "The next change publishes the store again.",
     "sshd.not_set_up keyring.missing keyring.damaged store.unusable keyring.behind", ahead},
    {"keyring.previous", Severity::note, "no previous keyring",
     "`publish --rollback` has nothing to go back to.", "sshd.not_set_up keyring.missing", no_previous},
    {"keys.none", Severity::warning, "no key is good now", "Nobody can deliver.",
     "sshd.not_set_up store.missing store.unusable", no_keys},
    {"keys.weak", Severity::warning, "keys that would not be taken today",
     "A key that can be broken delivers in the agent's name.", "sshd.not_set_up store.unusable", weak},
    {"keys.expiring", Severity::note, "keys that end within 30 days",
     "Their agents are refused from then on.", "sshd.not_set_up store.unusable", expiring},
    {"keys.unbound", Severity::note, "keys without an agent",
     "They may send in any agent's name while they learn.", "sshd.not_set_up store.unusable", unbound},
};

} // namespace

std::span<const Check> keyring_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor

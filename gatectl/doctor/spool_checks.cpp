// Where packets go: who may write there, and whether there is room.
#include "gatectl/doctor/table.h"

#include "gatectl/trusted.h"

#include "lib/base/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace gate::ctl::doctor {

namespace {

constexpr const char* k_setup = "pandora-gate setup account --apply";
constexpr std::uint64_t k_nearly = 80; // percent of max_backlog

[[nodiscard]] std::string shown(const std::string& path, const struct stat& st) {
    return fmt::format("{} belongs to {}:{} with mode {:04o}", escape_visible(path), st.st_uid, st.st_gid,
                       st.st_mode & 07777U);
}

void no_spool(const Facts& f, Report& report) {
    const auto st = f.machine.stat(f.policy.spool_directory);
    if (!st || !S_ISDIR(st->st_mode))
        report.add(
            fmt::format("spool.directory {} is no directory", escape_visible(f.policy.spool_directory)),
            k_setup);
}

void owner(const Facts& f, Report& report) {
    const auto st = f.machine.stat(f.policy.spool_directory);
    if (!may(*f.account, *st, 3))
        report.add(
            fmt::format("{}: {} may not create files there", shown(f.policy.spool_directory, *st), f.user()),
            k_setup);
}

void mode(const Facts& f, Report& report) {
    const auto st = f.machine.stat(f.policy.spool_directory);
    if ((st->st_mode & 02U) != 0)
        report.add(shown(f.policy.spool_directory, *st),
                   fmt::format("chmod o-rwx {}", escape_visible(f.policy.spool_directory)));
}

void no_staging(const Facts& f, Report& report) {
    const auto st = f.machine.stat(f.policy.spool_staging);
    if (!st || !S_ISDIR(st->st_mode))
        report.add(fmt::format("spool.staging {} is no directory", escape_visible(f.policy.spool_staging)),
                   k_setup);
    else if (!may(*f.account, *st, 3))
        report.add(
            fmt::format("{}: {} may not create files there", shown(f.policy.spool_staging, *st), f.user()),
            k_setup);
}

void staging_mode(const Facts& f, Report& report) {
    const auto st = f.machine.stat(f.policy.spool_staging);
    if ((st->st_mode & 07U) != 0)
        report.add(shown(f.policy.spool_staging, *st),
                   fmt::format("chmod o-rwx {}", escape_visible(f.policy.spool_staging)));
}

void volume(const Facts& f, Report& report) {
    const auto spool = f.machine.stat(f.policy.spool_directory);
    const auto staging = f.machine.stat(f.policy.spool_staging);
    if (spool->st_dev != staging->st_dev)
        report.add(fmt::format("{} and {} are on two file systems", escape_visible(f.policy.spool_directory),
                               escape_visible(f.policy.spool_staging)),
                   "put spool.staging of gate.toml beside spool.directory, then pandora-gate publish");
}

// The group of a packet is its staging directory's where that has the set-group-ID bit.
void group(const Facts& f, Report& report) {
    const auto spool = f.machine.stat(f.policy.spool_directory);
    const auto staging = f.machine.stat(f.policy.spool_staging);
    if (f.policy.spool_gid == keyring::k_inherit_group && spool->st_gid != staging->st_gid)
        report.add(fmt::format("{} has group {}, {} has {}", escape_visible(f.policy.spool_directory),
                               spool->st_gid, escape_visible(f.policy.spool_staging), staging->st_gid),
                   fmt::format("chgrp --reference={} {}", escape_visible(f.policy.spool_directory),
                               escape_visible(f.policy.spool_staging)));
}

void space(const Facts& f, Report& report) {
    const auto room = f.machine.space(f.policy.spool_directory);
    if (!room)
        return;
    const std::uint64_t least =
        std::max(f.policy.spool_min_free, room->total / 100 * f.policy.spool_min_free_percent);
    if (room->available < least)
        report.add(fmt::format("{} has {} MB left; below {} MB nothing is taken (spool.min_free, "
                               "spool.min_free_percent)",
                               escape_visible(f.policy.spool_directory), room->available / 1'000'000,
                               least / 1'000'000),
                   "make room on that file system; agents keep their packets meanwhile");
}

void backlog(const Facts& f, Report& report) {
    const std::size_t waiting = f.machine.list(f.policy.spool_directory).size();
    if (waiting * 100 >= std::uint64_t{f.policy.spool_max_backlog} * k_nearly)
        report.add(fmt::format("{} names in {}; at {} nothing more is taken (spool.max_backlog)", waiting,
                               escape_visible(f.policy.spool_directory), f.policy.spool_max_backlog),
                   "systemctl status pandora_server: it reads them");
}

void memory(const Facts& f, Report& report) {
    const auto room = f.machine.space(f.policy.spool_directory);
    if (room && room->memory)
        report.add(fmt::format("{} is in memory (tmpfs)", escape_visible(f.policy.spool_directory)),
                   "nothing, if that is what you want: spool.durability = \"none\" then saves useless work");
}

void quarantine(const Facts& f, Report& report) {
    const auto st = f.machine.stat(f.policy.spool_quarantine);
    if (!st || !S_ISDIR(st->st_mode))
        report.add(
            fmt::format("spool.quarantine {} is no directory", escape_visible(f.policy.spool_quarantine)),
            "pandora-gate publish");
    else if (!may(*f.account, *st, 3))
        report.add(
            fmt::format("{}: {} may not create files there", shown(f.policy.spool_quarantine, *st), f.user()),
            "pandora-gate publish");
}

void state(const Facts& f, Report& report) {
    const std::string path = memory_directory(f.context);
    const auto st = f.machine.stat(path);
    if (!st || st->st_uid != f.account->uid || !may(*f.account, *st, 7))
        report.add(st ? shown(path, *st) : fmt::format("there is no {}", escape_visible(path)),
                   "pandora-gate publish");
}

// A shell makes nothing else of it.
[[nodiscard]] bool is_plain(std::string_view name) {
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    });
}

// The account may choose the names there, and put a link in their place: no command for root follows one, or
// has a name in it that is more than a name.
void subdirectories(const Facts& f, Report& report) {
    for (const std::string& name : f.machine.list(f.policy.spool_directory)) {
        const std::string path = f.policy.spool_directory + '/' + name;
        const auto st = f.machine.lstat(path);
        if (!st || !S_ISDIR(st->st_mode) || !may(*f.account, *st, 2) || name == ".ssh")
            continue;
        const bool by_group = writes_by_group(st->st_mode, f.account->in(st->st_gid));
        if (uses_tentacle(f.machine) || by_group) {
            report.note(fmt::format("{}: {} may write it", shown(path, *st), f.user()),
                        by_group ? "nothing, if its group needs that (setup leaves it so)"
                                 : "nothing, if Tentacle runs as that user (setup leaves it so)");
            continue;
        }
        report.add(fmt::format("{}: {} may write it", shown(path, *st), f.user()),
                   is_plain(name)
                       ? fmt::format("chown -h root {0}; chmod go-w {0}", escape_visible(path))
                       : fmt::format("look at it: ls -la {}", escape_visible(f.policy.spool_directory)));
    }
}

constexpr const char* k_needs_spool = "sshd.not_set_up account.missing account.root spool.missing";
constexpr const char* k_needs_staging =
    "sshd.not_set_up account.missing account.root account.group spool.missing spool.staging";

constexpr Check k_checks[] = {
    {"spool.missing", Severity::error, "data_in is missing", "There is nowhere to deliver to.",
     "sshd.not_set_up account.missing", no_spool},
    {"spool.owner", Severity::error, "the account cannot write data_in", "Every delivery fails.",
     "sshd.not_set_up account.missing account.root account.group spool.missing", owner},
    {"spool.mode", Severity::error, "everybody may write data_in",
     "The server believes what lies there: anybody on the machine can speak for any agent.", k_needs_spool,
     mode},
    {"spool.staging", Severity::error, "the account cannot write staging", "Every delivery fails.",
     "sshd.not_set_up account.missing account.root account.group spool.missing", no_staging},
    {"spool.staging_mode", Severity::warning, "others may look into staging",
     "Packets are there before they were judged.", k_needs_staging, staging_mode},
    {"spool.volume", Severity::error, "staging is on another file system",
     "A file can only be linked into data_in within one: every delivery fails.", k_needs_staging, volume},
    {"spool.group", Severity::warning, "staging has another group than data_in",
     "Packets get that group, and the server may not be able to read them.",
     "sshd.not_set_up account.missing account.root account.group spool.missing spool.staging spool.volume",
     group},
    {"spool.space", Severity::error, "too little room", "Packets are refused, and agents keep them.",
     k_needs_spool, space},
    {"spool.backlog", Severity::warning, "many packets wait for the server",
     "At spool.max_backlog nothing more is taken.", k_needs_spool, backlog},
    {"spool.memory", Severity::note, "data_in is in memory",
     "What the server has not read is gone at the next start.", k_needs_spool, memory},
    {"spool.quarantine", Severity::error, "the account cannot write the quarantine",
     "What should wait there for a human is refused instead, and its agent sends it again and again.",
     "sshd.not_set_up account.missing account.root account.group", quarantine},
    {"spool.state", Severity::warning, "sessions have no memory",
     "Quotas do not hold, and what is sent twice is delivered twice.",
     "sshd.not_set_up account.missing account.root keyring.missing", state},
    {"spool.subdirectories", Severity::warning, "the account may write below data_in",
     "conf, md5 and collections are the server's: what lies there is sent to agents, and run.",
     "sshd.not_set_up account.missing account.root spool.missing", subdirectories},
};

} // namespace

std::span<const Check> spool_checks() {
    return k_checks;
}

} // namespace gate::ctl::doctor

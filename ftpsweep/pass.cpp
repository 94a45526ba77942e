#include "ftpsweep/pass.h"

#include "ftpsweep/checker.h"
#include "ftpsweep/confine.h"
#include "ftpsweep/journal.h"
#include "ftpsweep/member.h"
#include "ftpsweep/sweeper.h"
#include "lib/spool/record_file.h"

#include <fcntl.h>
#include <unistd.h>

namespace gate::sweep {

namespace {

// Names that are read of a directory in one pass: some MB of memory. What is in none of them waits until
// others are gone.
constexpr std::size_t k_names = 5000;
// For a sweep that was started beside this one; it takes its time, and does the same.
constexpr int k_lock_patience_ms = 5000;
constexpr int k_whole_landlock = 2; // before this one nothing moves between directories

[[nodiscard]] Result<Fd> open_state(const std::string& directory) {
    Fd fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd.valid())
        return fail_errno("the state directory cannot be opened: run pandora-gate publish");
    return fd;
}

[[nodiscard]] Result<void> make_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno("cannot make a directory in the staging directory");
    return {};
}

// A staging directory of this sender's own: what a crash left in it is looked at by nobody else.
[[nodiscard]] Result<keyring::Policy> own_staging(keyring::Policy policy, const std::string& id) {
    policy.spool_staging += "/sweep";
    GATE_CHECK(make_directory(policy.spool_staging));
    policy.spool_staging += '/' + id;
    GATE_CHECK(make_directory(policy.spool_staging));
    policy.spool_staging_method = keyring::StagingMethod::named;
    return policy;
}

// What was taken may not be on the disk yet: whoever took it was ended before he could see to that.
[[nodiscard]] Result<void> sync_taken(const keyring::Policy& policy) {
    if (policy.spool_durability == keyring::Durability::none)
        return {};
    // The quarantine, which is on the same file system, cannot be opened.
    const Fd data_in{::open(policy.spool_directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!data_in.valid() || ::syncfs(data_in.get()) != 0)
        return fail_errno("what was taken cannot be synced");
    return {};
}

// Whatever cannot be found out for sure is an error: an upload that stays is taken again.
[[nodiscard]] Result<void> remove_taken(const Order& order, const keyring::Policy& policy,
                                        const Taking& taking, const keyring::KeyRecord& key) {
    const auto inbox = open_inbox(order.place.directory, 0);
    if (!inbox && inbox.error().code != Errc::missing)
        return std::unexpected(inbox.error());
    if (!inbox || (taking.held && !inbox->held.valid()))
        return {};
    const int dir = taking.held ? inbox->held.get() : inbox->uploads.get();
    const auto upload = open_upload(dir, taking.name.c_str(), order.owner);
    if (!upload && !is_no_upload(upload.error()))
        return std::unexpected(upload.error());
    if (!upload || upload->identity != taking.identity)
        return {}; // it was removed, and another one came
    GATE_CHECK(sync_taken(policy));
    if (::unlinkat(dir, taking.name.c_str(), 0) != 0)
        return fail_errno("an upload that was taken cannot be removed");
    Trail(sender_of(key)).recovered({.file = taking.name, .bytes = taking.identity.size});
    return {};
}

// The journal is of a sender and of a spelling; of another one, for the same directory, there is another. So
// the directory itself is locked, too, while it is open. Errors: closed (another sweep has it).
[[nodiscard]] Result<void> lock_uploads(const Inbox& inbox) {
    const auto locked = spool::lock_for(inbox.uploads.get(), k_lock_patience_ms);
    return locked || locked.error().code == Errc::closed ? locked : Result<void>(); // NFS locks no directory
}

// A pass that was ended while it took an upload (journal.h).
[[nodiscard]] Result<void> recover(const Order& order, const keyring::Policy& policy, Journal& journal,
                                   const keyring::KeyRecord& key) {
    GATE_TRY(const std::optional<Taking> taking, journal.read());
    if (!taking)
        return {};
    struct stat st {};
    if (::stat(policy.spool_staging.c_str(), &st) != 0)
        return fail_errno("the staging directory cannot be looked at");
    if (staging_mark(policy.spool_staging, st) != taking->staging)
        return journal.end(); // another one: nobody can tell, and what is taken twice is not lost
    const std::string staged = policy.spool_staging + '/' + taking->staged;
    if (::lstat(staged.c_str(), &st) != 0) {
        if (errno != ENOENT)
            return fail_errno("cannot tell whether an upload was taken");
        GATE_CHECK(remove_taken(order, policy, *taking, key));
    }
    return journal.end();
}

[[nodiscard]] Result<Protection> confine_all(const spool::Spool& spool, const Journal& journal,
                                             const Checker& checker, const Member& member) {
    Parts parts{.log = member.trail.log(),
                .data_in = spool.data_in(),
                .staging = spool.staging(),
                .checker = checker.channel(),
                .checker_pid = checker.pid(),
                .uploads = member.inbox.uploads.get(),
                .held = member.inbox.held.get(),
                .others = member.ledger.descriptors()};
    parts.others.push_back(journal.fd());
    if (const auto& quarantine = member.ledger.quarantine())
        parts.quarantine = quarantine->directory();
    return confine(parts);
}

[[nodiscard]] Result<PassStatus> pass(const Order& order) {
    GATE_TRY(keyring::KeyRecord key, find_sender(order.keyring, order.place.sender));
    GATE_TRY(const Fd state, open_state(order.state.directory));
    GATE_TRY(const keyring::Policy policy, own_staging(order.policy, order.place.id));
    const bool durable = policy.spool_durability != keyring::Durability::none;
    auto journal =
        Journal::open(state.get(), "sweep-" + order.place.id, ::geteuid(), k_lock_patience_ms, durable);
    if (!journal && journal.error().code == Errc::closed)
        return PassStatus::waiting; // for the other one
    if (!journal)
        return std::unexpected(journal.error());
    GATE_CHECK(recover(order, policy, *journal, key));
    GATE_TRY(Inbox inbox, open_inbox(order.place.directory, k_names));
    if (inbox.names.empty() && inbox.held_names.empty())
        return PassStatus::done;
    if (!lock_uploads(inbox))
        return PassStatus::waiting; // for whoever else takes what is here
    GATE_TRY(Checker checker, Checker::start());
    Fs fs;
    GATE_TRY(spool::Spool spool, spool::Spool::open(policy, fs, spool::Naming::moved));
    Member member(std::move(inbox), order.owner, policy, std::move(key), spool, order.state);
    GATE_TRY(const Protection protection, confine_all(spool, *journal, checker, member));
    if (protection.landlock < k_whole_landlock && order.tell)
        member.trail.sandbox_weaker(static_cast<std::uint64_t>(protection.landlock));
    Sweeper sweeper(spool, *journal, checker);
    const Result<void> swept = sweeper.sweep(member);
    if (!swept) {
        if (order.tell)
            member.trail.failed(swept.error());
        ::_exit(static_cast<int>(PassStatus::failed)); // no destructor may change what the journal tells of
    }
    const Left& left = sweeper.left();
    return left.more      ? PassStatus::more
           : left.soon    ? PassStatus::soon
           : left.waiting ? PassStatus::waiting
                          : PassStatus::done;
}

} // namespace

PassStatus run_pass(const Order& order) {
    const auto status = pass(order);
    if (status)
        return *status;
    if (order.tell)
        report_failure(order.place.sender, status.error());
    return PassStatus::failed;
}

} // namespace gate::sweep

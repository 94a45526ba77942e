// Keyrings that are not made from the store and put in place at once: to and from files, and the previous
// one.
#include "gatectl/problem.h"
#include "gatectl/publish/compare.h"
#include "gatectl/publish/prepare.h"
#include "gatectl/publish/publish.h"
#include "gatectl/store/location.h"
#include "gatectl/store/store.h"
#include "lib/base/text.h"
#include "lib/keyring/writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace gate::ctl {

namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void refuse_keyring(const std::string& file, const Error& error) {
    const Status status = error.code == Errc::missing    ? Status::no_input
                          : error.code == Errc::denied   ? Status::refused
                          : error.code == Errc::no_space ? Status::io
                          : error.code == Errc::system   ? status_of_errno(error.sys_errno)
                          : error.code == Errc::wrong_owner || error.code == Errc::writable
                              ? Status::no_permission
                              : Status::bad_data;
    stop(status, "{}: {}", escape_visible(file), describe(error));
}

[[nodiscard]] keyring::Reader open_keyring(const Context& context, const std::string& file) {
    auto reader = keyring::Reader::open(file.c_str(), context.owner);
    if (!reader)
        refuse_keyring(file, reader.error());
    return std::move(*reader);
}

// All of it is read and checked.
[[nodiscard]] Published look_through(const std::string& file, const keyring::Reader& reader) {
    Published out;
    out.generation = reader.header().generation;
    const auto read = reader.each([&out](const keyring::Reader::Stored& stored) {
        ++(stored.state == keyring::KeyState::active     ? out.tally.active
           : stored.state == keyring::KeyState::disabled ? out.tally.disabled
                                                         : out.tally.revoked);
    });
    if (!read)
        refuse_keyring(file, read.error());
    return out;
}

[[nodiscard]] std::string counts(const Tally& tally) {
    return fmt::format("{} {} active, {} revoked, {} disabled", tally.active,
                       tally.active == 1 ? "key" : "keys", tally.revoked, tally.disabled);
}

// Two that publish share the name of the new file: the store's lock keeps them apart, where there is a store
// that can be used. Going back must work without.
class Lock {
  public:
    explicit Lock(Context& context) {
        try {
            if (!store_exists(context.store, context.owner))
                return;
            store_.emplace(context.store, context.owner, context.store_patience);
            transaction_.emplace(*store_, Store::Transaction::Kind::write);
        } catch (const Problem& problem) {
            transaction_.reset();
            context.remarks.push_back(fmt::format("going on without the store: {}", problem.what()));
        }
    }
    [[nodiscard]] std::uint64_t generation() { return transaction_ ? store_->published().generation : 0; }

  private:
    std::optional<Store> store_{};
    std::optional<Store::Transaction> transaction_{};
};

// As keyring::install() does before it installs.
void demand_newer(const Context& context, const std::string& file) {
    const Present present = look_at(context.keyring, context.owner);
    const bool newer = present.state == Present::State::none ||
                       (present.state == Present::State::good &&
                        open_keyring(context, file).header().generation > present.generation);
    if (!newer)
        stop(Status::refused,
             "{}: it is not newer than the keyring in place; with --rollback it is installed all the same",
             escape_visible(file));
}

void prepare_for(Context& context, const keyring::Policy& policy) {
    if (context.prepares && context.owner == 0)
        prepare(context, policy);
}

} // namespace

std::string publish_to(Context& context, const std::string& file) {
    Context there = context;
    there.keyring = file;
    there.prepares = false;
    const Published published = publish_elsewhere(there, context.keyring);
    context.remarks = std::move(there.remarks);
    if (context.json)
        return to_json(published).dump(2, ' ', true) + '\n';
    if (context.dry_run)
        return fmt::format("dry run: would write generation {} to {}: {}\n", published.generation,
                           escape_visible(file), counts(published.tally));
    return fmt::format(
        "wrote generation {} to {}: {}; install it elsewhere with `pandora-gate keyring install "
        "FILE`\n",
        published.generation, escape_visible(file), counts(published.tally));
}

std::string check_keyring(Context& context, const std::string& file) {
    const keyring::Reader reader = open_keyring(context, file);
    const Published found = look_through(file, reader);
    const auto policy = reader.policy();
    if (!policy)
        refuse_keyring(file, policy.error());
    const std::string created = time_text(static_cast<std::int64_t>(reader.header().created));
    if (context.json)
        return Json({{"file", latin1(file)},
                     {"generation", found.generation},
                     {"created", created},
                     {"active", found.tally.active},
                     {"disabled", found.tally.disabled},
                     {"revoked", found.tally.revoked},
                     {"account", policy->account_user}})
                   .dump(2, ' ', true) +
               '\n';
    return fmt::format("{} is whole: generation {} of {}, {}; for the account {}\n", escape_visible(file),
                       found.generation, created, counts(found.tally), policy->account_user);
}

std::string roll_back(Context& context) {
    Lock lock(context);
    const std::string previous = context.keyring + ".previous";
    auto reader = keyring::Reader::open(previous.c_str(), context.owner);
    if (!reader && reader.error().code == Errc::missing)
        stop(Status::refused, "there is no previous keyring {}: nothing to go back to",
             escape_visible(previous));
    if (!reader)
        refuse_keyring(previous, reader.error());
    const auto policy = reader->policy();
    if (!policy)
        refuse_keyring(previous, policy.error());
    const Present present = look_at(context.keyring, context.owner);
    Published out;
    out.happened = true;
    out.generation = std::max({present.generation, lock.generation(), reader->header().generation}) + 1;
    if (present.policy && *present.policy != *policy)
        out.policy = Published::PolicyChange::changed;
    Build build = begin_build(context.keyring, out.generation, *policy);
    if (!add_changed(*reader, revocations_of(present), build))
        stop(Status::bad_data, "{} is damaged: run `pandora-gate publish`", escape_visible(previous));
    finish_build(build);
    out.tally = build.tally;
    if (!context.dry_run) { // else the file goes with the object
        put_in_place(context, build);
        tell_published(context, out);
        prepare_for(context, *policy);
    }
    if (context.json)
        return to_json(out).dump(2, ' ', true) + '\n';
    if (context.dry_run)
        return fmt::format("dry run: would put the keys and the policy of generation {} in place again, as "
                           "generation {}: {}\n",
                           reader->header().generation, out.generation, counts(out.tally));
    return fmt::format(
        "{}; the keys and the policy are those of generation {}, and what was revoked since "
        "stays revoked; mend the store or gate.toml before the next change, which is published "
        "from them\n",
        describe(out), reader->header().generation);
}

std::string install_keyring(Context& context, const std::string& file, bool allow_older) {
    Lock lock(context);
    if (context.dry_run) {
        const std::string text = check_keyring(context, file);
        if (!allow_older)
            demand_newer(context, file);
        return context.json ? text : "dry run: would install it; " + text;
    }
    if (const auto done = keyring::install(file, context.keyring, context.owner, allow_older); !done) {
        if (done.error().code == Errc::denied)
            stop(Status::refused, "{}: {}; with --rollback it is installed all the same",
                 escape_visible(file), describe(done.error()));
        refuse_keyring(file, done.error());
    }
    const Present present = look_at(context.keyring, context.owner);
    RevokedList revoked;
    for (const auto& [fingerprint, record] : revocations_of(present))
        revoked.add(*record);
    if (const auto written = revoked.write(revoked_list_path(context.keyring)); !written)
        context.remarks.push_back(
            fmt::format("the list of revoked keys could not be written: {}", describe(written.error())));
    Published out = look_through(context.keyring, *present.reader);
    out.happened = true;
    tell_published(context, out);
    if (present.policy)
        prepare_for(context, *present.policy);
    if (context.json)
        return to_json(out).dump(2, ' ', true) + '\n';
    return fmt::format("installed generation {}: {}\n", out.generation, counts(out.tally));
}

} // namespace gate::ctl

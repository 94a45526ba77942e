#include "gatectl/backup/denials.h"

#include "gatectl/problem.h"
#include "gatectl/publish/compile.h"
#include "gatectl/publish/reconcile.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl::backup {

namespace {

struct Found {
    std::vector<StoredKey> revoked;
    std::vector<std::pair<keyring::Fingerprint, std::string>> active; // with their ids
};

void collect(void* context, const keyring::KeyRecord& record) {
    auto& found = *static_cast<Found*>(context);
    if (record.state == keyring::KeyState::revoked)
        found.revoked.push_back(to_stored(record));
    else if (record.state == keyring::KeyState::active)
        found.active.emplace_back(record.fingerprint, record.id);
}

// In the order of fingerprints, as a keyring has its keys.
[[nodiscard]] Found look_through(const keyring::Reader& reader) {
    Found out;
    // One that is damaged has been told of by who opened it; what could be read counts.
    static_cast<void>(reader.verify(collect, &out));
    return out;
}

[[nodiscard]] Found look_through(Context& context, Store& store) {
    Found out;
    try {
        store.each_revoked([&out](StoredKey& key) { out.revoked.push_back(std::move(key)); });
    } catch (const Problem& problem) {
        context.remarks.push_back(
            fmt::format("revocations that only the store of before knew may be lost: {}", problem.what()));
    }
    return out;
}

[[nodiscard]] std::uint64_t generation_of(Store& store) {
    try {
        return store.published().generation;
    } catch (const Problem&) {
        return 0; // damaged: the keyring's counts
    }
}

// What logins see change, against the keyring that is published now.
void remark_on_changes(Context& context, Store& restored, const Found& now) {
    Found then;
    restored.each([&then](StoredKey& key) {
        if (key.state == keyring::KeyState::active)
            then.active.emplace_back(
                keyring::parse_fingerprint(key.fingerprint).value_or(keyring::Fingerprint{}), key.id);
    });
    std::sort(then.active.begin(), then.active.end());
    const auto by_fingerprint = [](const auto& a, const auto& b) { return a.first < b.first; };
    const auto tell_of = [&](const Found& have, const Found& lack, const char* words) {
        std::vector<std::pair<keyring::Fingerprint, std::string>> more;
        std::set_difference(have.active.begin(), have.active.end(), lack.active.begin(), lack.active.end(),
                            std::back_inserter(more), by_fingerprint);
        if (!more.empty())
            context.remarks.push_back(
                fmt::format(fmt::runtime(words), more.size(), escape_visible(more.front().second)));
    };
    tell_of(then, now, "{} key(s) that were not accepted before the restore are accepted, for instance {}");
    tell_of(now, then, "{} key(s) that were accepted before the restore are not, for instance {}");
}

// A code may have been used since, or cancelled: none of a backup lets anybody in.
void close_enrolment(Store& restored, Store* existing) {
    for (StoredCode code : restored.codes()) {
        if (code.state != StoredCode::State::open)
            continue;
        code.state = StoredCode::State::cancelled;
        code.state_by = "a restore";
        restored.update_code(code);
    }
    Enrolment enrolment = restored.enrolment();
    enrolment.window_until = 0;
    if (existing != nullptr && existing->enrolment().password_set)
        enrolment.password_set = true; // made since the backup: `enrol off` has it to lock
    restored.set_enrolment(enrolment);
}

} // namespace

void keep_denials(Context& context, const Unpacked& archive, const Present& present, Store* existing) {
    Store restored(archive.path_of(k_store), context.owner, 0);
    Store::Transaction transaction(restored, Store::Transaction::Kind::write);
    std::uint64_t generation = std::max(restored.published().generation, present.generation);
    std::size_t adopted = 0;
    const auto adopt = [&](std::vector<StoredKey>& keys, const char* where) {
        for (StoredKey& key : keys)
            if (adopt_revocation(context, restored, std::move(key), where))
                ++adopted;
    };
    if (existing != nullptr) {
        Found found = look_through(context, *existing);
        generation = std::max(generation, generation_of(*existing));
        adopt(found.revoked, "the store before a restore");
    }
    if (const std::string path = archive.path_of(k_keyring); !path.empty()) {
        const auto reader = keyring::Reader::open(path.c_str(), context.owner);
        if (reader) {
            Found found = look_through(*reader);
            generation = std::max(generation, reader->header().generation);
            adopt(found.revoked, "the keyring of the backup");
        }
    }
    if (present.reader) {
        Found found = look_through(*present.reader);
        adopt(found.revoked, "the published keyring");
        remark_on_changes(context, restored, found);
    }
    if (adopted != 0)
        context.remarks.push_back(fmt::format(
            "{} key(s) that the backup's store has not revoked were revoked later, and stay so", adopted));
    restored.set_published({generation, {}});
    close_enrolment(restored, existing);
    transaction.commit();
}

} // namespace gate::ctl::backup

#include "gatectl/publish/build.h"

#include "gatectl/handover.h"
#include "gatectl/keys/accept.h"
#include "gatectl/problem.h"
#include "gatectl/publish/compile.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/keyring/writer.h"

namespace gate::ctl {

namespace {

[[noreturn]] void cannot_publish(const std::string& path, const Error& e) {
    const Status status = e.code == Errc::system      ? status_of_errno(e.sys_errno)
                          : e.code == Errc::no_space  ? Status::io
                          : e.code == Errc::too_large ? Status::bad_data
                                                      : Status::cant_create;
    stop(status, "nothing was changed, the keyring {} could not be published: {}", escape_visible(path),
         describe(e));
}

template<class T>
T must(const std::string& path, Result<T>&& result) {
    if (!result)
        cannot_publish(path, result.error());
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

void count(Tally& tally, keyring::KeyState state) {
    switch (state) {
    case keyring::KeyState::active:
        ++tally.active;
        break;
    case keyring::KeyState::disabled:
        ++tally.disabled;
        break;
    case keyring::KeyState::revoked:
        ++tally.revoked;
        break;
    }
}

void add_one(const keyring::KeyRecord& record, Build& build) {
    must(build.path, build.builder.add(record));
    build.revoked.add(record);
    count(build.tally, record.state);
}

} // namespace

Build begin_build(const std::string& path, std::uint64_t generation, keyring::Policy policy) {
    return {.path = path,
            .builder =
                must(path, keyring::Builder::create(path + ".new", generation, wall_clock_us() / 1'000'000)),
            .policy = std::move(policy),
            .revoked = {},
            .tally = {}};
}

void add_all(const Context& context, Store& store, Build& build, const Changes& over) {
    const std::uint64_t total = store.count();
    build.builder.expect(total);
    // Reading the store and building are about the same amount of work.
    keyring::KeyRecord record; // its room is kept from key to key
    Handover<LoginRow> hand_over([&build, &over, &record](const LoginRow& row) {
        compile(row, record);
        if (!over.empty() && over.contains(record.fingerprint))
            return;
        add_one(record, build);
        if (record.state == keyring::KeyState::active &&
            !wrong_with_policy(build.policy, record.type, record.blob).empty()) {
            ++build.tally.outdated;
            build.tally.outdated_example = record.id;
        }
    });
    std::uint64_t done = 0;
    store.each_login([&hand_over]() -> LoginRow& { return hand_over.room(); },
                     [&] {
                         hand_over.put();
                         context.show_progress("publishing", ++done, total);
                     });
    hand_over.finish();
    for (const auto& [fingerprint, other] : over)
        if (other)
            add_one(*other, build);
}

Changes touched_keys(Store& store) {
    Changes changes;
    for (const std::int64_t number : store.touched()) {
        const auto key = store.find_number(number);
        if (!key)
            continue;
        keyring::KeyRecord record = compile(*key);
        const keyring::Fingerprint fingerprint = record.fingerprint;
        changes[fingerprint] = key->removed() ? std::nullopt : std::optional(std::move(record));
    }
    return changes;
}

bool add_changed(const keyring::Reader& published, const Changes& changes, Build& build) {
    build.builder.expect(published.header().key_count + changes.size());
    Result<void> outcome;
    std::size_t undecoded = 0;
    const auto read = published.each([&](const keyring::Reader::Stored& stored) {
        if (!outcome || changes.contains(stored.fingerprint))
            return;
        outcome = build.builder.copy(stored.fingerprint, stored.payload, stored.state);
        count(build.tally, stored.state);
        if (stored.state == keyring::KeyState::revoked) {
            if (const auto record = keyring::decode_record(stored.payload))
                build.revoked.add(*record);
            else
                ++undecoded;
        }
    });
    if (!read || undecoded != 0)
        return false;
    must(build.path, std::move(outcome));
    for (const auto& [fingerprint, record] : changes)
        if (record)
            add_one(*record, build);
    return true;
}

void finish_build(Build& build) {
    must(build.path, build.builder.finish(build.policy, keyring::Builder::Sync::later));
}

void put_in_place(const Context& context, Build& build) {
    must(revoked_list_path(build.path), build.revoked.write(revoked_list_path(build.path)));
    must(build.path, keyring::put_in_place(build.path + ".new", build.path, context.owner));
    build.builder.keep();
}

} // namespace gate::ctl

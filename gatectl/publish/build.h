// The next keyring, written beside the one that is in place: whole, from the store, or as what changed since
// the last one.
#pragma once

#include "gatectl/context.h"
#include "gatectl/publish/present.h"
#include "gatectl/publish/revoked_list.h"
#include "gatectl/store/store.h"
#include "lib/keyring/builder.h"

#include <cstddef>
#include <map>
#include <string>

namespace gate::ctl {

// How many keys there are, and what is to be said of them.
struct Tally {
    std::size_t active = 0;
    std::size_t disabled = 0;
    std::size_t revoked = 0;
    // Active keys that the policy's rules for new keys would not take any more, and one of them. Counted only
    // in a whole one.
    std::size_t outdated = 0;
    std::string outdated_example;
};

struct Build {
    std::string path; // where it shall be in the end; it is written to "<path>.new"
    keyring::Builder builder;
    keyring::Policy policy;
    RevokedList revoked;
    Tally tally;
};

// One without keys yet. Throws Problem.
[[nodiscard]] Build begin_build(const std::string& path, std::uint64_t generation, keyring::Policy policy);

// Records that stand in the place of others, or are new; nullopt: the key goes.
using Changes = std::map<keyring::Fingerprint, std::optional<keyring::KeyRecord>>;

// Every key of the store, each checked again, but for those that `over` has in their place. Throws Problem
// (bad_data) naming the key whose row is not consistent.
void add_all(const Context& context, Store& store, Build& build, const Changes& over);
// The keys that the store's transaction has touched.
[[nodiscard]] Changes touched_keys(Store& store);
// What the published keyring has, with these changes. False if it cannot be read whole: then begin anew.
[[nodiscard]] bool add_changed(const keyring::Reader& published, const Changes& changes, Build& build);

// The index and the rest. Throws Problem.
void finish_build(Build& build);
// Verified, on the disk, renamed: the list of revoked keys first, then the keyring. Throws Problem.
void put_in_place(const Context& context, Build& build);

} // namespace gate::ctl

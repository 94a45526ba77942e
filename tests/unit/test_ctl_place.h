// A place for a store, a keyring and what belongs to them, for tests of gatectl's commands.
#pragma once

#include "tests/unit/support.h"
#include "tests/unit/test_ctl_keys.h"

#include "gatectl/keys/commands.h"
#include "gatectl/problem.h"
#include "lib/keyring/reader.h"

#include <fmt/format.h>
#include <functional>

namespace gate::test {

struct Place {
    TempDir dir;
    ctl::Context context;

    Place() {
        context.store = dir / "store/store.db";
        context.keyring = dir / "keyring";
        context.config = dir / "gate.toml";
        context.operator_name = "tester";
        context.owner = ::geteuid();
        context.store_patience = 0;
        context.prepares = false;
    }

    std::string add(const Fixture& key, const std::vector<std::string>& agents, const std::string& id = {}) {
        return ctl::add_key(context,
                            {.key = key.line, .agents = agents, .note = {}, .id = id, .binding = {}});
    }
    [[nodiscard]] keyring::Reader reader() const {
        auto opened = keyring::Reader::open(context.keyring.c_str(), context.owner);
        CHECK_OK(opened);
        CHECK_OK(opened->verify());
        return std::move(*opened);
    }
    [[nodiscard]] keyring::Header header() const { return reader().header(); }
    [[nodiscard]] keyring::Policy policy() const {
        const auto policy = reader().policy();
        CHECK_OK(policy);
        return *policy;
    }
    [[nodiscard]] std::optional<keyring::KeyRecord> find(const Fixture& key) const {
        const auto found = reader().find(*keyring::parse_fingerprint(key.fingerprint));
        CHECK_OK(found);
        return *found;
    }
    [[nodiscard]] std::vector<ctl::StoredKey> stored() {
        ctl::Store store(context.store, context.owner, 0);
        const ctl::Store::Transaction transaction(store, ctl::Store::Transaction::Kind::read);
        return store.keys();
    }
};

inline void refused(ctl::Status status, std::string_view words, const std::function<void()>& work) {
    try {
        work();
    } catch (const ctl::Problem& problem) {
        CHECK_MSG(std::string_view(problem.what()).find(words) != std::string_view::npos,
                  fmt::format("[{}] does not say [{}]", problem.what(), words));
        CHECK_EQ(static_cast<int>(problem.status()), static_cast<int>(status));
        return;
    }
    raise(__FILE__, __LINE__, fmt::format("succeeded, should be refused with [{}]", words));
}

[[nodiscard]] inline bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace gate::test

#include "gatectl/keys/commands.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/problem.h"
#include "gatectl/store/location.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <cerrno>
#include <fcntl.h>

namespace gate::ctl {

const StoredKey& select_key(const std::vector<StoredKey>& keys, std::string_view name) {
    constexpr std::size_t k_named = 3; // of several matches, in the message
    const StoredKey* found = nullptr;
    std::size_t matches = 0;
    std::string examples;
    for (const StoredKey& key : keys) {
        if (key.id == name || key.fingerprint == name)
            return key;
        if (name.empty() || (!key.id.starts_with(name) && !key.fingerprint.starts_with(name)))
            continue;
        found = &key;
        if (++matches <= k_named)
            examples += (matches == 1 ? "" : ", ") + key.id;
    }
    if (matches == 0)
        stop(Status::refused, "there is no key \"{}\": see `pandora-gate keys list`", escape_visible(name));
    if (matches > 1)
        stop(Status::refused, "\"{}\" could be any of {} keys ({}{}): give more of it", escape_visible(name),
             matches, examples, matches > k_named ? ", ..." : "");
    return *found;
}

std::string read_key_file(const std::string& file) {
    Fd owned;
    int fd = STDIN_FILENO;
    if (file != "-") {
        owned.reset(::open(file.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
        if (!owned.valid())
            stop(errno == EACCES || errno == EPERM ? Status::no_permission : Status::no_input, "{}: {}",
                 escape_visible(file), describe(fail_errno("cannot open the key file").error()));
        fd = owned.get();
    }
    const auto text = read_all(fd, k_max_input);
    if (!text && text.error().code == Errc::too_large)
        stop(Status::bad_data, "{} is too long: this is not a .pub file", escape_visible(file));
    if (!text)
        stop(text.error().sys_errno == EISDIR ? Status::no_input : Status::io, "{}: {}", escape_visible(file),
             describe(text.error()));
    return *text;
}

std::vector<StoredKey> load_keys(Context& context) {
    demand_not_lost(context.store, context.keyring);
    if (!store_exists(context.store, context.owner))
        return {};
    Store store(context.store, context.owner, context.store_patience);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    return store.keys();
}

std::string list_agents(const std::vector<std::string>& agents) {
    constexpr std::size_t k_shown = 3;
    std::string out;
    for (std::size_t i = 0; i < agents.size() && i < k_shown; ++i)
        out += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", escape_visible(agents[i]));
    return agents.size() > k_shown ? fmt::format("{} and {} more", out, agents.size() - k_shown) : out;
}

void tell_changed(Context& context, const StoredKey& key, std::string_view action, std::uint64_t generation) {
    std::string agents; // '/' cannot be part of a name
    for (const std::string& name : key.agents)
        agents += (agents.empty() ? "" : "/") + name;
    audit::Line line(audit::Event::key_changed);
    line.text("operator", context.operator_name)
        .text("action", action)
        .text("key", key.id)
        .text("fingerprint", key.fingerprint)
        .text("agents", agents)
        .text_if("binding", key.binding)
        .number("generation", generation);
    tell(context, std::move(line));
}

} // namespace gate::ctl

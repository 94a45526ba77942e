#include "gatectl/keys/commands.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/public_key.h"
#include "gatectl/problem.h"
#include "gatectl/store/location.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/text.h"
#include "lib/keyring/ftp_sender.h"

#include <cerrno>
#include <fcntl.h>

namespace gate::ctl {

namespace {

// A user is called by his whole name only: ftp:web1 is not the beginning of ftp:web10.
[[nodiscard]] std::optional<StoredKey> find_user(Store& store, const std::string& name) {
    const std::string_view user = user_in_name(name);
    return user.empty()
               ? std::nullopt
               : store.find_fingerprint(keyring::format_fingerprint(keyring::ftp_sender(user).fingerprint));
}

// A key that was removed answers to its whole id and its whole fingerprint only; and then nobody else does.
[[nodiscard]] std::optional<StoredKey> find_removed(Store& store, const std::string& name) {
    for (auto exact : {store.find_id(name), store.find_fingerprint(name), find_user(store, name)})
        if (exact && exact->removed())
            return exact;
    return std::nullopt;
}

} // namespace

StoredKey select_also_removed(Store& store, const std::string& name) {
    if (auto removed = find_removed(store, name))
        return std::move(*removed);
    return select_key(store, name);
}

StoredKey select_key(Store& store, const std::string& name) {
    constexpr std::size_t k_named = 3; // of several matches, in the message
    // "web" that is gone is not "web01", which only begins so.
    if (const auto removed = find_removed(store, name))
        stop(Status::refused, "the key {} was removed on {} by {}: there is only its history", removed->id,
             time_text(removed->removed_at), escape_visible(removed->removed_by));
    if (auto user = find_user(store, name))
        return std::move(*user);
    if (!user_in_name(name).empty())
        stop(Status::refused, "there is no user \"{}\" here: add him with `pandora-gate keys add --ftp {}`",
             escape_visible(name), escape_visible(user_in_name(name)));
    auto found = store.find_named(name, k_named + 1);
    if (found.empty())
        stop(Status::refused, "there is no key \"{}\": see `pandora-gate keys list`", escape_visible(name));
    if (found.size() == 1)
        return std::move(found.front());
    std::string examples;
    for (std::size_t i = 0; i < found.size() && i < k_named; ++i)
        examples += (i == 0 ? "" : ", ") + found[i].id;
    stop(Status::refused, "\"{}\" could be any of {} keys ({}{}): give more of it", escape_visible(name),
         store.count_named(name), examples, found.size() > k_named ? ", ..." : "");
}

Note note_of(const Context& context, std::string action, std::string detail) {
    return {wall_clock_us() / 1'000'000, context.operator_name, std::move(action), std::move(detail)};
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

bool has_store(const Context& context) {
    demand_not_lost(context.store, context.keyring);
    return store_exists(context.store, context.owner);
}

std::string list_agents(const std::vector<std::string>& agents) {
    constexpr std::size_t k_shown = 3;
    std::string out;
    for (std::size_t i = 0; i < agents.size() && i < k_shown; ++i)
        out += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", escape_visible(agents[i]));
    return agents.size() > k_shown ? fmt::format("{} and {} more", out, agents.size() - k_shown) : out;
}

} // namespace gate::ctl

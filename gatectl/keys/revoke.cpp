#include "gatectl/keys/commands.h"
#include "gatectl/keys/names.h"
#include "gatectl/problem.h"
#include "gatectl/publish/publish.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

namespace gate::ctl {

std::string revoke_key(Context& context, const std::string& name, const std::string& reason) {
    check_text("reason", reason);
    if (reason.empty())
        stop(Status::usage, "say why: --reason TEXT");
    StoredKey key;
    bool revoked_now = false;
    const Published published = change_and_publish(context, PolicyFrom::keyring, [&](Store& store) {
        key = select_key(store.keys(), name);
        if (key.revoked())
            return false;
        key.revoked_at = wall_clock_us() / 1'000'000;
        store.revoke(key.id, key.revoked_at, context.operator_name, reason);
        store.remember({key.revoked_at, context.operator_name, "revoke", key.id, reason});
        revoked_now = true;
        return true;
    });
    if (revoked_now)
        tell_changed(context, key, "revoke", published.generation);
    if (published.happened)
        tell_published(context, published);
    std::string out =
        revoked_now ? fmt::format("revoked {} {}\n", key.id, key.fingerprint)
                    : fmt::format("{} {} was revoked on {} ({}), nothing changed\n", key.id, key.fingerprint,
                                  time_text(key.revoked_at), escape_visible(key.revoke_reason));
    if (published.happened)
        out += describe(published) + '\n';
    return out;
}

} // namespace gate::ctl

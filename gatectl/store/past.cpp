// What commands need that look into the past of all keys.
#include "gatectl/store/engine.h"
#include "gatectl/store/rows.h"
#include "gatectl/store/store.h"

namespace gate::ctl {

using engine::guarded;
using engine::Number;

void Store::each_also_removed(const std::function<void(StoredKey&)>& visit) {
    guarded(path_, [&] {
        KeyCursor cursor(*sql_, "ORDER BY number");
        while (StoredKey* key = cursor.next())
            visit(*key);
    });
}

void Store::each_change_after(std::int64_t at, const Past& visit) {
    guarded(path_, [&] {
        HistoryEntry entry;
        Number first = 0;
        Number last = 0;
        Number when = 0;
        const Number after = at;
        soci::statement rows =
            (sql_->prepare << "SELECT first_key, last_key, at, operator, action, detail, before_change,"
                              " after_change FROM history WHERE at > :at ORDER BY seq",
             soci::into(first), soci::into(last), soci::into(when), soci::into(entry.operator_name),
             soci::into(entry.action), soci::into(entry.detail), soci::into(entry.before),
             soci::into(entry.after), soci::use(after, "at"));
        rows.execute();
        while (rows.fetch()) {
            entry.at = when;
            visit(first, last, entry);
        }
    });
}

} // namespace gate::ctl

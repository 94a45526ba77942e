// `keys export` and `keys review`: the keys for other programs and for auditors. Neither goes back into the
// store.
#include "gatectl/keys/commands.h"
#include "gatectl/keys/csv.h"
#include "gatectl/keys/ftp_user.h"
#include "gatectl/keys/json.h"
#include "gatectl/keys/last_use.h"
#include "gatectl/problem.h"
#include "gatectl/store/location.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

namespace gate::ctl {

namespace {

constexpr std::size_t k_shown = 400; // of a text in a table, in bytes: all of it

void each_key(Context& context, bool also_removed, const std::function<void(StoredKey&)>& visit) {
    if (!has_store(context))
        return;
    Store store(context.store, context.owner, context.store_patience);
    const Store::Transaction transaction(store, Store::Transaction::Kind::read);
    if (also_removed)
        store.each_also_removed(visit);
    else
        store.each(visit);
}

// expiry-time of sshd(8) in UTC.
[[nodiscard]] std::string expiry_time(std::int64_t seconds) {
    const CivilTime t = civil_time(seconds);
    return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}Z", t.year, t.month, t.day, t.hour, t.minute, t.second);
}

// What the login path gives sshd for the key.
[[nodiscard]] std::string authorized_line(const StoredKey& key) {
    std::string out = "restrict";
    if (!key.from.empty())
        out += ",from=\"" + join(key.from, ',') + '"';
    if (key.expires_at != 0)
        out += ",expiry-time=\"" + expiry_time(key.expires_at) + '"';
    return out + ' ' + key.type + ' ' + key.blob + ' ' + key.id + '\n';
}

[[nodiscard]] std::string csv_cell(std::string_view text) {
    return csv_field(escape_visible(text, k_shown));
}

[[nodiscard]] std::string csv_list(const std::vector<std::string>& list) {
    std::string out;
    for (const std::string& item : list)
        out += (out.empty() ? "" : ";") + escape_visible(item);
    return csv_field(out);
}

[[nodiscard]] std::string review_line(const StoredKey& key, std::int64_t now, std::int64_t last_use) {
    std::string out = csv_cell(key.id);
    for (const std::string& cell :
         {csv_cell(key.fingerprint), csv_cell(key.type), csv_list(key.agents),
          csv_cell(standing_word(key, now)), csv_list(key.from), csv_cell(time_text(key.not_before)),
          csv_cell(time_text(key.expires_at)), csv_cell(time_text(key.added_at)), csv_cell(key.added_by),
          csv_cell(time_text(last_use)), csv_cell(key.note), csv_cell(key.approver)})
        out += ',' + cell;
    return out + "\r\n"; // RFC 4180
}

} // namespace

std::string review_keys(Context& context) {
    const std::int64_t now = wall_clock_us() / 1'000'000;
    const LastUses uses(memory_directory(context), LastUses::Asked::many);
    JsonArray json;
    std::string csv =
        "id,fingerprint,type,agents,state,from,not_before,expires,added_at,added_by,last_use,note,"
        "approver\r\n";
    each_key(context, false, [&](StoredKey& key) {
        const std::int64_t last_use = uses.of(key.fingerprint);
        if (context.json)
            json.add(to_json(key, now, last_use));
        else
            csv += review_line(key, now, last_use);
    });
    return context.json ? std::move(json).text() : csv;
}

std::string export_keys(Context& context, const std::string& format) {
    const bool revoked = format == "revoked";
    const bool all = format == "json";
    if (!revoked && !all && format != "authorized_keys")
        stop(Status::usage, "--format is authorized_keys, json or revoked, not \"{}\"",
             escape_visible(format));
    const std::int64_t now = wall_clock_us() / 1'000'000;
    const bool as_json = all || context.json;
    JsonArray json;
    std::string lines;
    std::size_t without_key = 0;
    // A revoked key is one for other servers too, whether it is still listed here or not.
    each_key(context, revoked, [&](StoredKey& key) {
        const bool wanted =
            all || (revoked ? key.revoked() : std::string_view(standing_word(key, now)) == "active");
        if (!wanted)
            return;
        if (!all && is_ftp_type(key.type)) {
            ++without_key;
            return;
        }
        if (as_json) {
            Json item = to_json(key, now);
            item["public_key"] = public_key_json(key);
            json.add(item);
        } else {
            lines += revoked ? key.type + ' ' + key.blob + ' ' + key.id + '\n' : authorized_line(key);
        }
    });
    if (without_key != 0)
        context.remarks.push_back(
            fmt::format("{} user(s) who send by FTP are left out: they have no key", without_key));
    return as_json ? std::move(json).text() : lines;
}

} // namespace gate::ctl

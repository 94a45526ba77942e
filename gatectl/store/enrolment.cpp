#include "gatectl/store/enrolment.h"

#include "gatectl/store/engine.h"
#include "gatectl/store/store.h"

namespace gate::ctl {

using engine::guarded;
using engine::Number;

namespace {

[[nodiscard]] StoredCode::State state_of_code(const std::string& word) {
    return word == "open"   ? StoredCode::State::open
           : word == "used" ? StoredCode::State::used
                            : StoredCode::State::cancelled; // what is not known lets nobody in
}

} // namespace

const char* word_of(StoredCode::State state) {
    switch (state) {
    case StoredCode::State::open:
        return "open";
    case StoredCode::State::used:
        return "used";
    case StoredCode::State::cancelled:
        break;
    }
    return "cancelled";
}

Enrolment Store::enrolment() {
    return guarded(path_, [&] {
        Enrolment out;
        Number from = 0;
        Number until = 0;
        int set = 0;
        *sql_
            << "SELECT salt, window_from, window_until, window_by, password_set FROM enrolment WHERE one = 1",
            soci::into(out.salt), soci::into(from), soci::into(until), soci::into(out.window_by),
            soci::into(set);
        out.window_from = from;
        out.window_until = until;
        out.password_set = set != 0;
        return out;
    });
}

void Store::set_enrolment(const Enrolment& e) {
    guarded(path_, [&] {
        const Number from = e.window_from;
        const Number until = e.window_until;
        const int set = e.password_set ? 1 : 0;
        *sql_ << "UPDATE enrolment SET salt = :sa, window_from = :wf, window_until = :wu, window_by = :wb,"
                 " password_set = :ps WHERE one = 1",
            soci::use(e.salt), soci::use(from), soci::use(until), soci::use(e.window_by), soci::use(set);
    });
}

void Store::insert_code(const StoredCode& code) {
    guarded(path_, [&] {
        const std::string agents = join(code.agents, '/');
        const std::string sources = join(code.from, ',');
        const std::string state = word_of(code.state);
        const Number made = code.made_at;
        const Number ends = code.expires_at;
        const Number key_ends = code.key_expires_at;
        const Number state_at = code.state_at;
        const int replaces = code.replaces ? 1 : 0;
        *sql_
            << "INSERT INTO enrol_code (id, hash, agents, sources, made_at, made_by, expires_at,"
               " key_expires_at, note, replaces, state, state_at, state_by, used_key) VALUES (:id, :ha, :ag,"
               " :so, :ma, :mb, :ex, :ke, :no, :re, :st, :sa, :sb, :uk)",
            soci::use(code.id), soci::use(code.hash), soci::use(agents), soci::use(sources), soci::use(made),
            soci::use(code.made_by), soci::use(ends), soci::use(key_ends), soci::use(code.note),
            soci::use(replaces), soci::use(state), soci::use(state_at), soci::use(code.state_by),
            soci::use(code.used_key);
    });
}

void Store::update_code(const StoredCode& code) {
    guarded(path_, [&] {
        const std::string state = word_of(code.state);
        const Number state_at = code.state_at;
        *sql_ << "UPDATE enrol_code SET state = :st, state_at = :sa, state_by = :sb, used_key = :uk"
                 " WHERE id = :id",
            soci::use(state), soci::use(state_at), soci::use(code.state_by), soci::use(code.used_key),
            soci::use(code.id);
    });
}

void Store::forget_codes(std::int64_t before) {
    guarded(path_, [&] {
        const Number then = before;
        *sql_ << "DELETE FROM enrol_code WHERE expires_at < :a", soci::use(then);
    });
}

std::vector<StoredCode> Store::codes() {
    return guarded(path_, [&] {
        std::vector<StoredCode> out;
        StoredCode code;
        std::string agents;
        std::string sources;
        std::string state;
        Number made = 0;
        Number ends = 0;
        Number key_ends = 0;
        Number state_at = 0;
        int replaces = 0;
        soci::statement rows =
            (sql_->prepare
                 << "SELECT id, hash, agents, sources, made_at, made_by, expires_at, key_expires_at,"
                    " note, replaces, state, state_at, state_by, used_key FROM enrol_code"
                    " ORDER BY made_at, id",
             soci::into(code.id), soci::into(code.hash), soci::into(agents), soci::into(sources),
             soci::into(made), soci::into(code.made_by), soci::into(ends), soci::into(key_ends),
             soci::into(code.note), soci::into(replaces), soci::into(state), soci::into(state_at),
             soci::into(code.state_by), soci::into(code.used_key));
        rows.execute();
        while (rows.fetch()) {
            code.agents = split(agents, '/');
            code.from = split(sources, ',');
            code.made_at = made;
            code.expires_at = ends;
            code.key_expires_at = key_ends;
            code.replaces = replaces != 0;
            code.state = state_of_code(state);
            code.state_at = state_at;
            out.push_back(code);
        }
        return out;
    });
}

void Store::insert_pending(const PendingKey& key) {
    guarded(path_, [&] {
        const Number asked = key.asked_at;
        *sql_ << "INSERT INTO pending_key (fingerprint, id, type, blob, comment, peer, site, asked_at,"
                 " in_place_of) VALUES (:fi, :id, :ty, :bl, :co, :pe, :si, :as, :ip)",
            soci::use(key.fingerprint), soci::use(key.id), soci::use(key.type), soci::use(key.blob),
            soci::use(key.comment), soci::use(key.peer), soci::use(key.site), soci::use(asked),
            soci::use(key.in_place_of);
    });
}

void Store::remove_pending(const std::string& fingerprint) {
    guarded(path_,
            [&] { *sql_ << "DELETE FROM pending_key WHERE fingerprint = :f", soci::use(fingerprint); });
}

std::vector<PendingKey> Store::pending() {
    return guarded(path_, [&] {
        std::vector<PendingKey> out;
        PendingKey key;
        Number asked = 0;
        soci::statement rows =
            (sql_->prepare << "SELECT fingerprint, id, type, blob, comment, peer, site, asked_at, in_place_of"
                              " FROM pending_key ORDER BY asked_at, fingerprint",
             soci::into(key.fingerprint), soci::into(key.id), soci::into(key.type), soci::into(key.blob),
             soci::into(key.comment), soci::into(key.peer), soci::into(key.site), soci::into(asked),
             soci::into(key.in_place_of));
        rows.execute();
        while (rows.fetch()) {
            key.asked_at = asked;
            out.push_back(key);
        }
        return out;
    });
}

} // namespace gate::ctl

#include "gatectl/store/rows.h"

#include "gatectl/problem.h"

namespace gate::ctl {

namespace {

constexpr const char* k_all_columns =
    "number, id, fingerprint, type, blob, agents, binding, not_before, expires_at, sources, quota_files,"
    " quota_bytes, max_file_size, state, state_at, state_reason, note, approver, added_at, added_by, "
    "state_by,"
    " removed_at, removed_by";

[[nodiscard]] engine::Number number(std::uint64_t n) {
    return static_cast<engine::Number>(n);
}

} // namespace

void KeyRow::read() {
    key.number = number;
    key.agents.clear();
    if (agents.find('/') == std::string::npos) {
        if (!agents.empty())
            key.agents.push_back(agents);
    } else {
        key.agents = split(agents, '/');
    }
    key.from.clear();
    if (!sources.empty())
        key.from = split(sources, ',');
    key.not_before = not_before;
    key.expires_at = expires_at;
    key.limits = {.quota_files = static_cast<std::uint32_t>(quota_files),
                  .quota_bytes = static_cast<std::uint64_t>(quota_bytes),
                  .max_file_size = static_cast<std::uint64_t>(max_file_size)};
    key.added_at = added_at;
    key.state = state_of(state);
    key.state_at = state_at;
    key.removed_at = removed_at;
}

void KeyRow::write() {
    number = key.number;
    agents = join(key.agents, '/');
    sources = join(key.from, ',');
    not_before = key.not_before;
    expires_at = key.expires_at;
    quota_files = ctl::number(key.limits.quota_files);
    quota_bytes = ctl::number(key.limits.quota_bytes);
    max_file_size = ctl::number(key.limits.max_file_size);
    added_at = key.added_at;
    state = word_of(key.state);
    state_at = key.state_at;
    removed_at = key.removed_at;
}

KeyInserter::KeyInserter(soci::session& sql, Kind kind) : statement_(sql) {
    std::string columns;
    std::string values;
    const auto use = [&](const char* name, auto& column) {
        statement_.exchange(soci::use(column, name));
        columns += (columns.empty() ? "" : ", ") + std::string(name);
        values += (values.empty() ? ":" : ", :") + std::string(name);
    };
    StoredKey& key = row_.key;
    use("number", row_.number);
    use("id", key.id);
    use("fingerprint", key.fingerprint);
    use("type", key.type);
    use("blob", key.blob);
    use("agents", row_.agents);
    use("note", key.note);
    use("binding", key.binding);
    use("expires_at", row_.expires_at);
    use("sources", row_.sources);
    use("approver", key.approver);
    use("added_at", row_.added_at);
    use("added_by", key.added_by);
    if (kind == Kind::any) {
        use("not_before", row_.not_before);
        use("quota_files", row_.quota_files);
        use("quota_bytes", row_.quota_bytes);
        use("max_file_size", row_.max_file_size);
        use("state", row_.state);
        use("state_at", row_.state_at);
        use("state_by", key.state_by);
        use("state_reason", key.state_reason);
        use("removed_at", row_.removed_at);
        use("removed_by", key.removed_by);
    }
    statement_.alloc();
    statement_.prepare("INSERT INTO pubkey (" + columns + ") VALUES (" + values + ")");
    statement_.define_and_bind();
}

void KeyInserter::insert(const StoredKey& key) {
    row_.key = key;
    row_.write();
    statement_.execute(true);
}

KeyCursor::KeyCursor(soci::session& sql, const std::string& rest, const std::string* value)
    : statement_(sql) {
    const auto into = [this](auto&... columns_of_row) {
        (statement_.exchange(soci::into(columns_of_row)), ...);
    };
    StoredKey& key = row_.key;
    into(row_.number, key.id, key.fingerprint, key.type, key.blob, row_.agents, key.binding, row_.not_before,
         row_.expires_at, row_.sources, row_.quota_files, row_.quota_bytes, row_.max_file_size, row_.state,
         row_.state_at, key.state_reason, key.note, key.approver, row_.added_at, key.added_by, key.state_by,
         row_.removed_at, key.removed_by);
    if (value != nullptr)
        statement_.exchange(soci::use(*value, "value"));
    statement_.alloc();
    statement_.prepare(std::string("SELECT ") + k_all_columns + " FROM pubkey " + rest);
    statement_.define_and_bind();
    statement_.execute();
}

StoredKey* KeyCursor::next() {
    if (!statement_.fetch())
        return nullptr;
    row_.read();
    return &row_.key;
}

namespace {

constexpr const char* k_login_query =
    "SELECT id, fingerprint, type, blob, agents, binding, sources, state, state_reason, not_before,"
    " expires_at, quota_files, quota_bytes, max_file_size, state_at"
    " FROM pubkey WHERE removed_at = 0 ORDER BY number";

} // namespace

LoginCursor::LoginCursor(soci::session& sql) : rows_(sql, k_login_query) {}

bool LoginCursor::next(LoginRow& row) {
    if (!rows_.next())
        return false;
    int column = 0;
    row.clear();
    for (int i = 0; i < LoginRow::k_texts; ++i)
        row.append(rows_.text(column++));
    row.not_before = rows_.number(column++);
    row.expires_at = rows_.number(column++);
    row.limits.quota_files = static_cast<std::uint32_t>(rows_.number(column++));
    row.limits.quota_bytes = static_cast<std::uint64_t>(rows_.number(column++));
    row.limits.max_file_size = static_cast<std::uint64_t>(rows_.number(column++));
    row.state_at = rows_.number(column++);
    return true;
}

void update_key(soci::session& sql, const StoredKey& key) {
    KeyRow row;
    row.key = key;
    row.write();
    sql << "UPDATE pubkey SET agents = :ag, note = :no, binding = :bi, not_before = :nb, expires_at = :ex,"
           " sources = :so, quota_files = :qf, quota_bytes = :qb, max_file_size = :mf, approver = :ap,"
           " added_at = :aa, added_by = :ab, state = :st, state_at = :sa, state_by = :sb, state_reason = :sr,"
           " removed_at = :ra, removed_by = :rb WHERE number = :nu",
        soci::use(row.agents), soci::use(row.key.note), soci::use(row.key.binding), soci::use(row.not_before),
        soci::use(row.expires_at), soci::use(row.sources), soci::use(row.quota_files),
        soci::use(row.quota_bytes), soci::use(row.max_file_size), soci::use(row.key.approver),
        soci::use(row.added_at), soci::use(row.key.added_by), soci::use(row.state), soci::use(row.state_at),
        soci::use(row.key.state_by), soci::use(row.key.state_reason), soci::use(row.removed_at),
        soci::use(row.key.removed_by), soci::use(row.number);
}

void insert_history(soci::session& sql, std::int64_t seq, std::int64_t first, std::int64_t last,
                    const HistoryEntry& entry) {
    const engine::Number number = seq;
    const engine::Number at = entry.at;
    const engine::Number from = first;
    const engine::Number upto = last;
    sql << "INSERT INTO history (seq, at, operator, action, first_key, last_key, detail, before_change,"
           " after_change) VALUES (:se, :at, :op, :ac, :fk, :lk, :de, :be, :af)",
        soci::use(number), soci::use(at), soci::use(entry.operator_name), soci::use(entry.action),
        soci::use(from), soci::use(upto), soci::use(entry.detail), soci::use(entry.before),
        soci::use(entry.after);
}

} // namespace gate::ctl

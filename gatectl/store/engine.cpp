#include "gatectl/store/engine.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <fmt/format.h>
#include <soci/sqlite3/soci-sqlite3.h>

namespace gate::ctl::engine {

namespace {

[[nodiscard]] sqlite_api::sqlite3* handle_of(soci::session& sql) {
    return static_cast<soci::sqlite3_session_backend*>(sql.get_backend())->conn_;
}

// kB. An import of a million keys touches pages all over the indexes.
constexpr int k_cache = 64 * 1024;
// While an index is made SQLite sorts runs of this size, then merges them: they stay in the processor's
// cache, where a larger one would miss it with every comparison. Less would be no faster, and make it sync
// its journal more often.
constexpr int k_cache_to_sort = 4 * 1024;

void set_cache(soci::session& sql, int kilobytes) {
    sql << "PRAGMA cache_size = " << -kilobytes;
}

[[noreturn]] void fail(soci::session& sql, int result) {
    throw soci::sqlite3_soci_error(sqlite_api::sqlite3_errmsg(handle_of(sql)), result);
}

} // namespace

std::unique_ptr<soci::session> open(const std::string& path, int patience) {
    // No lock around every single call: a session is used by one thread at a time. Only the first call in a
    // process counts, and it must come before everything else.
    [[maybe_unused]] static const int unlocked = sqlite_api::sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    auto sql =
        std::make_unique<soci::session>(soci::sqlite3, fmt::format("db=\"{}\" timeout={}", path, patience));
    // A change that was reported must survive a power cut, the journal's directory entry included.
    *sql << "PRAGMA synchronous = EXTRA";
    *sql << "PRAGMA foreign_keys = ON";
    set_cache(*sql, k_cache);
    return sql;
}

void begin_write(soci::session& sql) {
    sql << "BEGIN IMMEDIATE";
}

void create_index(soci::session& sql, const char* statement) {
    set_cache(sql, k_cache_to_sort);
    sql << statement;
    set_cache(sql, k_cache);
}

bool has_tables(soci::session& sql) {
    Number count = 0;
    sql << "SELECT count(*) FROM sqlite_master", soci::into(count);
    return count != 0;
}

bool has_table(soci::session& sql, const std::string& name) {
    Number count = 0;
    sql << "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = :n", soci::into(count),
        soci::use(name);
    return count != 0;
}

void copy_to(soci::session& sql, const std::string& path) {
    sql << "VACUUM INTO :path", soci::use(path);
}

std::string damage(soci::session& sql) {
    std::string first;
    sql << "PRAGMA integrity_check(1)", soci::into(first);
    return first == "ok" ? std::string() : first;
}

Rows::Rows(soci::session& sql, const std::string& query) : sql_(sql) {
    sqlite_api::sqlite3_stmt* statement = nullptr;
    const int result = sqlite_api::sqlite3_prepare_v2(
        handle_of(sql), query.c_str(), static_cast<int>(query.size() + 1), &statement, nullptr);
    statement_.reset(statement);
    if (result != SQLITE_OK)
        fail(sql, result);
}

void Rows::Finalize::operator()(sqlite_api::sqlite3_stmt* statement) const {
    sqlite_api::sqlite3_finalize(statement);
}

bool Rows::next() {
    const int result = sqlite_api::sqlite3_step(statement_.get());
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        fail(sql_, result);
    return result == SQLITE_ROW;
}

std::string_view Rows::text(int column) const {
    const unsigned char* const text = sqlite_api::sqlite3_column_text(statement_.get(), column);
    if (text == nullptr)
        return {};
    return {reinterpret_cast<const char*>(text),
            static_cast<std::size_t>(sqlite_api::sqlite3_column_bytes(statement_.get(), column))};
}

Number Rows::number(int column) const {
    return sqlite_api::sqlite3_column_int64(statement_.get(), column);
}

void translate(const std::string& path, const soci::soci_error& error) {
    const std::string file = escape_visible(path);
    const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
    switch (sqlite != nullptr ? sqlite->result() & 0xff : 0) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        throw Locked(
            Status::unavailable,
            fmt::format("the store {} is locked by another program: try again; logins go on with the "
                        "published keyring",
                        file));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        stop(Status::unavailable,
             "the store {} is damaged or not a store: restore it from a backup with `pandora-gate restore "
             "FILE`; logins "
             "go on with the published keyring",
             file);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        stop(Status::no_permission, "the store {} cannot be written: run as root", file);
    case SQLITE_FULL:
    case SQLITE_IOERR:
        stop(Status::io, "the store {} cannot be written, is the disk full? ({})", file,
             escape_visible(error.get_error_message()));
    default:
        stop(Status::unavailable, "the store {} cannot be used: {}", file,
             escape_visible(error.get_error_message()));
    }
}

} // namespace gate::ctl::engine

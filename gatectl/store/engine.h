// SOCI, and what only SQLite has: pragmas, BEGIN IMMEDIATE, the copy of a database in use. Another engine
// needs its own engine.cpp and nothing else.
#pragma once

// A SOCI built with Boost makes its header include Boost's, for binding fusion sequences, which nothing here
// does. Only templates depend on the macro, no layout; without it the build needs no Boost.
#include <soci/soci-config.h>
#undef SOCI_HAVE_BOOST
#include <soci/soci.h>

#include "gatectl/problem.h"

#include <memory>
#include <string>
#include <string_view>

namespace sqlite_api { // as SOCI has it
struct sqlite3_stmt;
}

namespace gate::ctl::engine {

using Number = long long; // SOCI's name for 64 bits

// Durable commits, foreign keys on; another program's lock is waited for `patience` seconds.
[[nodiscard]] std::unique_ptr<soci::session> open(const std::string& path, int patience);
void begin_write(soci::session& sql);
// An index of rows that are there already.
void create_index(soci::session& sql, const char* statement);
[[nodiscard]] bool has_tables(soci::session& sql);
[[nodiscard]] bool has_table(soci::session& sql, const std::string& name);
void copy_to(soci::session& sql, const std::string& path);
// Reads all of it; what is wrong with it, or nothing.
[[nodiscard]] std::string damage(soci::session& sql);

// Another program has it locked, so that nothing is known of its state.
class Locked : public Problem {
  public:
    using Problem::Problem;
};

// The rows of a query without values, each column read where it lies: for a million of them. SOCI would copy
// a text three times and ask for the type of every number; of the time of a publish that was a third. Another
// engine can do without by a soci::statement behind these three functions.
class Rows {
  public:
    Rows(soci::session& sql, const std::string& query);
    // One row further; false at the end.
    [[nodiscard]] bool next();
    // Of a column that is NOT NULL. A text holds until the next call of next().
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] Number number(int column) const;

  private:
    struct Finalize {
        void operator()(sqlite_api::sqlite3_stmt* statement) const;
    };
    soci::session& sql_;
    std::unique_ptr<sqlite_api::sqlite3_stmt, Finalize> statement_;
};

// The engine's words in ours. Throws Problem.
[[noreturn]] void translate(const std::string& path, const soci::soci_error& error);

template<class F>
auto guarded(const std::string& path, F&& work) {
    try {
        return work();
    } catch (const soci::soci_error& error) {
        translate(path, error);
    }
}

} // namespace gate::ctl::engine

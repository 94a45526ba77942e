/* Printed beside keys.helper_c: the least that a key helper on SQLite would do. Opens the database read-only, selects the
 * line of one fingerprint, prints it. */
#include <sqlite3.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    sqlite3 *db;
    sqlite3_stmt *row;

    if (argc != 3 || sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        return 1;
    if (sqlite3_prepare_v2(db, "SELECT line FROM pubkey WHERE fingerprint = ?", -1, &row, NULL) != SQLITE_OK ||
        sqlite3_bind_text(row, 1, argv[2], -1, SQLITE_STATIC) != SQLITE_OK || sqlite3_step(row) != SQLITE_ROW)
        return 1;
    puts((const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    sqlite3_close(db);
    return 0;
}

// Tables of keys as people keep them: comma-separated values (RFC 4180), in for `keys import --csv`, out for
// `keys review --csv`. The first line names the columns: `key`, and any of agent, from, expires, note, in any
// order. Several agents, or addresses, stand in one field, separated by `;`. What is in the fields is not
// judged here. `enrol code --csv` takes the same tables without the column of keys.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gate::ctl {

struct CsvRow {
    std::size_t line = 0; // where it begins; the first line of the file is 1
    std::vector<std::string> agents;
    std::string key; // as the line of a .pub file
    std::vector<std::string> from;
    std::string expires; // empty: never
    std::string note;
};

// One field longer than that is a quote that was never meant to be open: a key has 8 kB at most.
inline constexpr std::size_t k_max_csv_field = 64 * 1024;

// Reads a table that lies in memory, row by row, and keeps nothing of it. Lines end with LF or CRLF; empty
// ones, and the byte order mark that Excel writes, are skipped. Quotes stand around a whole field or not at
// all.
class CsvReader {
  public:
    // Reads the header. Throws Problem (bad_data), "line 1: ...".
    enum class Of : std::uint8_t { keys, codes };
    explicit CsvReader(std::string_view text, Of of = Of::keys);

    // False at the end. Throws Problem (bad_data), "line N: ..."; the next call goes on behind that row, or,
    // where its quotes do not tell its end, with the line below the one on which it begins.
    [[nodiscard]] bool next(CsvRow& row);
    // Where the row that was read last, or that was wrong, begins.
    [[nodiscard]] std::size_t line() const { return row_line_; }

  private:
    enum Column : std::size_t { agent, key, from, expires, note, k_columns };
    static constexpr std::array<std::string_view, k_columns> k_names = {"agent", "key", "from", "expires",
                                                                        "note"};

    void read_header(Of of);
    [[nodiscard]] bool read_row();
    void read_quoted(std::string& field);
    void read_plain(std::string& field);
    void end_row();
    [[noreturn]] void bad(std::string_view what) const;
    [[noreturn]] void bad_form(std::string_view what);

    std::string_view rest_;
    std::size_t line_ = 1; // of the first byte of rest_
    // The row that is being read.
    std::string_view row_; // from its first byte on
    std::size_t row_line_ = 1;
    std::vector<std::string> fields_;  // their room is kept from row to row
    std::size_t count_ = 0;            // of them in this row
    std::vector<std::size_t> columns_; // what the n-th field of a row is: a Column
};

// One field as it stands between two commas: in quotes where it must be. A text that a spreadsheet would run
// as a formula (it begins with = + - @ TAB or CR) gets a ' before it: agents choose their names, and nothing
// that they chose may run on the machine of whoever reads the table. Such a field does not come back as it
// was.
[[nodiscard]] std::string csv_field(std::string_view text);

} // namespace gate::ctl

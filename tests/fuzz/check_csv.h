// Tables of keys: the reader ends, its lines only go up, bad rows are told in one printable line; and a note
// that is written is read again.
#pragma once

#include "gatectl/keys/csv.h"
#include "tests/fuzz/check_network.h"

#include <algorithm>

namespace gate::fuzz {

inline void require_round_trip(const std::string& note) {
    const std::string field = ctl::csv_field(note);
    REQUIRE(field.empty() || std::string_view("=+-@\t\r").find(field.front()) == std::string_view::npos);
    if (note.size() >= ctl::k_max_csv_field / 2)
        return;
    const std::string table = "note,key\n" + field + ",k\n";
    ctl::CsvReader reader(table);
    ctl::CsvRow row;
    REQUIRE(reader.next(row) && row.key == "k");
    REQUIRE(row.note == note || row.note == '\'' + note);
    REQUIRE(!reader.next(row));
}

inline void check_csv(std::string_view input) {
    require_round_trip(std::string(input.substr(0, input.find('\0'))));
    try {
        ctl::CsvReader reader(input);
        const auto lines = static_cast<std::size_t>(std::count(input.begin(), input.end(), '\n')) + 1;
        std::size_t last = reader.line();
        for (bool more = true; more;) {
            ctl::CsvRow row;
            try {
                more = reader.next(row);
                REQUIRE(!more || row.line == reader.line());
            } catch (const ctl::Problem& problem) {
                require_said(problem, ctl::Status::bad_data);
                REQUIRE(std::string_view(problem.what())
                            .starts_with("line " + std::to_string(reader.line()) + ":"));
            }
            REQUIRE(!more || (reader.line() > last && reader.line() <= lines));
            last = reader.line();
            for (const std::string& agent : row.agents)
                REQUIRE(!agent.empty() && agent.find(';') == agent.npos);
        }
    } catch (const ctl::Problem& problem) {
        require_said(problem, ctl::Status::bad_data);
    }
}

} // namespace gate::fuzz

#include "gatectl/keys/csv.h"

#include "gatectl/problem.h"
#include "lib/base/text.h"

#include <algorithm>

namespace gate::ctl {

namespace {

constexpr std::string_view k_blank = " \t";
constexpr std::string_view k_mark = "\xef\xbb\xbf"; // U+FEFF, the byte order mark
constexpr std::size_t k_shown = 64;                 // of a name in a message

[[nodiscard]] std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(k_blank), text.size()));
    return text.substr(0, text.find_last_not_of(k_blank) + 1);
}

[[nodiscard]] std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c + ('a' - 'A'));
    return out;
}

// "a; b" -> a, b. Blanks around an item are not a part of it, nothing between two separators is no item.
void split(std::string_view text, std::vector<std::string>& out) {
    out.clear();
    while (!text.empty()) {
        const std::size_t end = text.find(';');
        if (const std::string_view item = trimmed(text.substr(0, end)); !item.empty())
            out.emplace_back(item);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
}

} // namespace

CsvReader::CsvReader(std::string_view text, Of of) : rest_(text) {
    if (rest_.starts_with(k_mark))
        rest_.remove_prefix(k_mark.size());
    read_header(of);
}

void CsvReader::bad(std::string_view what) const {
    stop(Status::bad_data, "line {}: {}", row_line_, what);
}

// The row has no form: nobody knows where it ends.
void CsvReader::bad_form(std::string_view what) {
    const std::size_t end = row_.find('\n');
    rest_ = end == row_.npos ? std::string_view() : row_.substr(end + 1);
    line_ = row_line_ + 1;
    bad(what);
}

void CsvReader::read_header(Of of) {
    const Column needed = of == Of::keys ? key : agent;
    const std::string_view known = of == Of::keys
                                       ? "the columns are key, and any of agent, from, expires, note"
                                       : "the columns are agent, and any of from, expires, note";
    if (!read_row())
        bad(fmt::format("the table is empty: its first line names the columns, {}", known));
    if (count_ == 1 && fields_[0].find(';') != std::string::npos)
        bad("the columns are separated by semicolons: save the table with commas");
    for (std::size_t i = 0; i < count_; ++i) {
        const std::string name = lower(trimmed(fields_[i]));
        const auto found = std::find(k_names.begin(), k_names.end(), name);
        if (found == k_names.end() || (of == Of::codes && name == k_names[key]))
            bad(fmt::format("there is no column '{}': {}", escape_visible(name, k_shown), known));
        const auto column = static_cast<std::size_t>(found - k_names.begin());
        if (std::find(columns_.begin(), columns_.end(), column) != columns_.end())
            bad(fmt::format("the column {} is there twice", name));
        columns_.push_back(column);
    }
    if (std::find(columns_.begin(), columns_.end(), needed) == columns_.end())
        bad(fmt::format("the column {} is missing: {}", k_names[needed], known));
}

bool CsvReader::next(CsvRow& row) {
    if (!read_row())
        return false;
    if (count_ != columns_.size())
        bad(fmt::format(
            "there are {} fields, the first line names {} columns (a field with a comma stands in "
            "quotes)",
            count_, columns_.size()));
    row.line = row_line_;
    row.agents.clear();
    row.from.clear();
    row.expires.clear();
    row.note.clear();
    for (std::size_t i = 0; i < count_; ++i) {
        switch (columns_[i]) {
        case agent:
            split(fields_[i], row.agents);
            break;
        case key:
            row.key = fields_[i];
            break;
        case from:
            split(fields_[i], row.from);
            break;
        case expires:
            row.expires = trimmed(fields_[i]);
            break;
        default:
            row.note = fields_[i];
        }
    }
    return true;
}

// The next row with something on it, into fields_ and count_. False at the end.
bool CsvReader::read_row() {
    while (rest_.starts_with('\n') || rest_.starts_with("\r\n")) {
        rest_.remove_prefix(rest_.front() == '\n' ? 1 : 2);
        ++line_;
    }
    row_ = rest_;
    row_line_ = line_;
    count_ = 0;
    if (rest_.empty())
        return false;
    std::string surplus; // more fields than any table has are counted, not kept
    for (;;) {
        if (count_ == fields_.size() && count_ < k_columns)
            fields_.emplace_back();
        std::string& field = count_ < k_columns ? fields_[count_] : surplus;
        ++count_;
        if (rest_.starts_with('"'))
            read_quoted(field);
        else
            read_plain(field);
        if (!rest_.starts_with(','))
            break;
        rest_.remove_prefix(1);
    }
    end_row();
    return true;
}

void CsvReader::read_quoted(std::string& field) {
    const std::size_t opened = line_;
    field.clear();
    rest_.remove_prefix(1);
    for (;;) {
        const std::size_t quote = rest_.substr(0, k_max_csv_field).find('"');
        if (quote == rest_.npos || field.size() > k_max_csv_field || quote > k_max_csv_field - field.size())
            bad_form(fmt::format("the quote that is opened on line {} is not closed", opened));
        const std::string_view part = rest_.substr(0, quote);
        field += part;
        line_ += static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
        rest_.remove_prefix(quote + 1);
        if (!rest_.starts_with('"'))
            break;
        field += '"';
        rest_.remove_prefix(1);
    }
    if (!rest_.empty() && rest_.front() != ',' && rest_.front() != '\n' && !rest_.starts_with("\r\n"))
        bad_form(
            "there is something between the closing quote of a field and the next comma (a quote inside is "
            "written twice)");
}

void CsvReader::read_plain(std::string& field) {
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != ',' && rest_[end] != '\n') {
        if (rest_[end] == '"')
            bad_form("there is a quote inside a field that does not begin with one");
        ++end;
    }
    std::string_view value = rest_.substr(0, end);
    if (value.ends_with('\r') && !rest_.substr(end).starts_with(','))
        value.remove_suffix(1);
    if (value.find('\r') != value.npos)
        bad_form("there is a carriage return inside a field");
    if (value.size() > k_max_csv_field)
        bad_form(fmt::format("a field is longer than {} bytes", k_max_csv_field));
    field = value;
    rest_.remove_prefix(end);
}

void CsvReader::end_row() {
    if (rest_.starts_with("\r\n"))
        rest_.remove_prefix(1);
    if (rest_.empty())
        return;
    rest_.remove_prefix(1); // the line feed: nothing else ends a field that no comma ends
    ++line_;
}

std::string csv_field(std::string_view text) {
    constexpr std::string_view k_formula = "=+-@\t\r";
    constexpr std::string_view k_needs_quotes = ",;\"\r\n";
    std::string value;
    if (!text.empty() && k_formula.find(text.front()) != k_formula.npos)
        value += '\'';
    value += text;
    const bool quoted =
        value.find_first_of(k_needs_quotes) != value.npos || value.starts_with(' ') || value.ends_with(' ');
    if (!quoted)
        return value;
    std::string out = "\"";
    for (const char c : value)
        out.append(c == '"' ? 2 : 1, c);
    return out + '"';
}

} // namespace gate::ctl

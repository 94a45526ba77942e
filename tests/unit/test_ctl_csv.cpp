// Tables of keys: RFC 4180 in, and out without formulas.
#include "tests/unit/support.h"

#include "gatectl/keys/csv.h"
#include "gatectl/problem.h"

using namespace gate;
using namespace gate::test;

namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : "|") + word;
    return out;
}

std::string shown(const ctl::CsvRow& row) {
    return std::to_string(row.line) + ": " + joined(row.agents) + "; " + row.key + "; " + joined(row.from) +
           "; " + row.expires + "; " + row.note;
}

// All rows, each on a line.
std::string read(std::string_view text) {
    ctl::CsvReader reader(text);
    std::string out;
    for (ctl::CsvRow row; reader.next(row);)
        out += shown(row) + "\n";
    return out;
}

void refused(std::string_view text, std::string_view words) {
    try {
        const std::string got = read(text);
        raise(__FILE__, __LINE__, std::string(text) + " was taken: " + got);
    } catch (const ctl::Problem& problem) {
        const std::string_view said = problem.what();
        CHECK_MSG(said.find(words) != said.npos, std::string(said) + " does not say " + std::string(words));
        CHECK(said.find('\n') == said.npos);
        CHECK_EQ(static_cast<int>(problem.status()), static_cast<int>(ctl::Status::bad_data));
    }
}

void columns_in_any_order() {
    CHECK_EQ(read("agent,key,from,expires,note\nweb01,ssh-ed25519 AAAA x,10.0.0.1,90d,hello\n"),
             std::string("2: web01; ssh-ed25519 AAAA x; 10.0.0.1; 90d; hello\n"));
    CHECK_EQ(read("Note, KEY ,Agent\nhello,k,web01"), std::string("2: web01; k; ; ; hello\n"));
    CHECK_EQ(read("key\nk1\nk2\n"), std::string("2: ; k1; ; ; \n3: ; k2; ; ; \n"));
    CHECK_EQ(read("key"), std::string());
    // What a row leaves empty is not what the row before it had.
    CHECK_EQ(read("key,agent,note\nk1,a,n\nk2,,\n"), std::string("2: a; k1; ; ; n\n3: ; k2; ; ; \n"));
}

void several_agents_and_addresses() {
    CHECK_EQ(read("agent,key,from\nweb01; web02;;web 03 ,k,10.0.0.1;2001:db8::/32;\n"),
             std::string("2: web01|web02|web 03; k; 10.0.0.1|2001:db8::/32; ; \n"));
    CHECK_EQ(read("agent,key\n;,k\n"), std::string("2: ; k; ; ; \n"));
}

void quotes_lines_and_marks() {
    CHECK_EQ(read("key,note\n\"k\",\"a \"\"b\"\", c\"\n"), std::string("2: ; k; ; ; a \"b\", c\n"));
    CHECK_EQ(read("key,note\r\nk,x\r\nl,y"), std::string("2: ; k; ; ; x\n3: ; l; ; ; y\n"));
    CHECK_EQ(read("\xef\xbb\xbfkey,note\n\n\r\nk,x\n\n"), std::string("4: ; k; ; ; x\n"));
    CHECK_EQ(read("\"key\",\"note\"\nk,\"\"\n"), std::string("2: ; k; ; ; \n"));
    // A field over several lines: the row has the number of its first line, the next one counts all.
    CHECK_EQ(read("key,note\nk,\"a\nb\r\nc\"\nl,z\n"), std::string("2: ; k; ; ; a\nb\r\nc\n5: ; l; ; ; z\n"));
    CHECK_EQ(read("key,note\nk,\"\"\"\"\n"), std::string("2: ; k; ; ; \"\n"));
    CHECK_EQ(read("key,note\nk, spaces are kept \n"), std::string("2: ; k; ; ;  spaces are kept \n"));
    const std::string nul("key\na\0b\n", 8);
    CHECK_EQ(read(nul), std::string("2: ; a\0b; ; ; \n", 15));
}

void bad_headers() {
    refused("", "line 1: the table is empty");
    refused("\n\n", "the table is empty");
    refused("agent,fingerprint\n", "line 1: there is no column 'fingerprint': the columns are key,");
    refused("key,\x1b[2J\n", "\\x1b");
    refused("agent,note\n", "line 1: the column key is missing");
    refused("key,agent,Key\n", "line 1: the column key is there twice");
    refused("agent;key;note\n", "save the table with commas");
    refused("web01,ssh-ed25519 AAAA\n", "there is no column 'web01'");
    refused("key,\n", "there is no column ''");
    refused("\n\nagent\n", "line 3: ");
}

void bad_rows_tell_their_line() {
    refused("key,note\nk,x\nk\n", "line 3: there are 1 fields, the first line names 2 columns");
    refused("key,note\nk,x\nk,a,b\n", "line 3: there are 3 fields");
    refused("key\nk,a,b,c,d,e,f,g,h\n", "line 2: there are 9 fields");
    refused("key,note\nk,\"x\nl,y\n", "line 2: the quote that is opened on line 2 is not closed");
    refused("key,note,agent\nk,\"x\ny\",\"z\n", "line 2: the quote that is opened on line 3 is not closed");
    refused("key,note\nk,\"", "not closed");
    refused("key,note\nk,\"\"\"", "not closed");
    refused("key,note\nk,\"x\" y\n", "line 2: there is something between the closing quote");
    refused("key,note\nk,\"x\"\"y\"z\n", "line 2: there is something between the closing quote");
    refused("key,note\nk,x \"y\"\n", "line 2: there is a quote inside a field");
    refused("key,note\nk,x\ry\n", "line 2: there is a carriage return");
    refused("key,note\nk\r,x\n", "line 2: there is a carriage return");
    refused("key,note\nk,\"x\"\r", "something between");
    refused("key,note\nk," + std::string(ctl::k_max_csv_field + 1, 'x') + "\n", "longer than 65536");
    refused("key,note\nk,\"" + std::string(ctl::k_max_csv_field + 1, 'x') + "\"\n", "not closed");
    std::string doubled;
    for (std::size_t i = 0; i < ctl::k_max_csv_field; ++i)
        doubled += "\"\"";
    CHECK(read("key,note\nk,\"" + doubled + "\"\n").size() > ctl::k_max_csv_field);
    refused("key,note\nk,\"" + doubled + doubled + "\"\n", "not closed");
    CHECK(read("key,note\nk,\"" + std::string(ctl::k_max_csv_field - 1, 'x') + "\"\n").size() >
          ctl::k_max_csv_field);
}

void goes_on_after_a_bad_row() {
    ctl::CsvReader reader("key,note\nk1\nk2,\"open\nk3,x\nk4,a\"b\nk5,y\n");
    std::string out;
    for (ctl::CsvRow row;;) {
        try {
            if (!reader.next(row))
                break;
            out += row.key + std::to_string(row.line) + " ";
        } catch (const ctl::Problem&) {
            out += "bad" + std::to_string(reader.line()) + " ";
        }
    }
    // The open quote is closed by the next one, on line 5: what stands there cannot be told from text.
    CHECK_EQ(out, std::string("bad2 bad3 k34 bad5 k56 "));
}

void fields_are_written_without_formulas() {
    const std::pair<const char*, const char*> cases[] = {
        {"", ""},
        {"web01", "web01"},
        {"a b", "a b"},
        {"a,b", "\"a,b\""},
        {"a;b", "\"a;b\""},
        {"a\"b", "\"a\"\"b\""},
        {"a\nb", "\"a\nb\""},
        {" a", "\" a\""},
        {"=1+1", "'=1+1"},
        {"+1", "'+1"},
        {"-1", "'-1"},
        {"@SUM(A1)", "'@SUM(A1)"},
        {"\t=1", "'\t=1"},
        {"\r=1", "\"'\r=1\""},
        {"=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""},
        {"a=1", "a=1"},
        {"'a", "'a"},
    };
    for (const auto& [text, field] : cases)
        CHECK_EQ(ctl::csv_field(text), std::string(field));
}

// What is no formula comes back as it was.
void what_is_written_is_read_again() {
    auto random = seeded();
    constexpr std::string_view k_bytes = "ab\"\",;\r\n \xc3\xb1'";
    for (int round = 0; round < 2000; ++round) {
        std::string note = "x";
        for (auto n = random() % 12; n > 0; --n)
            note += k_bytes[random() % k_bytes.size()];
        const std::string table = "key,note\nk," + ctl::csv_field(note) + "\n";
        ctl::CsvReader reader(table);
        ctl::CsvRow row;
        CHECK(reader.next(row));
        CHECK_EQ(row.note, note);
        CHECK(!reader.next(row));
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(columns_in_any_order),
        GATE_TEST(several_agents_and_addresses),
        GATE_TEST(quotes_lines_and_marks),
        GATE_TEST(bad_headers),
        GATE_TEST(bad_rows_tell_their_line),
        GATE_TEST(goes_on_after_a_bad_row),
        GATE_TEST(fields_are_written_without_formulas),
        GATE_TEST(what_is_written_is_read_again),
    };
    return cmocka_run_group_tests_name("ctl_csv", tests, nullptr, nullptr);
}

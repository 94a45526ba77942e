// The file of codes, byte for byte; what a code is; tickets; and how guesses are counted.
#include "tests/unit/support.h"

#include "lib/enrol/codes.h"
#include "lib/enrol/guesses.h"
#include "lib/enrol/private_file.h"
#include "lib/enrol/ticket.h"

#include <set>
#include <sys/file.h>

using namespace gate;
using namespace gate::test;
using namespace gate::enrol;

namespace {

constexpr std::int64_t k_now = 1'800'000'000;
const uid_t k_me = ::geteuid();

std::string random_code(std::mt19937_64& random) {
    std::array<std::uint8_t, k_code_symbols * 5 / 8> bytes{};
    for (auto& byte : bytes)
        byte = static_cast<std::uint8_t>(random());
    return format_code(bytes);
}

Codes some(std::vector<std::string> codes) {
    Codes out;
    out.salt.fill(7);
    out.window = {k_now, k_now + 60};
    for (const std::string& code : codes)
        out.codes.push_back({hash_code(out.salt, canonical_code(code).value()),
                             "c-" + std::to_string(out.codes.size()), k_now, k_now + 3600});
    return out;
}

void a_code_is_read_however_it_is_typed() {
    std::mt19937_64 random(1);
    std::set<std::string> all;
    for (int i = 0; i < 1000; ++i) {
        const std::string code = random_code(random);
        CHECK_EQ(code.size(), std::size_t{29}); // 24 symbols, 5 dashes
        CHECK_EQ(canonical_code(code)->size(), k_code_symbols);
        all.insert(code);
    }
    CHECK_EQ(all.size(), std::size_t{1000});
    const std::string plain = "0123456789ABCDEFGHJKMNPQ";
    for (const char* typed :
         {"0123-4567-89AB-CDEF-GHJK-MNPQ", "0123 4567 89ab cdef ghjk mnpq", "o1234-56789abcdefghjkmnpq",
          "0i23456789abcdefghjkmnpq\t", "0L23456789ABCDEFGHJKMNPQ"})
        CHECK_EQ(canonical_code(typed).value_or("-"), plain);
    for (const std::string& typed :
         {std::string(), plain.substr(1), plain + "0", std::string("U") + plain.substr(1),
          plain.substr(1) + '\0', plain + std::string(300, ' ')})
        CHECK(!canonical_code(typed));
}

void each_code_is_found_until_its_time_is_over() {
    std::mt19937_64 random(2);
    std::vector<std::string> codes;
    for (int i = 0; i < 50; ++i)
        codes.push_back(random_code(random));
    const Codes file = some(codes);
    for (std::size_t i = 0; i < codes.size(); ++i)
        CHECK_EQ(find_code(file, codes[i], k_now).value_or(""), "c-" + std::to_string(i));
    for (int i = 0; i < 50; ++i)
        CHECK(!find_code(file, random_code(random), k_now));
    CHECK(!find_code(file, "a password", k_now) && !find_code(file, "", k_now));
    CHECK(!find_code(file, std::string(k_code_symbols, '?'), k_now)); // what stands for "no code" in the hash
    CHECK(find_code(file, codes[3], k_now + 3599));
    CHECK(!find_code(file, codes[3], k_now + 3600));
    // A clock that was set back before it was made does not bring it to life; a small correction does no
    // harm.
    CHECK(find_code(file, codes[3], k_now - k_clock_slack));
    CHECK(!find_code(file, codes[3], k_now - k_clock_slack - 1));
    CHECK(!find_code(file, codes[3], 0));
    CHECK(is_open(file.window, k_now) && !is_open(file.window, k_now + 60) && !is_open(file.window, 0));
    CHECK(!is_open(Window{}, k_now) && !is_open(Window{}, 0));
    Codes salted = file;
    salted.salt.fill(8);
    CHECK(!find_code(salted, codes[3], k_now));
}

void a_file_comes_back_as_it_was() {
    std::mt19937_64 random(3);
    for (const std::size_t count : {0U, 1U, 2U, 100U}) {
        std::vector<std::string> codes;
        for (std::size_t i = 0; i < count; ++i)
            codes.push_back(random_code(random));
        const Codes file = some(codes);
        const auto bytes = encode_codes(file);
        CHECK_OK(bytes);
        CHECK_EQ(bytes->size(), k_codes_header + count * k_codes_record);
        const auto again = decode_codes(*bytes);
        CHECK_OK(again);
        CHECK(*again == file);
    }
    Codes many = some({});
    many.codes.resize(k_max_codes + 1, {.id = "x"});
    CHECK(encode_codes(many).error().code == Errc::too_large);
    many.codes.assign(1, {.id = ""});
    CHECK(encode_codes(many).error().code == Errc::bad_input);
    many.codes[0].id = std::string(k_max_code_id + 1, 'x');
    CHECK(encode_codes(many).error().code == Errc::bad_input);
}

void every_flipped_bit_is_refused() {
    std::mt19937_64 random(4);
    const std::string whole = encode_codes(some({random_code(random), random_code(random)})).value();
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (int bit = 0; bit < 8; ++bit) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
            CHECK_MSG(!decode_codes(damaged), std::to_string(at));
        }
    for (std::size_t size = 0; size < whole.size(); ++size)
        CHECK(!decode_codes(whole.substr(0, size)));
    CHECK(!decode_codes(whole + whole));
    CHECK(!decode_codes(whole + '\0'));
    CHECK_OK(decode_codes(whole)); // the control
}

void a_file_that_others_may_see_is_refused() {
    const TempDir dir;
    const std::string codes = dir / "enrol";
    CHECK(read_codes(codes, k_me).error().code == Errc::missing);
    CHECK_EQ(::mkdir(codes.c_str(), 0700), 0);
    CHECK(read_codes(codes, k_me).error().code == Errc::missing);
    CHECK_OK(write_codes(codes, some({}), k_me));
    CHECK_OK(read_codes(codes, k_me));
    CHECK(read_codes(codes, k_me + 1).error().code == Errc::wrong_owner);
    const std::string file = codes + "/codes";
    for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0601U}) {
        CHECK_EQ(::chmod(file.c_str(), mode), 0);
        CHECK(read_codes(codes, k_me).error().code == Errc::writable);
    }
    CHECK_EQ(::chmod(file.c_str(), 0600), 0);
    CHECK_EQ(::chmod(codes.c_str(), 0750), 0);
    CHECK(read_codes(codes, k_me).error().code == Errc::writable);
    CHECK_EQ(::chmod(codes.c_str(), 0700), 0);
    CHECK_EQ(::link(file.c_str(), (codes + "/again").c_str()), 0);
    CHECK(read_codes(codes, k_me).error().code == Errc::not_regular);
    CHECK_EQ(::rename((codes + "/again").c_str(), (codes + "/other").c_str()), 0);
    CHECK_EQ(::unlink(file.c_str()), 0);
    CHECK_EQ(::symlink("other", file.c_str()), 0);
    CHECK(read_codes(codes, k_me).error().code == Errc::not_regular);
    CHECK_OK(write_codes(codes, some({}), k_me)); // a rename replaces the link, not what it points to
    CHECK_OK(read_codes(codes, k_me));
    CHECK_EQ(::rename(codes.c_str(), (dir / "elsewhere").c_str()), 0);
    CHECK_EQ(::symlink("elsewhere", codes.c_str()), 0);
    CHECK(!read_codes(codes, k_me));
}

const std::string k_session = "0b8f3c52-6a1e-4d57-9c40-7e2d15a98f36-2354-365070";

void a_ticket_comes_back_as_it_was() {
    const TempDir dir;
    CHECK_EQ(::chmod(dir.path().c_str(), 0700), 0);
    for (const Ticket& ticket :
         {Ticket{Ticket::Kind::code, "c-12345678", "192.0.2.1"}, Ticket{Ticket::Kind::password, "", "::1"},
          Ticket{Ticket::Kind::key, "SHA256:cR4NiELuMPZQ8J6ftGYc3FnfwuPfi2fHMQH5VSl9RFE", ""}}) {
        CHECK_OK(write_ticket(dir.path(), k_session, ticket));
        const auto read = read_ticket(dir.path(), k_session, k_me);
        CHECK_OK(read);
        CHECK(*read == ticket);
    }
    const std::string whole = read_file(dir / k_session);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        write_file(dir / k_session, damaged, 0600);
        CHECK(read_ticket(dir.path(), k_session, k_me).error().code == Errc::damaged);
        write_file(dir / k_session, whole.substr(0, at), 0600);
        CHECK(read_ticket(dir.path(), k_session, k_me).error().code == Errc::damaged);
    }
    write_file(dir / k_session, whole + std::string(5000, 'x'), 0600);
    CHECK(read_ticket(dir.path(), k_session, k_me).error().code == Errc::damaged);
    write_file(dir / k_session, whole, 0640);
    CHECK(read_ticket(dir.path(), k_session, k_me).error().code == Errc::writable);
    CHECK(read_ticket(dir.path(), k_session, k_me + 1).error().code == Errc::wrong_owner);
    CHECK_OK(remove_ticket(dir.path(), k_session));
    CHECK_OK(remove_ticket(dir.path(), k_session));
    CHECK(read_ticket(dir.path(), k_session, k_me).error().code == Errc::missing);
}

void no_name_leads_out_of_the_directory() {
    const TempDir dir;
    CHECK_EQ(::chmod(dir.path().c_str(), 0700), 0);
    for (const std::string& session :
         {std::string(), std::string(".."), std::string("../x"), std::string("a/b"), std::string("a.new"),
          std::string("A"), std::string(129, 'a'), std::string("a\0b", 3)}) {
        CHECK(write_ticket(dir.path(), session, {}).error().code == Errc::bad_input);
        CHECK(read_ticket(dir.path(), session, k_me).error().code == Errc::bad_input);
        CHECK(remove_ticket(dir.path(), session).error().code == Errc::bad_input);
    }
    CHECK(write_ticket(dir.path(), k_session, {Ticket::Kind::code, "a b", ""}).error().code ==
          Errc::bad_input);
    CHECK(write_ticket(dir.path(), k_session, {Ticket::Kind::code, "", std::string(256, 'x')}).error().code ==
          Errc::bad_input);
    CHECK(write_ticket(dir / "none", k_session, {}).error().code == Errc::missing);
    CHECK_EQ(::chmod(dir.path().c_str(), 0755), 0);
    CHECK(write_ticket(dir.path(), k_session, {}).error().code == Errc::writable);
    CHECK(read_ticket(dir.path(), k_session, k_me).error().code == Errc::writable);
}

struct Counted {
    TempDir dir;
    Counted() { CHECK_EQ(::chmod(dir.path().c_str(), 0700), 0); }
    [[nodiscard]] Guesses open() const {
        auto opened = Guesses::open(dir.path(), k_me, 0);
        CHECK_OK(opened);
        return std::move(*opened);
    }
    // On an object of its own each, as each login has one.
    [[nodiscard]] Allowance ask(const char* peer, std::int64_t now) const {
        const auto allowance = open().ask(parse_address(peer), now);
        CHECK_OK(allowance);
        return *allowance;
    }
    void guess(const char* peer, std::int64_t now, unsigned times = 1) const {
        for (unsigned i = 0; i < times; ++i)
            CHECK_OK(open().count(parse_address(peer), now));
    }
};

void a_source_has_so_many_guesses_and_then_waits() {
    const Counted table;
    for (unsigned i = 0; i < k_source_guesses; ++i) {
        CHECK(table.ask("192.0.2.1", k_now) == Allowance::all);
        table.guess("192.0.2.1", k_now + i);
    }
    CHECK(table.ask("192.0.2.1", k_now + 20) == Allowance::nothing);
    CHECK(table.ask("192.0.2.2", k_now + 20) == Allowance::all);
    CHECK(table.ask("192.0.2.1", k_now + k_guess_window - 1) == Allowance::nothing);
    CHECK(table.ask("192.0.2.1", k_now + k_guess_window) == Allowance::all);
    // One /64 is one source; its neighbour is another.
    table.guess("2001:db8:0:1::1", k_now, 5);
    table.guess("2001:db8:0:1:ffff::2", k_now, 5);
    CHECK(table.ask("2001:db8:0:1::3", k_now) == Allowance::nothing);
    CHECK(table.ask("2001:db8:0:2::3", k_now) == Allowance::all);
    // Those without an address are one.
    table.guess("a name", k_now, k_source_guesses);
    CHECK(table.ask("another", k_now) == Allowance::nothing);
}

void what_was_right_after_all_does_not_count() {
    const Counted table;
    for (unsigned i = 0; i < 3 * k_source_guesses; ++i) {
        table.guess("192.0.2.1", k_now);
        CHECK_OK(table.open().forgive(parse_address("192.0.2.1"), k_now));
    }
    CHECK(table.ask("192.0.2.1", k_now) == Allowance::all);
    CHECK_OK(table.open().forgive(parse_address("192.0.2.9"), k_now)); // never counted: nothing below zero
    table.guess("192.0.2.9", k_now, k_source_guesses);
    CHECK(table.ask("192.0.2.9", k_now) == Allowance::nothing);
}

void all_together_close_the_password_and_no_code_of_others() {
    const Counted table;
    for (unsigned i = 0; i < k_all_guesses; ++i)
        table.guess(("10.0.0." + std::to_string(i)).c_str(), k_now);
    CHECK(table.ask("192.0.2.1", k_now) == Allowance::codes_only);
    CHECK(table.ask("10.0.0.1", k_now) == Allowance::nothing); // has guessed itself
    CHECK(table.ask("192.0.2.1", k_now + k_guess_window) == Allowance::all);
}

void a_clock_set_back_does_not_keep_it_shut_for_ever() {
    const Counted table;
    table.guess("192.0.2.1", k_now, k_source_guesses);
    const std::int64_t back = k_now - 1'000'000;
    CHECK(table.ask("192.0.2.1", back) == Allowance::nothing);
    CHECK(table.ask("192.0.2.1", back + k_guess_window - 1) == Allowance::nothing);
    CHECK(table.ask("192.0.2.1", back + k_guess_window) == Allowance::all);
}

void a_full_table_forgets_the_oldest_and_not_the_sum() {
    const Counted table;
    auto guesses = table.open();
    for (unsigned i = 0; i < k_guess_sources + 10; ++i) {
        const std::string peer = "10.0." + std::to_string(i / 256) + '.' + std::to_string(i % 256);
        CHECK_OK(guesses.count(parse_address(peer), k_now + i % 2));
    }
    CHECK(guesses.ask(parse_address("192.0.2.1"), k_now + 1).value() == Allowance::codes_only);
    CHECK_EQ(std::filesystem::file_size(table.dir / "table"), (k_guess_sources + 1) * 32);
}

void a_table_that_cannot_be_trusted_is_an_error() {
    const Counted table;
    table.guess("192.0.2.1", k_now);
    const std::string file = table.dir / "table";
    {
        const Fd held{::open(file.c_str(), O_RDWR | O_CLOEXEC)};
        CHECK_EQ(::flock(held.get(), LOCK_EX), 0);
        CHECK(!Guesses::open(table.dir.path(), k_me, 20)); // locked: not for ever
    }
    CHECK(Guesses::open(table.dir.path(), k_me + 1, 0).error().code == Errc::wrong_owner);
    write_file(file, std::string((k_guess_sources + 1) * 32, 'x'), 0600);
    CHECK(Guesses::open(table.dir.path(), k_me, 0).error().code == Errc::damaged);
    write_file(file, "short", 0600);
    CHECK(Guesses::open(table.dir.path(), k_me, 0).error().code == Errc::damaged);
    ::unlink(file.c_str());
    CHECK_OK(Guesses::open(table.dir.path(), k_me, 0));
    CHECK_EQ(::chmod(file.c_str(), 0660), 0);
    CHECK(Guesses::open(table.dir.path(), k_me, 0).error().code == Errc::writable);
    CHECK(Guesses::open(table.dir / "none", k_me, 0).error().code == Errc::missing);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_code_is_read_however_it_is_typed),
        GATE_TEST(each_code_is_found_until_its_time_is_over),
        GATE_TEST(a_file_comes_back_as_it_was),
        GATE_TEST(every_flipped_bit_is_refused),
        GATE_TEST(a_file_that_others_may_see_is_refused),
        GATE_TEST(a_ticket_comes_back_as_it_was),
        GATE_TEST(no_name_leads_out_of_the_directory),
        GATE_TEST(a_source_has_so_many_guesses_and_then_waits),
        GATE_TEST(what_was_right_after_all_does_not_count),
        GATE_TEST(all_together_close_the_password_and_no_code_of_others),
        GATE_TEST(a_clock_set_back_does_not_keep_it_shut_for_ever),
        GATE_TEST(a_full_table_forgets_the_oldest_and_not_the_sum),
        GATE_TEST(a_table_that_cannot_be_trusted_is_an_error),
    };
    return cmocka_run_group_tests_name("enrol_codes", tests, nullptr, nullptr);
}

// enrol: which logins without a key are let in, under libpam, with a real file of codes; and that no trouble
// lets anybody in, or asks the next module.
#include "tests/pam/keys.h"

#include "lib/enrol/codes.h"
#include "lib/enrol/guesses.h"
#include "lib/enrol/ticket.h"

using namespace gate;
using namespace gate::test;

namespace {

const std::string k_code = "0123-4567-89AB-CDEF-GHJK-MNPQ";
const std::string k_old_code = "1123-4567-89AB-CDEF-GHJK-MNPQ";
const std::string k_early_code = "2123-4567-89AB-CDEF-GHJK-MNPQ";

std::string path(const char* name) {
    return work_dir() + "/" + name;
}

const char* typed = "";
int types(int count, const pam_message** messages, pam_response** answers, void*) {
    *answers = static_cast<pam_response*>(std::calloc(static_cast<size_t>(count), sizeof(pam_response)));
    for (int i = 0; i < count; ++i)
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
            (*answers)[i].resp = ::strdup(typed);
    return PAM_SUCCESS;
}

enum class Window { closed, open };

void write_codes(Window window) {
    const std::int64_t now = std::time(nullptr);
    enrol::Codes codes;
    codes.salt.fill(3);
    if (window == Window::open)
        codes.window = {now - 10, now + 3600};
    const auto add = [&](const std::string& code, const char* id, std::int64_t from, std::int64_t until) {
        codes.codes.push_back({enrol::hash_code(codes.salt, *enrol::canonical_code(code)), id, from, until});
    };
    add(k_code, "c-good", now - 10, now + 3600);
    add(k_old_code, "c-old", now - 20, now - 10);
    add(k_early_code, "c-early", now + 7200, now + 9000); // made before the clock was set back
    const bool owned = std::exchange(faults.root_owns_all, false);
    CHECK_OK(enrol::write_codes(path("enrol"), codes, ::geteuid()));
    faults.root_owns_all = owned;
}

// Everything in its place, nothing guessed yet; returns the options of a session line without require_key.
std::string world(Window window = Window::closed) {
    std::error_code ignored;
    for (const char* name : {"enrol", "run"})
        std::filesystem::remove_all(path(name), ignored);
    for (const char* name : {"enrol", "run", "run/tickets", "run/guesses"})
        CHECK_EQ(::mkdir(path(name).c_str(), 0700), 0);
    const std::string options = with_keyring("enrol run=" + path("run"));
    write_codes(window);
    return options;
}

// auth and session as setup writes them; behind the auth line one that always says yes, as pam_unix does for
// the right password.
void stack(const std::string& options, const char* password_module = "pam_permit.so") {
    write_stack("auth [success=done ignore=ignore default=die] " + module_path() + " " + options +
                "\nauth required " + password_module + "\nsession requisite " + module_path() + " " +
                options + " require_key\n");
}

struct Login : Handle {
    explicit Login(const char* text, const char* user = "pandora", const char* rhost = "192.0.2.1")
        : Handle("gate", user) {
        typed = text;
        const pam_conv typing{&types, nullptr};
        CHECK_EQ(pam_set_item(pamh, PAM_CONV, &typing), PAM_SUCCESS);
        CHECK_EQ(pam_set_item(pamh, PAM_RHOST, rhost), PAM_SUCCESS);
        forget();
    }
    [[nodiscard]] int auth() const { return pam_authenticate(pamh, 0); }
    [[nodiscard]] int open(const char* methods = "password\n") const {
        CHECK_EQ(pam_putenv(pamh, (std::string("SSH_AUTH_INFO_0=") + methods).c_str()), PAM_SUCCESS);
        return pam_open_session(pamh, 0);
    }
};

std::vector<enrol::Ticket> tickets() {
    std::vector<enrol::Ticket> out;
    for (const auto& file : std::filesystem::directory_iterator(path("run/tickets"))) {
        const auto ticket = enrol::read_ticket(path("run/tickets"), file.path().filename().string(), 0);
        CHECK_OK(ticket);
        out.push_back(*ticket);
    }
    return out;
}

void a_code_opens_a_session_with_a_ticket() {
    stack(world());
    const Login login(k_code.c_str());
    CHECK_EQ(login.auth(), PAM_SUCCESS);
    CHECK(events.empty());
    CHECK_EQ(login.open(), PAM_SUCCESS);
    CHECK(has(events.at(0), "\"enrolment\":\"code\",\"code\":\"c-good\""));
    const auto found = tickets();
    CHECK_EQ(found.size(), std::size_t{1});
    CHECK(found[0] == (enrol::Ticket{enrol::Ticket::Kind::code, "c-good", "192.0.2.1"}));
    CHECK_EQ(pam_close_session(login.pamh, 0), PAM_SUCCESS);
    CHECK(tickets().empty());
    const Login again("0123456789abcdefghjkmnpq"); // it admits until a key was accepted
    CHECK_EQ(again.auth(), PAM_SUCCESS);
    faults = {};
}

void nothing_else_does_while_the_window_is_closed() {
    stack(world());
    for (const std::string& text :
         {k_old_code, k_early_code, std::string("0123-4567-89AB-CDEF-GHJK-MNPR"),
          std::string("the account's password"), std::string(), std::string(400, 'x')}) {
        const Login login(text.c_str());
        CHECK_EQ(login.auth(), PAM_AUTH_ERR);
        CHECK_EQ(events.size(), std::size_t{1});
        CHECK(has(events[0], "\"rule\":\"enrol\"") && has(events[0], "no enrolment code that is good now"));
        CHECK_EQ(login.open(), PAM_SESSION_ERR);
        CHECK(tickets().empty());
    }
    const Login control(k_code.c_str());
    CHECK_EQ(control.auth(), PAM_SUCCESS);
    faults = {};
}

void while_it_is_open_the_next_module_decides() {
    stack(world(Window::open));
    {
        const Login login("a password");
        CHECK_EQ(login.auth(), PAM_SUCCESS); // pam_permit's
        CHECK_EQ(login.open(), PAM_SUCCESS);
        CHECK(has(events.at(0), "\"enrolment\":\"password\""));
        CHECK(tickets().at(0) == (enrol::Ticket{enrol::Ticket::Kind::password, "", "192.0.2.1"}));
        CHECK_EQ(pam_close_session(login.pamh, 0), PAM_SUCCESS);
    }
    {
        const Login login(k_code.c_str()); // a code is a code
        CHECK_EQ(login.auth(), PAM_SUCCESS);
        CHECK_EQ(login.open(), PAM_SUCCESS);
        CHECK(tickets().at(0).kind == enrol::Ticket::Kind::code);
        CHECK_EQ(pam_close_session(login.pamh, 0), PAM_SUCCESS);
    }
    stack(world(Window::open), "pam_deny.so");
    const Login wrong("a wrong password");
    CHECK_EQ(wrong.auth(), PAM_AUTH_ERR);
    const Login code(k_code.c_str());
    CHECK_EQ(code.auth(), PAM_SUCCESS);
    faults = {};
}

void a_session_needs_what_its_own_auth_line_found() {
    stack(world(Window::open));
    {
        const Login login(k_code.c_str()); // open_session without auth: gssapi, hostbased
        CHECK_EQ(login.open(), PAM_SESSION_ERR);
    }
    for (const char* methods :
         {"keyboard-interactive/pam\n", "gssapi-with-mic\n", "password\npassword\n",
          "password\nkeyboard-interactive/pam\n", "publickey ssh-ed25519 AAAA\npassword\n", ""}) {
        const Login login(k_code.c_str());
        CHECK_EQ(login.auth(), PAM_SUCCESS);
        CHECK_MSG(login.open(methods) == PAM_SESSION_ERR, methods);
        CHECK(tickets().empty());
    }
    // A first try that was right, and a second that was not, on the same handle.
    stack(world(Window::closed));
    const Login login(k_code.c_str());
    CHECK_EQ(login.auth(), PAM_SUCCESS);
    typed = "wrong";
    CHECK_EQ(login.auth(), PAM_AUTH_ERR);
    CHECK_EQ(login.open(), PAM_SESSION_ERR);
    faults = {};
}

void guessing_ends() {
    stack(world());
    for (unsigned i = 0; i < enrol::k_source_guesses; ++i) {
        const Login login("wrong");
        CHECK_EQ(login.auth(), PAM_AUTH_ERR);
    }
    {
        const Login login(k_code.c_str());
        CHECK_EQ(login.auth(), PAM_AUTH_ERR);
        CHECK(has(events.at(0), "too many wrong codes from this address"));
    }
    const Login other(k_code.c_str(), "pandora", "192.0.2.2");
    CHECK_EQ(other.auth(), PAM_SUCCESS);
    // A right password is no guess.
    stack(world(Window::open));
    for (unsigned i = 0; i < 2 * enrol::k_source_guesses; ++i) {
        const Login login("the password");
        CHECK_EQ(login.auth(), PAM_SUCCESS);
        CHECK_EQ(login.open(), PAM_SUCCESS);
        CHECK_EQ(pam_close_session(login.pamh, 0), PAM_SUCCESS);
    }
    faults = {};
}

void who_is_not_meant_is_not_asked() {
    stack(world(), "pam_deny.so");
    const Login login(k_code.c_str(), "admin");
    CHECK_EQ(login.auth(), PAM_AUTH_ERR); // pam_deny's
    CHECK(events.empty());
    stack(world());
    const Login permitted("x", "admin");
    CHECK_EQ(permitted.auth(), PAM_SUCCESS);
    faults = {};
}

struct Trouble {
    const char* name;
    void (*arrange)();
};

// The window is open, and pam_permit behind: whatever were ignored would let in.
void no_trouble_lets_anybody_in() {
    const Trouble troubles[] = {
        {"codes damaged", [] { write_file(path("enrol/codes"), std::string(200, 'x'), 0600); }},
        {"codes empty", [] { write_file(path("enrol/codes"), "", 0600); }},
        {"codes for all to read", [] { ::chmod(path("enrol/codes").c_str(), 0644); }},
        {"codes somebody's", [] { faults.nobody_owns_all = true; }},
        {"codes a link",
         [] {
             ::rename(path("enrol/codes").c_str(), path("enrol/x").c_str());
             CHECK_EQ(::symlink("x", path("enrol/codes").c_str()), 0);
         }},
        {"codes unreadable", [] { faults.read_error = EIO; }},
        {"their directory open", [] { ::chmod(path("enrol").c_str(), 0755); }},
        {"no table", [] { std::filesystem::remove_all(path("run/guesses")); }},
        {"table damaged", [] { write_file(path("run/guesses/table"), "x", 0600); }},
        {"table for all", [] { write_file(path("run/guesses/table"), "", 0666); }},
        {"table's directory open", [] { ::chmod(path("run/guesses").c_str(), 0777); }},
        {"nobody types", [] { typed = nullptr; }},
    };
    for (const Trouble& trouble : troubles)
        for (const char* text : {k_code.c_str(), "the password"}) {
            stack(world(Window::open));
            const Login login(text);
            trouble.arrange();
            const pam_conv silent{&Handle::refuse, nullptr};
            if (typed == nullptr)
                CHECK_EQ(pam_set_item(login.pamh, PAM_CONV, &silent), PAM_SUCCESS);
            const int code = login.auth();
            CHECK_MSG(code != PAM_SUCCESS && code != PAM_IGNORE, trouble.name);
            CHECK_MSG(events.size() == 1 && has(events[0], "login.refused"), trouble.name);
            faults.nobody_owns_all = false;
            faults.read_error = 0;
            CHECK_EQ(login.open(), PAM_SESSION_ERR);
        }
    // A ticket that cannot be written: such a session could do nothing.
    stack(world());
    const Login login(k_code.c_str());
    CHECK_EQ(login.auth(), PAM_SUCCESS);
    std::filesystem::remove_all(path("run/tickets"));
    CHECK_EQ(login.open(), PAM_SESSION_ERR);
    // No file of codes is none of these: nobody has turned enrolment on.
    stack(world());
    std::filesystem::remove_all(path("enrol"));
    const Login none(k_code.c_str());
    CHECK_EQ(none.auth(), PAM_AUTH_ERR);
    CHECK(has(events.at(0), "no enrolment code"));
    faults = {};
}

void set_rotation(keyring::Rotation rotation) {
    faults.root_owns_all = false;
    keyring::Contents contents;
    contents.generation = 8;
    contents.policy.keys_rotation = rotation;
    contents.keys = {key("k-good", k_good, keyring::KeyState::active),
                     key("k-gone", k_gone, keyring::KeyState::revoked)};
    CHECK_OK(keyring::publish(path("keyring"), std::move(contents), ::geteuid()));
    faults.root_owns_all = true;
}

void a_key_gets_a_ticket_where_keys_may_be_rotated() {
    const std::string info = auth_info(k_good).substr(std::string_view("SSH_AUTH_INFO_0=").size());
    for (const auto& [rotation, count] : {std::pair{keyring::Rotation::off, 0U},
                                          {keyring::Rotation::pending, 1U},
                                          {keyring::Rotation::automatic, 1U}}) {
        stack(world());
        set_rotation(rotation);
        const Login login("");
        CHECK_EQ(login.open(info.c_str()), PAM_SUCCESS);
        CHECK(!has(events.at(0), "enrolment"));
        CHECK_EQ(tickets().size(), std::size_t{count});
        if (count != 0)
            CHECK(tickets()[0].kind == enrol::Ticket::Kind::key &&
                  tickets()[0].subject.starts_with("SHA256:"));
        CHECK_EQ(pam_close_session(login.pamh, 0), PAM_SUCCESS);
        CHECK(tickets().empty());
    }
    // Packets go on without one.
    std::filesystem::remove_all(path("run/tickets"));
    const Login login("");
    CHECK_EQ(login.open(info.c_str()), PAM_SUCCESS);
    CHECK_EQ(lines.size(), std::size_t{1});
    faults = {};
}

void the_option_stands_where_it_means_something() {
    const std::string options = world();
    for (const auto& [words, op] : {std::pair{options + " enrol", PAMTEST_AUTHENTICATE},
                                    {options, PAMTEST_ACCOUNT},
                                    {options, PAMTEST_OPEN_SESSION}, // without require_key
                                    {options + " require_key", PAMTEST_AUTHENTICATE},
                                    {std::string("group=pandora enrol=yes"), PAMTEST_AUTHENTICATE},
                                    {std::string("group=pandora run=/x"), PAMTEST_AUTHENTICATE},
                                    {std::string("group=pandora enrol run=x"), PAMTEST_AUTHENTICATE}})
        CHECK_MSG(module_code(words, op, "pandora") == PAM_SERVICE_ERR, words);
    faults = {};
}

} // namespace

GATE_PAM_MAIN("pam_enrol", GATE_TEST(a_code_opens_a_session_with_a_ticket),
              GATE_TEST(nothing_else_does_while_the_window_is_closed),
              GATE_TEST(while_it_is_open_the_next_module_decides),
              GATE_TEST(a_session_needs_what_its_own_auth_line_found), GATE_TEST(guessing_ends),
              GATE_TEST(who_is_not_meant_is_not_asked), GATE_TEST(no_trouble_lets_anybody_in),
              GATE_TEST(a_key_gets_a_ticket_where_keys_may_be_rotated),
              GATE_TEST(the_option_stands_where_it_means_something))

// Every entry point through every fault: an error is never PAM_SUCCESS and never PAM_IGNORE. setcred and
// close_session ask no rule, so that what is wrong with a user, a file or a service is none of their
// business: they answer then as without the fault, and what concerns them too (the line, memory) refuses
// there as well.
#include "tests/pam/keys.h"

#include <array>
#include <climits>

using namespace gate;
using namespace gate::test;

#ifndef __SANITIZE_ADDRESS__
// One allocation of the process can be made to fail, the module's operator new among them.
extern "C" void* __libc_malloc(size_t size);
static bool and_after = false;     // and all later ones
static bool module_failed = false; // the one that failed was the module's own, not libpam's or libc's
GATE_STAND_IN void* malloc(size_t size) noexcept {
    if (gate::test::fail_at <= 0 || --gate::test::fail_at != 0)
        return __libc_malloc(size);
    Dl_info caller{};
    if (::dladdr(__builtin_return_address(0), &caller) != 0 &&
        std::strstr(caller.dli_fname, "pam_pandora") != nullptr)
        module_failed = true;
    gate::test::fail_at = and_after ? 1 : 0;
    errno = ENOMEM;
    return nullptr;
}
#endif

namespace {

constexpr pamtest_ops k_ops[] = {PAMTEST_AUTHENTICATE, PAMTEST_ACCOUNT, PAMTEST_OPEN_SESSION, PAMTEST_SETCRED,
                                 PAMTEST_CLOSE_SESSION};
constexpr const char* k_names[] = {"authenticate", "acct_mgmt", "open_session", "setcred", "close_session"};
using Codes = std::array<int, 5>; // in that order

// Every rule there is.
const char* const k_all_rules =
    "group=pandora scope=members shell=@/usr/sbin/nologin deny=@/deny services=gate rhost=192.0.2.0/24";

struct Fault {
    const char* name;
    Codes expected;
    Faults calls = {};             // what the stand-ins do
    void (*arrange)() = [] {};     // what is done to the files
    const char* options = nullptr; // in place of k_all_rules
    const char* user = "pandora";
    const char* rhost = "192.0.2.7";
    const std::string& key = k_good;
    int (*conversation)(int, const pam_message**, pam_response**, void*) = &Handle::refuse;

    // Something that comes after a session was opened; the others are there from the beginning.
    [[nodiscard]] bool comes_later() const {
        return options == nullptr && std::string_view(user != nullptr ? user : "") == "pandora" &&
               rhost != nullptr && std::string_view(rhost) == "192.0.2.7" && &key == &k_good;
    }
};

std::string path(const char* name) {
    return work_dir() + "/" + name;
}

void write_stack_for(const char* options, bool permit) {
    std::string text;
    for (const char* phase : k_phases) {
        text += std::string(phase) + " required " + module_path() + " " +
                expand(options != nullptr ? options : k_all_rules);
        if (std::string_view(phase) == "session")
            text += " require_key keyring=" + path("keyring");
        text += permit ? "\n" + std::string(phase) + " required pam_permit.so\n" : "\n";
    }
    write_stack(text);
}

void all_well() {
    std::error_code ignored;
    for (const char* name : {"deny", "keyring"})
        std::filesystem::remove_all(path(name), ignored);
    write_file(path("deny"), "# kept out\nlinked\n", 0644);
    static_cast<void>(with_keyring()); // root's, from here on
}

void prepare(const Handle& handle, const Fault& fault) {
    const pam_conv conversation{fault.conversation, nullptr};
    CHECK_EQ(pam_set_item(handle.pamh, PAM_CONV, &conversation), PAM_SUCCESS);
    if (fault.rhost != nullptr)
        CHECK_EQ(pam_set_item(handle.pamh, PAM_RHOST, fault.rhost), PAM_SUCCESS);
    CHECK_EQ(pam_putenv(handle.pamh, auth_info(fault.key).c_str()), PAM_SUCCESS);
}

int run_once(const Fault& fault, pamtest_ops op, bool permit) {
    all_well();
    write_stack_for(fault.options, permit);
    const Handle handle{"gate", fault.user};
    prepare(handle, fault);
    if (op == PAMTEST_CLOSE_SESSION && fault.comes_later())
        CHECK_EQ(pam_open_session(handle.pamh, 0), PAM_SUCCESS);
    fault.arrange();
    const bool owned = fault.calls.nobody_owns_all;
    faults = fault.calls;
    faults.root_owns_all = !owned;
    forget();
    const int code = operate(handle.pamh, op);
    faults = {};
    return code;
}

// What the module returned, see module_code().
int run(const Fault& fault, pamtest_ops op) {
    const int before_permit = run_once(fault, op, true);
    const int alone = run_once(fault, op, false);
    return alone == PAM_PERM_DENIED && before_permit == PAM_SUCCESS ? PAM_IGNORE : alone;
}

int hangs_up(int, const pam_message**, pam_response**, void*) {
    return PAM_BUF_ERR;
}
int says_nothing(int, const pam_message**, pam_response** answers, void*) {
    *answers = nullptr;
    return PAM_SUCCESS;
}
int gives_an_empty_name(int count, const pam_message**, pam_response** answers, void*) {
    *answers = static_cast<pam_response*>(std::calloc(static_cast<size_t>(count), sizeof(pam_response)));
    (*answers)->resp = ::strdup("");
    return PAM_SUCCESS;
}

constexpr Codes k_well = {PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS, PAM_IGNORE, PAM_SUCCESS};
// An error, or a rule that says no; close_session of a session that was open before, or never was.
constexpr Codes k_error = {PAM_SERVICE_ERR, PAM_SERVICE_ERR, PAM_SERVICE_ERR, PAM_IGNORE, PAM_SUCCESS};
constexpr Codes k_error_from_the_start = {PAM_SERVICE_ERR, PAM_SERVICE_ERR, PAM_SERVICE_ERR, PAM_IGNORE,
                                          PAM_IGNORE};
constexpr Codes k_denied = {PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_SESSION_ERR, PAM_IGNORE, PAM_IGNORE};
constexpr Codes k_denied_later = {PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_SESSION_ERR, PAM_IGNORE, PAM_SUCCESS};
constexpr Codes k_unknown = {PAM_USER_UNKNOWN, PAM_USER_UNKNOWN, PAM_SESSION_ERR, PAM_IGNORE, PAM_IGNORE};
constexpr Codes k_bad_line = {PAM_SERVICE_ERR, PAM_SERVICE_ERR, PAM_SERVICE_ERR, PAM_SERVICE_ERR,
                              PAM_SERVICE_ERR};
// require_key stands on the session line only: the others do not ask.
constexpr Codes k_key = {PAM_SUCCESS, PAM_SUCCESS, PAM_SESSION_ERR, PAM_IGNORE, PAM_IGNORE};
constexpr Codes k_keyring = {PAM_SUCCESS, PAM_SUCCESS, PAM_SESSION_ERR, PAM_IGNORE, PAM_SUCCESS};

void remove_deny() {
    ::unlink(path("deny").c_str());
}
void link_deny() {
    remove_deny();
    CHECK_EQ(::symlink("/dev/null", path("deny").c_str()), 0);
}

const Fault k_faults[] = {
    {.name = "no user name, and nobody to ask", .expected = k_error_from_the_start, .user = nullptr},
    {.name = "the conversation hangs up",
     .expected = k_error_from_the_start,
     .user = nullptr,
     .conversation = &hangs_up},
    {.name = "the conversation says nothing",
     .expected = k_error_from_the_start,
     .user = nullptr,
     .conversation = &says_nothing},
    {.name = "an empty user name",
     .expected = k_unknown,
     .user = nullptr,
     .conversation = &gives_an_empty_name},
    {.name = "unknown user", .expected = k_unknown, .user = "nobody-here"},
    {.name = "impossible user name", .expected = k_unknown, .user = "../pandora"},
    {.name = "passwd: EIO", .expected = k_error, .calls = {.getpwnam_error = EIO}},
    {.name = "passwd: interrupted without end", .expected = k_error, .calls = {.interruptions = INT_MAX}},
    {.name = "passwd: no memory", .expected = k_error, .calls = {.getpwnam_error = ENOMEM}},
    {.name = "passwd: too many files", .expected = k_error, .calls = {.getpwnam_error = EMFILE}},
    {.name = "passwd: an entry without end", .expected = k_error, .calls = {.getpwnam_error = ERANGE}},
    {.name = "group: EIO", .expected = k_error, .calls = {.getgrnam_error = EIO}},
    {.name = "group: timed out", .expected = k_error, .calls = {.getgrnam_error = ETIMEDOUT}},
    {.name = "group: no memory", .expected = k_error, .calls = {.getgrnam_error = ENOMEM}},
    {.name = "group: lost", .expected = k_error, .calls = {.getgrnam_error = ENOENT}},
    {.name = "group: not there",
     .expected = k_error_from_the_start,
     .options = "group=no-such-group scope=members"},
    {.name = "the groups of the user cannot be listed",
     .expected = k_error_from_the_start,
     .calls = {.getgrouplist_fails = true},
     .options = "group=many-too scope=members",
     .user = "multi"},
    {.name = "deny file: missing", .expected = k_error, .arrange = &remove_deny},
    {.name = "deny file: read error", .expected = k_error, .calls = {.read_error = EIO}},
    {.name = "deny file: huge",
     .expected = k_error,
     .arrange = [] { CHECK_EQ(::truncate(path("deny").c_str(), off_t{1} << 40), 0); }},
    {.name = "deny file: a link", .expected = k_error, .arrange = &link_deny},
    {.name = "deny file: somebody else's", .expected = k_error, .calls = {.nobody_owns_all = true}},
    {.name = "deny file: writable by the group",
     .expected = k_error,
     .arrange = [] { write_file(path("deny"), "linked\n", 0664); }},
    {.name = "deny file: a directory",
     .expected = k_error,
     .arrange =
         [] {
             remove_deny();
             std::filesystem::create_directory(path("deny"));
         }},
    {.name = "deny file: binary",
     .expected = k_error,
     .arrange = [] { write_file(path("deny"), std::string(100, '\0'), 0644); }},
    {.name = "deny file: lists the user",
     .expected = k_denied_later,
     .arrange = [] { write_file(path("deny"), "pandora\n", 0644); }},
    {.name = "keyring: missing", .expected = k_keyring, .arrange = [] { ::unlink(path("keyring").c_str()); }},
    {.name = "keyring: cut short",
     .expected = k_keyring,
     .arrange = [] { CHECK_EQ(::truncate(path("keyring").c_str(), 5000), 0); }},
    {.name = "keyring: empty",
     .expected = k_keyring,
     .arrange = [] { write_file(path("keyring"), "", 0644); }},
    {.name = "keyring: writable by others",
     .expected = k_keyring,
     .arrange = [] { CHECK_EQ(::chmod(path("keyring").c_str(), 0646), 0); }},
    {.name = "key: revoked", .expected = k_key, .key = k_gone},
    {.name = "key: expired", .expected = k_key, .key = k_old},
    {.name = "bad option", .expected = k_bad_line, .options = "group=pandora scope=members usr=pandora"},
    {.name = "bad option: nothing", .expected = k_bad_line, .options = "quiet scope=everybody"},
    {.name = "no service name", .expected = k_denied_later, .calls = {.no_service = true}},
    {.name = "no address of the client", .expected = k_denied, .rhost = nullptr},
    {.name = "a name for the client's address", .expected = k_denied, .rhost = "agent.example.org"},
    {.name = "an address outside", .expected = k_denied, .rhost = "192.0.3.7"},
    {.name = "another shell", .expected = k_denied, .user = "basher"},
};

void check(const Fault& fault) {
    for (size_t i = 0; i < std::size(k_ops); ++i) {
        const int code = run(fault, k_ops[i]);
        CHECK_MSG(code == fault.expected[i], std::string(fault.name) + " / " + k_names[i] + " returned " +
                                                 name_of(code) + ", not " + name_of(fault.expected[i]));
    }
}

void without_a_fault_every_phase_passes() {
    check({.name = "no fault", .expected = k_well});
    check({.name = "no fault, a supplementary group",
           .expected = {PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS, PAM_IGNORE, PAM_IGNORE},
           .options = "group=many-too scope=members",
           .user = "multi"});
    check({.name = "a user outside",
           .expected = {PAM_IGNORE, PAM_IGNORE, PAM_IGNORE, PAM_IGNORE, PAM_IGNORE},
           .user = "admin"});
}

// The three that decide: neither PAM_SUCCESS nor PAM_IGNORE, but where the key is asked for by open_session.
void the_table_itself_lets_no_error_pass() {
    for (const Fault& fault : k_faults) {
        for (size_t i = 0; i < 3; ++i) {
            const bool not_asked = fault.expected == k_key || fault.expected == k_keyring;
            CHECK_MSG(fault.expected[i] != PAM_IGNORE, fault.name);
            CHECK_MSG(fault.expected[i] != PAM_SUCCESS || (not_asked && i < 2), fault.name);
        }
    }
}

// A signal is no reason for more memory, nor to refuse.
void an_interrupted_look_up_is_made_again() {
    largest_buffer = 0;
    CHECK_EQ(run({.name = "interrupted", .expected = k_well, .calls = {.interruptions = 7}}, PAMTEST_ACCOUNT),
             PAM_SUCCESS);
    CHECK(largest_buffer > 0 && largest_buffer <= 64UL * 1024);
}

void every_fault_is_a_refusal_in_every_entry_point() {
    for (const Fault& fault : k_faults)
        check(fault);
    print_message("%zu faults, %zu entry points\n", std::size(k_faults), std::size(k_ops));
}

#ifndef __SANITIZE_ADDRESS__

struct Attempt {
    int code;
    bool reached; // an allocation did fail
    bool module;  // and it was one of the module's own
};

// One operation with the n-th allocation failing, and with `all_after` every later one too.
Attempt with_failing_memory(pamtest_ops op, const char* user, long n, bool all_after) {
    const Fault none{.name = "memory", .expected = k_well, .user = user};
    const Handle handle{"gate", user};
    prepare(handle, none);
    if (op == PAMTEST_CLOSE_SESSION)
        static_cast<void>(pam_open_session(handle.pamh, 0));
    forget();
    and_after = all_after;
    module_failed = false;
    fail_at = n;
    const int code = operate(handle.pamh, op);
    const bool reached = fail_at == 0 || (all_after && fail_at == 1);
    fail_at = 0;
    return {code, reached, module_failed};
}

// pam_permit follows in the stack: PAM_IGNORE would show as PAM_SUCCESS, too.
void a_failed_allocation_is_a_refusal_in_every_entry_point() {
    for (size_t i = 0; i < std::size(k_ops); ++i) {
        long tried = 0;
        long own = 0;
        // Who would be let in; and who are refused by the shell, by the deny file, for not being there.
        for (const char* user : {"pandora", "basher", "linked", "nobody-here"}) {
            for (const bool all_after : {false, true}) {
                all_well();
                write_stack_for(nullptr, true);
                for (long n = 1;; ++n) {
                    const Attempt attempt = with_failing_memory(k_ops[i], user, n, all_after);
                    const std::string where = std::string(k_names[i]) + " of " + user + ", " +
                                              std::to_string(n) + "th allocation: " + name_of(attempt.code);
                    const bool decides = i < 3 && std::string_view(user) != "pandora";
                    CHECK_MSG(attempt.code != PAM_SUCCESS || (!attempt.module && !decides), where);
                    if (!attempt.reached)
                        break;
                    ++tried;
                    own += attempt.module ? 1 : 0;
                }
            }
        }
        print_message("%s: %ld allocations failed, %ld of them the module's own\n", k_names[i], tried, own);
        CHECK(own > 10);
    }
    faults = {};
}
#endif

} // namespace

#ifndef __SANITIZE_ADDRESS__
#define MEMORY_TESTS , GATE_TEST(a_failed_allocation_is_a_refusal_in_every_entry_point)
#else
#define MEMORY_TESTS
#endif
GATE_PAM_MAIN("pam_faults", GATE_TEST(without_a_fault_every_phase_passes),
              GATE_TEST(the_table_itself_lets_no_error_pass), GATE_TEST(an_interrupted_look_up_is_made_again),
              GATE_TEST(every_fault_is_a_refusal_in_every_entry_point) MEMORY_TESTS)

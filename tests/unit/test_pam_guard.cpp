// pam_pandora/guard.h: whatever is thrown becomes a refusal.
#include "tests/unit/support.h"

#include "pam_pandora/guard.h"

#include <new>
#include <stdexcept>

using namespace gate;

namespace {

void what_the_body_returns_is_returned() {
    for (const int code : {PAM_SUCCESS, PAM_IGNORE, PAM_AUTH_ERR, PAM_USER_UNKNOWN})
        CHECK_EQ(pam::guarded(nullptr, [&] { return code; }), code);
}

void whatever_is_thrown_becomes_a_refusal() {
    CHECK_EQ(pam::guarded(nullptr, []() -> int { throw std::bad_alloc{}; }), PAM_SERVICE_ERR);
    CHECK_EQ(pam::guarded(nullptr, []() -> int { throw std::runtime_error{"%s%n"}; }), PAM_SERVICE_ERR);
    CHECK_EQ(pam::guarded(nullptr, []() -> int { throw 42; }), PAM_SERVICE_ERR);
    CHECK_EQ(pam::guarded(nullptr, []() -> int { throw "text"; }), PAM_SERVICE_ERR);
    CHECK_EQ(pam::guarded(nullptr, [] { return static_cast<int>(std::string("a").at(7)); }), PAM_SERVICE_ERR);
}

void it_promises_not_to_throw() {
    static_assert(noexcept(pam::guarded(nullptr, []() -> int { throw 1; })));
    CHECK(true);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {GATE_TEST(what_the_body_returns_is_returned),
                                GATE_TEST(whatever_is_thrown_becomes_a_refusal),
                                GATE_TEST(it_promises_not_to_throw)};
    return cmocka_run_group_tests_name("pam_guard", tests, nullptr, nullptr);
}

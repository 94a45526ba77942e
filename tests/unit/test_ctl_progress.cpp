// The bar of a long command.
#include "tests/unit/support.h"

#include "gatectl/progress.h"

#include <cstdint>

using namespace gate;

namespace {

void a_bar_is_of_one_width() {
    CHECK_EQ(std::string(ctl::bar_text(0, 10).text), std::string("[------------------------]   0 %"));
    CHECK_EQ(std::string(ctl::bar_text(5, 10).text), std::string("[############------------]  50 %"));
    CHECK_EQ(std::string(ctl::bar_text(10, 10).text), std::string("[########################] 100 %"));
    CHECK_EQ(std::string(ctl::bar_text(UINT64_MAX, UINT64_MAX).text),
             std::string("[########################] 100 %"));
}

void more_than_all_is_all_and_nothing_is_known_of_nothing() {
    CHECK_EQ(std::string(ctl::bar_text(11, 10).text), std::string("[########################] 100 %"));
    CHECK_EQ(std::string(ctl::bar_text(3, 0).text), std::string("[------------------------]   0 %"));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(a_bar_is_of_one_width),
        GATE_TEST(more_than_all_is_all_and_nothing_is_known_of_nothing),
    };
    return cmocka_run_group_tests_name("ctl_progress", tests, nullptr, nullptr);
}

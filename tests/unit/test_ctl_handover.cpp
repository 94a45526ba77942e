// Two threads and what goes from one to the other: all of it, in order, and an exception the other way.
#include "tests/unit/support.h"

#include "gatectl/handover.h"

#include <chrono>
#include <stdexcept>

using namespace gate;
using namespace gate::test;

namespace {

using Numbers = ctl::Handover<std::size_t>;

void everything_arrives_in_order() {
    // Around the ends of batches, and many times round.
    for (const std::size_t count :
         {std::size_t{0}, std::size_t{1}, Numbers::k_batch - 1, Numbers::k_batch, Numbers::k_batch + 1,
          std::size_t{4} * Numbers::k_batch, std::size_t{100} * Numbers::k_batch + 7}) {
        std::vector<std::size_t> got;
        Numbers numbers([&got](const std::size_t& number) { got.push_back(number); });
        for (std::size_t i = 0; i < count; ++i) {
            if (i % 2 == 0) {
                numbers.room() = i;
                numbers.put();
            } else {
                std::size_t number = i;
                numbers.put(number);
            }
        }
        numbers.finish();
        CHECK_EQ(got.size(), count);
        for (std::size_t i = 0; i < count; ++i)
            CHECK_EQ(got[i], i);
    }
}

void a_slow_worker_is_waited_for() {
    constexpr std::size_t k_count = 10 * Numbers::k_batch;
    std::size_t got = 0;
    Numbers numbers([&got](const std::size_t& number) {
        if (number % Numbers::k_batch == 0)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        ++got;
    });
    for (std::size_t i = 0; i < k_count; ++i) {
        numbers.room() = i;
        numbers.put();
    }
    numbers.finish();
    CHECK_EQ(got, k_count);
}

// Fills until it is told; where the worker fails at `at`. Returns whether put() or finish() said so.
[[nodiscard]] bool fails(std::size_t count, std::size_t at, std::size_t& worked) {
    Numbers numbers([&worked, at](const std::size_t& number) {
        if (number == at)
            throw std::runtime_error("the worker's");
        ++worked;
    });
    try {
        for (std::size_t i = 0; i < count; ++i) {
            numbers.room() = i;
            numbers.put();
        }
        numbers.finish();
    } catch (const std::runtime_error& error) {
        CHECK_EQ(std::string(error.what()), std::string("the worker's"));
        return true;
    }
    return false;
}

void what_the_worker_throws_comes_out() {
    constexpr std::size_t k_count = 20 * Numbers::k_batch + 1;
    for (const std::size_t at : {std::size_t{0}, std::size_t{1}, Numbers::k_batch - 1, Numbers::k_batch,
                                 k_count / 2, k_count - 2, k_count - 1}) {
        std::size_t worked = 0;
        CHECK(fails(k_count, at, worked));
        CHECK_EQ(worked, at); // nothing after it
    }
    std::size_t worked = 0;
    CHECK(!fails(k_count, k_count, worked));
    CHECK_EQ(worked, k_count);
}

void one_that_is_left_in_the_middle_ends() {
    std::size_t got = 0;
    {
        Numbers numbers([&got](const std::size_t&) { ++got; });
        for (std::size_t i = 0; i < Numbers::k_batch + 1; ++i) {
            numbers.room() = i;
            numbers.put();
        }
    }
    CHECK(got <= Numbers::k_batch); // what was passed on may be done, the rest is not
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        GATE_TEST(everything_arrives_in_order),
        GATE_TEST(a_slow_worker_is_waited_for),
        GATE_TEST(what_the_worker_throws_comes_out),
        GATE_TEST(one_that_is_left_in_the_middle_ends),
    };
    return cmocka_run_group_tests_name("ctl_handover", tests, nullptr, nullptr);
}

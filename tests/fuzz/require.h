// What every fuzz target stands on. A target is one function, `void check_NAME(std::string_view input)`, in
// check_NAME.h: whatever the input, it returns, or throws a Finding that says which promise was broken.
// fuzz_NAME.cpp gives it to libFuzzer, tests/unit/test_corpus.cpp runs it over tests/fuzz/corpus/NAME.
#pragma once

#include "lib/base/text.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace gate::fuzz {

struct Finding {
    std::string text;
};

[[noreturn]] inline void found(const char* file, int line, std::string text) {
    throw Finding{std::string(file) + ":" + std::to_string(line) + ": " + std::move(text)};
}

// Takes an input apart: the fuzzer's bytes as small decisions. At the end of the input everything is 0.
class Decisions {
  public:
    explicit Decisions(std::string_view input) : rest_(input) {}
    [[nodiscard]] bool done() const { return rest_.empty(); }
    [[nodiscard]] std::uint8_t byte() {
        if (rest_.empty())
            return 0;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }
    // 0 ... bound - 1
    [[nodiscard]] std::size_t below(std::size_t bound) { return byte() % bound; }
    [[nodiscard]] std::uint32_t u16() {
        const std::uint32_t high = byte();
        return high << 8 | byte();
    }
    [[nodiscard]] std::string_view bytes(std::size_t count) {
        const std::string_view value = rest_.substr(0, count);
        rest_.remove_prefix(value.size());
        return value;
    }
    // A short text: its length, then it.
    [[nodiscard]] std::string_view text() { return bytes(byte()); }
    [[nodiscard]] std::string_view rest() { return std::exchange(rest_, {}); }

  private:
    std::string_view rest_;
};

template<void (*Check)(std::string_view)>
int run_one(const std::uint8_t* data, std::size_t size) {
    try {
        Check({reinterpret_cast<const char*>(data), size});
    } catch (const Finding& finding) {
        std::fprintf(stderr, "FINDING %s\n", finding.text.c_str());
        std::abort();
    }
    return 0;
}

} // namespace gate::fuzz

// True, or it is a finding.
#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            gate::fuzz::found(__FILE__, __LINE__, "not true: " #condition);                                  \
    } while (false)
// As REQUIRE, with a std::string that tells more.
#define REQUIRE_MSG(condition, message)                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            gate::fuzz::found(__FILE__, __LINE__, std::string("not true: " #condition ": ") + (message));    \
    } while (false)

// The entry point that libFuzzer calls.
#define GATE_FUZZ(check)                                                                                     \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);                       \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {                      \
        return gate::fuzz::run_one<check>(data, size);                                                       \
    }

// What every unit test uses. cmocka leaves a failing test by longjmp, which would skip C++ destructors; so
// tests here are plain functions, a failed check is an exception, and only the trampoline, which holds no
// C++ object any more, tells cmocka.
//
//     static void takes_the_short_way() { CHECK_EQ(way(3), 1); }
//     int main() {
//         const CMUnitTest tests[] = {GATE_TEST(takes_the_short_way)};
//         return cmocka_run_group_tests_name("way", tests, nullptr, nullptr);
//     }
//
// Include it last or first, it does not matter: cmocka's macros fail() and skip() are taken away again,
// because lib/base has a function of the former name.
#pragma once

// cmocka.h wants these before itself.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cstdint>
extern "C" {
#include <cmocka.h>
}
// clang-format on
#undef fail
#undef skip

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/base/text.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <type_traits>
#include <unistd.h>

namespace gate::test {

struct Failure {
    std::string text;
};
struct Skip {
    std::string why;
};

// A value as a failed check shows it.
template<class T>
[[nodiscard]] std::string show(const T& value) {
    if constexpr (std::is_same_v<T, bool>)
        return value ? "true" : "false";
    else if constexpr (std::is_enum_v<T>)
        return std::to_string(static_cast<long long>(value));
    else if constexpr (std::is_arithmetic_v<T>)
        return std::to_string(value);
    else if constexpr (std::is_convertible_v<const T&, std::string_view>)
        return '"' + escape_visible(value, 4000) + '"';
    else
        return "(a value)";
}

[[noreturn]] inline void raise(const char* file, int line, std::string text) {
    throw Failure{std::string(file) + ":" + std::to_string(line) + ": " + std::move(text)};
}

[[nodiscard]] inline std::string show_error(const Error& e) {
    return "error " + std::to_string(static_cast<int>(e.code)) + " (" + e.what + ", errno " +
           std::to_string(e.sys_errno) + ")";
}

template<void (*Test)()>
void trampoline(void**) noexcept {
    enum class Ended { well, badly, skipped };
    const Ended ended = [] {
        try {
            Test();
            return Ended::well;
        } catch (const Failure& failure) {
            print_error("%s\n", failure.text.c_str());
        } catch (const Skip& skip) {
            print_message("skipped: %s\n", skip.why.c_str());
            return Ended::skipped;
        } catch (const std::exception& e) {
            print_error("exception: %s\n", e.what());
        } catch (...) {
            print_error("an exception of unknown type\n");
        }
        return Ended::badly;
    }();
    if (ended == Ended::badly)
        _fail(__FILE__, __LINE__);
    if (ended == Ended::skipped)
        _skip(__FILE__, __LINE__);
}

// A directory of its own for a test, removed with all that is in it.
class TempDir {
  public:
    TempDir() {
        const char* base = std::getenv("TMPDIR");
        path_ = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/gate-test.XXXXXX";
        if (::mkdtemp(path_.data()) == nullptr)
            raise(__FILE__, __LINE__, std::string("mkdtemp: ") + std::strerror(errno));
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(std::string_view name) const {
        return path_ + '/' + std::string(name);
    }

  private:
    std::string path_;
};

template<class A, class E>
void check_equal(const char* file, int line, const char* what, const A& actual, const E& expected) {
    if (!(actual == expected))
        raise(file, line, std::string(what) + " is " + show(actual) + ", expected " + show(expected));
}

// A file with these bytes and this mode, whatever the umask.
inline void write_file(const std::string& path, std::string_view bytes, mode_t mode = 0644) {
    const Fd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)};
    const bool ok = fd.valid() && ::fchmod(fd.get(), mode) == 0 &&
                    ::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    if (!ok)
        raise(__FILE__, __LINE__, "cannot write " + path + ": " + std::strerror(errno));
}

[[nodiscard]] inline std::string read_file(const std::string& path) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    std::string out;
    char block[65536];
    for (ssize_t n = 0; (n = ::read(fd.get(), block, sizeof block)) != 0;) {
        if (n < 0)
            raise(__FILE__, __LINE__, "cannot read " + path + ": " + std::strerror(errno));
        out.append(block, static_cast<std::size_t>(n));
    }
    return out;
}

// Random, but the same each run; GATE_TEST_SEED chooses another run.
[[nodiscard]] inline std::mt19937_64 seeded() {
    const char* seed = std::getenv("GATE_TEST_SEED");
    return std::mt19937_64{seed != nullptr ? std::strtoull(seed, nullptr, 10) : 20'251'123U};
}

} // namespace gate::test

#define GATE_TEST(function)                                                                                  \
    CMUnitTest {                                                                                             \
#function, &gate::test::trampoline < function>, nullptr, nullptr, nullptr                            \
    }

// True, or the test ends here.
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            gate::test::raise(__FILE__, __LINE__, "not true: " #condition);                                  \
    } while (false)
// As CHECK, with a std::string that tells more.
#define CHECK_MSG(condition, message)                                                                        \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            gate::test::raise(__FILE__, __LINE__, std::string("not true: " #condition ": ") + (message));    \
    } while (false)
// A function, so that what the two expressions refer to lives as long as it is looked at.
#define CHECK_EQ(actual, expected) gate::test::check_equal(__FILE__, __LINE__, #actual, (actual), (expected))
// A gate::Result that holds a value / an Error with this code.
#define CHECK_OK(result)                                                                                     \
    do {                                                                                                     \
        const auto& check_r = (result);                                                                      \
        if (!check_r)                                                                                        \
            gate::test::raise(__FILE__, __LINE__, #result ": " + gate::test::show_error(check_r.error()));   \
    } while (false)
#define CHECK_ERR(result, errc)                                                                              \
    do {                                                                                                     \
        const auto& check_r = (result);                                                                      \
        if (check_r)                                                                                         \
            gate::test::raise(__FILE__, __LINE__, #result " succeeded, expected " #errc);                    \
        if (check_r.error().code != (errc))                                                                  \
            gate::test::raise(__FILE__, __LINE__,                                                            \
                              #result ": " + gate::test::show_error(check_r.error()) + ", not " #errc);      \
    } while (false)
// Cannot be tested here; tests/skips.txt must allow it.
#define SKIP_TEST(why)                                                                                       \
    throw gate::test::Skip {                                                                                 \
        (why)                                                                                                \
    }
